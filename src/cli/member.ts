import { connect } from '../client/index.js';
import type { Client, MembersReport } from '../client/types.js';
import { BadOption, ChangeRefused } from '../errors.js';
import { PRIORITY_MAX, PRIORITY_USUAL } from '../raft/priority.js';
import type { Member, MembersStatus, ReplicaStatus } from '../replica/types.js';
import {
	CLUSTER_HELP,
	CLUSTER_OPTIONS,
	clusterOptions,
	parse,
	required,
	wholeNumber,
} from './options.js';
import { becameOf, isUnknown } from './outcome.js';

export const help = `millrace member: who belongs to the cluster

Usage: millrace member list     --peers LIST [options]
       millrace member add      --peers LIST --id ID --address HOST:PORT [--learner] [options]
       millrace member promote  --peers LIST --id ID [options]
       millrace member remove   --peers LIST --id ID [options]
       millrace member replace  --peers LIST --old ID --id ID --address HOST:PORT [options]
       millrace member priority --peers LIST --id ID --priority N [options]

  --id ID            the replica; ids are never used again
  --address HOST:PORT  where the others and the clients reach it
  --learner          it stays a learner: gets everything, and counts for no majority
  --old ID           the voter that goes, which may be dead: both change places at once when the new one has caught up
  --priority N       who should lead, if there is a choice: from 0 to 100 (50)
  --no-wait          don't wait until it has caught up
  --json             list: as JSON
${CLUSTER_HELP}
A replica is started with \`millrace serve --join\` before or after it is added. One change at a time; who leads may be
removed, too. Where no answer comes, as when leadership changes meanwhile, it asks what became of the change, for --timeout
seconds at most: what is counts, whoever did it. Exit codes: 0 done, 1 not done, or not known, 2 bad options.
`;

const ACTIONS = ['list', 'add', 'promote', 'remove', 'replace', 'priority'] as const;
type Action = (typeof ACTIONS)[number];
const POLL_MS = 200;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const [first, ...rest] = argv;
	const action = ACTIONS.find((name) => name === first);
	if (action === undefined) throw new BadOption(`say one of: member ${ACTIONS.join(', ')}`);
	const { values } = parse(rest, {
		...CLUSTER_OPTIONS,
		id: { type: 'string' },
		old: { type: 'string' },
		address: { type: 'string' },
		priority: { type: 'string' },
		learner: { type: 'boolean', default: false },
		'no-wait': { type: 'boolean', default: false },
		json: { type: 'boolean', default: false },
	});
	const replicaId = (name: 'id' | 'old') =>
		wholeNumber(name, required(name, values[name]), 1, 0xffff_ffff);
	const isNew = action === 'add' || action === 'replace';
	const hasPriority = action === 'priority' || (isNew && values.priority !== undefined);
	return {
		action,
		id: action === 'list' ? 0 : replicaId('id'),
		old: action === 'replace' ? replicaId('old') : 0,
		address: isNew ? required('address', values.address) : '',
		priority: hasPriority
			? wholeNumber('priority', required('priority', values.priority), 0, PRIORITY_MAX)
			: null,
		isLearner: values.learner,
		waits: !values['no-wait'],
		isJson: values.json,
		cluster: clusterOptions(values),
	};
}

type Options = ReturnType<typeof optionsOf>;

export async function run(argv: readonly string[]): Promise<number> {
	const options = optionsOf(argv);
	const client = connect(options.cluster);
	try {
		if (options.action !== 'list') await change(client, options);
		const members = await client.members();
		process.stdout.write(
			options.isJson ? `${JSON.stringify(members, null, '\t')}\n` : tableOf(members),
		);
		return 0;
	} finally {
		await client.close();
	}
}

async function change(client: Client, options: Options): Promise<void> {
	const { action, id, old, address, priority, isLearner, waits, cluster } = options;
	const member = { id, address, ...(priority !== null && { priority }) };
	const changes: Readonly<Record<Exclude<Action, 'list'>, object>> = {
		add: { add: [{ ...member, ...(!isLearner && { promote: true }) }] },
		promote: { promote: [id] },
		remove: { remove: [id] },
		replace: { add: [{ ...member, promote: true, replaces: old }] },
		priority: { priorities: { [id]: priority } },
	};
	try {
		await client.changeMembers(changes[action as Exclude<Action, 'list'>]);
	} catch (error) {
		if (!isUnknown(error)) throw error;
		await becameOf(error, client, cluster.timeoutMs, (leader) => isDone(leader, options));
	}
	const isWaiting = waits && (action === 'replace' || (action === 'add' && !isLearner));
	if (isWaiting) await caughtUp(client, id);
}

/** Is it as it would be, or as good as: what takes more than one step goes on by itself? Null: the leader doesn't say who its members are. */
function isDone({ members }: ReplicaStatus, options: Options): boolean | null {
	if (members === undefined) return null;
	const { action, id, old, address, priority, isLearner } = options;
	const voter = memberOf(members.voters, id);
	const learner = memberOf(members.learners, id);
	const here = voter ?? learner;
	const isAsNamed =
		(address === '' || here?.address === address) &&
		(priority === null || (here?.priority ?? PRIORITY_USUAL) === priority);
	switch (action) {
		case 'remove':
			return here === undefined;
		case 'promote':
			return voter !== undefined;
		case 'add':
			return isAsNamed && (isLearner || voter !== undefined || learner?.promote === true);
		case 'replace':
			if (voter !== undefined) return isAsNamed && memberOf(members.voters, old) === undefined;
			return isAsNamed && learner?.replaces === old;
		default:
			return isAsNamed;
	}
}

function memberOf(members: MembersStatus['voters'], id: number): Member | undefined {
	return members.find((member) => member.id === id);
}

/** Waits until it is a voter, and tells how far it is. */
async function caughtUp(client: Client, id: number): Promise<void> {
	let told = '';
	for (;;) {
		const members = await client.members();
		const isVoter = memberOf(members.voters, id) !== undefined;
		if (isVoter && !members.isPending) return;
		if (!isVoter && memberOf(members.learners, id) === undefined) {
			throw new ChangeRefused(`replica ${id} was removed before it was a voter`);
		}
		const line = `replica ${id} has ${members.match[id] ?? 0} of ${members.last} entries\n`;
		if (line !== told) process.stderr.write(line);
		told = line;
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}

function tableOf({ voters, outgoing, learners, isPending }: MembersReport): string {
	const lines = [
		...voters.map((member) => lineOf(member, 'voter')),
		...outgoing
			.filter(({ id }) => !voters.some((voter) => voter.id === id))
			.map((member) => lineOf(member, 'leaves')),
		...learners.map((member) => lineOf(member, 'learner')),
		...(isPending ? ['a change is under way'] : []),
	];
	return `${lines.join('\n')}\n`;
}

function lineOf({ id, address, priority }: Member, standing: string): string {
	return `${id}\t${address}\t${standing}${priority === undefined ? '' : `\tpriority ${priority}`}`;
}
