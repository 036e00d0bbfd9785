import { BadOption, Stopped } from '../errors.js';
import type { Gateway } from '../gateway/index.js';
import { loadUws } from '../gateway/uws.js';
import type { BatchView, Replica, StateMachine } from '../index.js';
import { openReplica } from '../index.js';
import { KvMachine } from '../kv/machine.js';
import { isPermission, type Permission } from '../replica/permission.js';
import { announceGateway, GATEWAY_HELP, GATEWAY_OPTIONS, gatewayOptionsOf } from './gateway.js';
import { LOG_HELP, LOG_OPTIONS, loggerOf } from './log.js';
import {
	oneOf,
	parse,
	peersOption,
	required,
	SNAPSHOT_EVERY_OPTION,
	snapshotEveryBytes,
	tlsOption,
	wholeNumber,
} from './options.js';

export const help = `millrace serve: one replica

Usage: millrace serve --id N --peers LIST --dir DIR [options]

  --id N             this replica's id, one of those in --peers
  --peers LIST       all replicas: 1=host:port,2=host:port,...
  --dir DIR          where its log is kept
  --cluster NAME     the cluster's name (millrace)
  --join             it is new and joins a cluster that is there: see millrace member
  --state S          count: the number of entries (default); kv: keys and values, see millrace kv
  --durability D     sync: acknowledged is on disk on a majority (default)
                     os: it is in the memory of a majority's kernels
  --snapshot-every B a snapshot after so many bytes of log (268435456); what it stands for is dropped from the log
  --tls PREFIX       encrypted: PREFIX.crt and PREFIX.key, and ca.crt beside them; see millrace certs
  --tls-client-role NAME=ROLE
                     what the client whose certificate has this common name may do on this replica's port: read, write
                     (also propose) or admin (everything); NAME * is all others, who are turned away without it. Again for
                     each name. Without any all clients with a certificate may do everything
${GATEWAY_HELP}${LOG_HELP}  --profile          records the stages of the latest 8,192 batches, for the dashboard and GET /v1/profile
  --exit-with-stdin  end when stdin does: for a parent that wants to leave nothing behind

Prints one line when it listens, and then one for each change of its role and each
connection that was turned away, unless --log tells of them. SIGTERM and SIGINT end it in order, with exit code 0.
`;

/** What `--profile` keeps. */
const PROFILED_BATCHES = 8192;

/** Counts entries; its answer to any query is their number, in decimal. */
class Counter implements StateMachine {
	#count = 0;

	apply(batch: BatchView): undefined {
		this.#count += batch.count;
	}

	snapshot(): Uint8Array[] {
		return [new TextEncoder().encode(String(this.#count))];
	}

	async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
		for await (const chunk of chunks) this.#count = Number(new TextDecoder().decode(chunk));
	}

	query(): Uint8Array {
		return new TextEncoder().encode(String(this.#count));
	}
}

/** The state machines of `--state`. */
export const STATES = ['count', 'kv'] as const;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		id: { type: 'string' },
		peers: { type: 'string' },
		dir: { type: 'string' },
		cluster: { type: 'string', default: 'millrace' },
		durability: { type: 'string', default: 'sync' },
		state: { type: 'string', default: 'count' },
		...SNAPSHOT_EVERY_OPTION,
		join: { type: 'boolean', default: false },
		profile: { type: 'boolean', default: false },
		'exit-with-stdin': { type: 'boolean', default: false },
		tls: { type: 'string' },
		'tls-client-role': { type: 'string', multiple: true, default: [] as string[] },
		...GATEWAY_OPTIONS,
		...LOG_OPTIONS,
	} as const;
	const { values } = parse(argv, options);
	const id = wholeNumber('id', required('id', values.id), 1, 0xffff_ffff);
	const peers = peersOption(values.peers);
	if (peers[id] === undefined) throw new BadOption(`--peers doesn't name replica ${id} itself`);
	return {
		id,
		peers,
		dir: required('dir', values.dir),
		cluster: values.cluster,
		durability: oneOf('durability', values.durability, ['sync', 'os']),
		state: oneOf('state', values.state, STATES),
		snapshotEveryBytes: snapshotEveryBytes(values),
		join: values.join,
		...tlsOption(values.tls),
		...clientRolesOption(values['tls-client-role'], values.tls !== undefined),
		gatewayOptions: gatewayOptionsOf(values),
		logger: loggerOf(values, (line) => void process.stderr.write(line)),
		isProfiled: values.profile,
		withStdin: values['exit-with-stdin'],
	};
}

/** `--tls-client-role NAME=ROLE`, as often as it was given. Errors: `BadOption`. */
function clientRolesOption(given: readonly string[], isEncrypted: boolean) {
	if (given.length === 0) return {};
	if (!isEncrypted) throw new BadOption('--tls-client-role needs --tls');
	const roles = new Map<string, Permission>();
	for (const text of given) {
		// A name may have signs of equality, a role has none.
		const [, name, role = ''] = /^(.+)=(\w*)$/s.exec(text) ?? [];
		if (name === undefined || !isPermission(role)) {
			throw new BadOption(
				`--tls-client-role is NAME=read, NAME=write or NAME=admin, not '${text}'`,
			);
		}
		if (roles.has(name)) throw new BadOption(`--tls-client-role gives '${name}' two roles`);
		roles.set(name, role);
	}
	return { clientRoles: Object.fromEntries(roles) };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { withStdin, state, gatewayOptions, logger, isProfiled, ...options } = optionsOf(argv);
	const { id, peers } = options;
	const ending = untilEnd(withStdin);
	// Where it is missing, nothing is begun.
	if (gatewayOptions !== null) await loadUws();
	const opening = openReplica({
		...options,
		stateMachine: state === 'kv' ? new KvMachine() : new Counter(),
		// Who tails the log wants it from its beginning, whatever snapshots there are.
		retainBytes: Number.POSITIVE_INFINITY,
		log: logger ?? ((line) => void process.stdout.write(`replica ${id}: ${line}\n`)),
	});
	const replica = await Promise.race([opening, ending]);
	if (typeof replica === 'string') return endAtOnce(replica);
	process.stdout.write(`replica ${id} listening on ${peers[id]}\n`);
	if (isProfiled) replica.profile({ batchesMax: PROFILED_BATCHES });
	try {
		return await serve(replica, await announceGateway(replica, gatewayOptions), ending);
	} finally {
		await replica.close();
	}
}

async function serve(
	replica: Replica,
	gateway: Gateway | null,
	ending: Promise<unknown>,
): Promise<number> {
	const stopped = new Promise<Error>((resolve) => replica.once('stopped', resolve));
	const failure = await Promise.race([ending.then(() => null), stopped]);
	await gateway?.close();
	if (failure !== null) throw failure;
	return 0;
}

/** While the replica is being opened. What there is by now is what a crash would leave, and every start can deal with that; waiting for a
 * disk might take for ever. By the signal itself: `process.exit` would wait for the disk, too. */
function endAtOnce(signal: NodeJS.Signals): never {
	process.removeAllListeners(signal);
	process.kill(process.pid, signal);
	throw new Stopped('it was not open yet');
}

/** Resolves when the process is asked to end. */
function untilEnd(withStdin: boolean): Promise<NodeJS.Signals> {
	return new Promise((resolve) => {
		process.once('SIGTERM', resolve);
		process.once('SIGINT', resolve);
		if (!withStdin) return;
		const end = (): void => resolve('SIGTERM');
		process.stdin.once('end', end).once('error', end).resume();
		// It alone doesn't keep the process.
		(process.stdin as { unref?(): void }).unref?.();
	});
}
