import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeDoors } from '../../native-free-io/index.js';
import { connect, type PeerReport } from '../client/index.js';
import { LostQuorum } from '../replica/lost-quorum.js';
import { everybodyIn } from '../replica/members.js';
import { parseAddress } from '../replica/options.js';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.js';
import { parse, peersOption, required, seconds, tlsOption } from './options.js';

const AGAIN_MS = 500;

export const help = `millrace recover: a majority of the voters is lost for good, and one replica goes on alone

Usage: millrace recover --dir DIR [--peers LIST] [--force] [options]

  --dir DIR          the directory of the replica that is left; it must not run
  --peers LIST       all replicas, as in its start command: 1=host:port,2=host:port,... Needed unless the members were
                     changed once: then its log has them
  --force            do it; without, it is only told what would be done
  --timeout SECONDS  how long the others have to answer (5)
  --tls PREFIX       if the cluster is encrypted (see millrace certs): without it none of the others would answer

Of all that are left it must be the one with the longest log: the others are asked, so leave those running that can. What
it doesn't have is lost, acknowledged or not; all that it has is committed. It becomes the only voter; the others can't
come back under their ids, nor with what their directories hold. Then start it, and add new replicas with millrace member.
It is refused while a leader or a majority of the voters answers, or anybody who has more, or who is there and can't be asked.
Make sure that those who don't answer stay off: a majority of them that comes back is the old cluster.
Exit codes: 0 done, 1 not done, 2 bad options, 130 interrupted.
`;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		dir: { type: 'string' },
		peers: { type: 'string' },
		force: { type: 'boolean', default: false },
		timeout: { type: 'string', default: '5' },
		tls: { type: 'string' },
	} as const;
	const { values } = parse(argv, options);
	return {
		dir: required('dir', values.dir),
		peers: values.peers === undefined ? null : peersOption(values.peers),
		force: values.force,
		timeoutMs: Math.ceil(seconds('timeout', values.timeout) * 1000),
		encryption: tlsOption(values.tls),
	};
}

type Options = ReturnType<typeof optionsOf>;

export async function run(argv: readonly string[]): Promise<number> {
	const { dir, force, ...asked } = optionsOf(argv);
	return await interruptible(async (signal) => {
		const quorum = await LostQuorum.open({
			doors: nativeDoors(),
			directory: resolve(dir),
			addresses: addressesOf(asked.peers),
		});
		try {
			const reports = await ask(quorum, asked, signal);
			if (signal.aborted) return EXIT_INTERRUPTED;
			process.stdout.write(survey(quorum, reports));
			const why = unaskable(reports) ?? quorum.refusal(reports);
			if (why !== null) {
				process.stderr.write(`millrace recover: ${why}; nothing was changed\n`);
				return 1;
			}
			if (!force) {
				process.stderr.write('millrace recover: nothing was changed; --force does it\n');
				return 1;
			}
			const { index } = await quorum.recover(reports, doer());
			process.stdout.write(
				`done, at index ${index}: replica ${quorum.identity.replica} is the only voter; start it, and add new replicas\n`,
			);
			return 0;
		} finally {
			await quorum.close();
		}
	});
}

function addressesOf(peers: Options['peers']) {
	if (peers === null) return null;
	const addresses = Object.entries(peers).map(
		([id, text]) => [Number(id), parseAddress(text)] as const,
	);
	return new Map(addresses);
}

/** Who is named in `--peers` is where it says. Who doesn't answer is asked again while there is time. */
async function ask(
	quorum: LostQuorum,
	{ peers, timeoutMs, encryption }: Omit<Options, 'dir' | 'force'>,
	signal: AbortSignal,
): Promise<PeerReport[]> {
	const others = quorum.others.map(({ id, address }) => [id, peers?.[id] ?? address] as const);
	if (others.length === 0) return [];
	const { cluster, group } = quorum.identity;
	process.stderr.write(`asking ${listOf(others.map(([id]) => id))}\n`);
	const addresses = Object.fromEntries(others);
	const client = connect({ peers: addresses, cluster, group, timeoutMs, ...encryption });
	try {
		for (const end = Date.now() + timeoutMs; ; await sleep(AGAIN_MS)) {
			const reports = await client.status();
			const isComplete = reports.every(({ status }) => status !== null);
			if (isComplete || signal.aborted || Date.now() >= end) return reports;
		}
	} finally {
		await client.close();
	}
}

/** Nobody listens there, or it isn't that replica. */
const GONE =
	/ECONNREFUSED|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN|in time|another cluster|it is replica/;

/** Somebody who listens may lead; that it can't be asked (it is encrypted, for example) says nothing. */
function unaskable(reports: readonly PeerReport[]): string | null {
	const there = reports.find(({ error }) => error !== null && !GONE.test(error.message));
	if (there === undefined) return null;
	return `replica ${there.id} at ${there.address} is there, and can't be asked: stop it, or see --tls`;
}

function survey(quorum: LostQuorum, reports: readonly PeerReport[]): string {
	const { identity, members, last, committed } = quorum;
	const { replica, cluster } = identity;
	const what = quorum.isLearner ? ', a learner: it may lack more than a voter' : '';
	const lines = [
		`replica ${replica} of cluster ${cluster}${what}: its last entry is ${last.index}, of term ${last.term}`,
		...reports.map(saying),
	];
	const { recovered } = members;
	if (recovered !== undefined) {
		const when = new Date(recovered.time).toISOString();
		lines.push(`it was recovered before: at index ${recovered.index}, ${when}, by ${recovered.by}`);
	}
	if (everybodyIn(members).length > 1)
		lines.push(`lost is what only ${listOf(quorum.others.map(({ id }) => id))} had`);
	if (committed < last.index)
		lines.push(`entries ${committed + 1} to ${last.index} may be committed or not: they would be`);
	return `${lines.join('\n')}\n`;
}

function saying({ id, address, status, error }: PeerReport): string {
	if (status === null) return `replica ${id} at ${address} doesn't answer: ${error!.message}`;
	const { standing, last, lastTerm, stopped } = status;
	const what = stopped === null ? standing : 'stopped';
	return `replica ${id} at ${address} answers (${what}): its last entry is ${last}, of term ${lastTerm}`;
}

function listOf(ids: readonly number[]): string {
	return `${ids.length === 1 ? 'replica' : 'replicas'} ${ids.join(', ')}`;
}

function doer(): string {
	return `${userInfo().username}@${hostname()}`.slice(0, 200);
}
