import { describe, expect, test, vi } from 'vitest';
import * as member from '../../src/cli/member.js';
import * as transfer from '../../src/cli/transfer.js';
import { MessageFrameKind } from '../../src/format/message.js';
import type { FakeReplica, Guest, Script } from '../client/fake-replica.js';
import { closeAfterEach, replica } from '../client/opened.js';

closeAfterEach();

interface Members {
	readonly voters: readonly object[];
	readonly learners?: readonly object[];
	readonly isPending?: boolean;
}

const memberOf = (id: number, more = {}) => ({ id, address: `127.0.0.1:${id}`, ...more });
const voters = (...ids: readonly number[]): Members => ({ voters: ids.map((id) => memberOf(id)) });

/** What a cluster is, as its replicas tell it: who leads, and who belongs to it. */
interface Cluster {
	leader: number;
	term: number;
	/** Of the leader's log, and how much of it is committed. */
	last: number;
	committed: number;
	members: Members;
	/** Changes that came. */
	readonly asked: object[];
	/** What becomes of one, whose answer isn't sent. */
	change: (guest: Guest) => void;
}

function clusterOf(members: Members, change: Partial<Cluster>): Cluster {
	const begun = { leader: 1, term: 1, last: 9, committed: 9, members, asked: [] };
	return { ...begun, change: (guest) => guest.connection.close(), ...change };
}

function playing(id: number, cluster: Cluster): Script {
	return {
		message: (guest, { kind }, body) => {
			const { leader, term, last, committed, members } = cluster;
			const told = { outgoing: [], learners: [], isPending: false, index: 1, ...members };
			if (kind === MessageFrameKind.statusRequest) {
				const role = id === leader ? 'leader' : 'follower';
				const numbers = { first: 1, persisted: last, applied: committed };
				const status = { id, role, leader, term, last, committed, ...numbers, members: told };
				guest.send(MessageFrameKind.statusReply, {}, JSON.stringify({ ...status, stopped: null }));
			} else if (kind === MessageFrameKind.adminRequest) {
				const request = JSON.parse(new TextDecoder().decode(body));
				if (request.do !== 'members') {
					cluster.asked.push(request);
					return cluster.change(guest);
				}
				const isLeader = id === leader;
				const report = { ok: true, ...told, last, match: {} };
				const refusal = { ok: false, code: 'NOT_LEADER', message: 'not here' };
				guest.send(MessageFrameKind.adminReply, {}, JSON.stringify(isLeader ? report : refusal));
			}
		},
	};
}

async function played(cluster: Cluster): Promise<string> {
	const fakes: FakeReplica[] = [];
	for (const id of [1, 2, 3]) fakes.push(await replica(id, playing(id, cluster)));
	return fakes.map((fake) => `${fake.id}=${fake.peer}`).join(',');
}

/** One command, as the program runs it, and what it says behind its question. */
async function told([name, ...args]: readonly string[], cluster: Cluster, timeout = '20') {
	const written = { stdout: '', stderr: '' };
	for (const stream of ['stdout', 'stderr'] as const) {
		vi.spyOn(process[stream], 'write').mockImplementation((text) => {
			written[stream] += text;
			return true;
		});
	}
	const { run } = name === 'member' ? member : transfer;
	const peers = await played(cluster);
	const ended = await run([...args, '--peers', peers, '--timeout', timeout]).then(
		(code) => ({ code, error: '' }),
		({ message }: Error) => ({ code: 1, error: message }),
	);
	vi.restoreAllMocks();
	expect(cluster.asked).toHaveLength(1);
	const [first, ...said] = written.stderr.split('\n');
	expect(first).toMatch(/is not known: .*; asking what became of it$/);
	return { ...ended, stdout: written.stdout, said: said.join('\n') };
}

/** Another one leads from now on, and says this. */
function handOver(cluster: Cluster, members: Members): void {
	Object.assign(cluster, { leader: 2, term: 2, last: 10, committed: 9, members });
	setTimeout(() => Object.assign(cluster, { committed: 10 }), 100);
}

function lost(members: Members, after: Members): Cluster {
	const cluster = clusterOf(members, {
		change: (guest) => {
			handOver(cluster, after);
			guest.connection.close();
		},
	});
	return cluster;
}

const REMOVE = ['member', 'remove', '--id', '3'];
const ADD = ['member', 'add', '--id', '4', '--address', '127.0.0.1:4'];
const REPLACE = ['member', 'replace', '--old', '3', '--id', '4', '--address', '127.0.0.1:4'];

describe('leadership is handed over in the middle of a change', () => {
	const four = memberOf(4);

	test.each([
		['a removal', REMOVE, voters(1, 2)],
		['an addition', ADD, voters(1, 2, 3, 4)],
		[
			'a learner',
			[...ADD, '--learner'],
			{ ...voters(1, 2, 3), learners: [{ ...four, promote: true }] },
		],
		['a replacement', REPLACE, voters(1, 2, 4)],
		['a promotion', ['member', 'promote', '--id', '4'], voters(1, 2, 3, 4)],
		[
			'a priority',
			['member', 'priority', '--id', '3', '--priority', '7'],
			{ voters: [memberOf(1), memberOf(2), memberOf(3, { priority: 7 })] },
		],
	])('%s that is there is done', async (_what, command, after) => {
		const ended = await told(command, lost(voters(1, 2, 3), after));
		expect(ended).toMatchObject({ code: 0, error: '', said: '' });
		const ids = after.voters.map((member) => (member as { id: number }).id);
		const listed = ended.stdout
			.split('\n')
			.filter((line) => line.endsWith('voter') || /priority 7$/.test(line));
		expect(listed.map((line) => Number(line.split('\t')[0]))).toEqual(ids);
	});

	test.each([
		['a removal', REMOVE, voters(1, 2, 3)],
		['an addition', ADD, voters(1, 2, 3)],
		['one that has another address', ADD, { voters: [memberOf(4, { address: '127.0.0.1:9' })] }],
		['one that only learns', ADD, { ...voters(1, 2, 3), learners: [four] }],
		['a replacement of somebody else', REPLACE, voters(1, 2, 3, 4)],
		['a promotion', ['member', 'promote', '--id', '4'], { ...voters(1, 2), learners: [four] }],
		['a usual priority', ['member', 'priority', '--id', '3', '--priority', '7'], voters(1, 2, 3)],
	])('%s that isn’t there is not done', async (_what, command, after) => {
		// Of one that has another address the only voter must answer.
		const present =
			after.voters.length === 1
				? { ...after, voters: [...after.voters, memberOf(1), memberOf(2)] }
				: after;
		const ended = await told(command, lost(voters(1, 2, 3), present));
		const why = 'it is not done, replica 2 leads, and no change is under way: run it again';
		expect(ended).toMatchObject({ code: 1, stdout: '', said: '', error: why });
	});
});

test('a change whose leader says that it doesn’t know, and which goes on, is waited for', async () => {
	const answer = { ok: false, code: 'UNKNOWN_OUTCOME', message: 'it is not known: no more' };
	const cluster = clusterOf(voters(1, 2, 3), {
		change: (guest) => {
			guest.send(MessageFrameKind.adminReply, {}, JSON.stringify(answer));
			cluster.members = { ...voters(1, 2), isPending: true };
			setTimeout(() => Object.assign(cluster, { members: voters(1, 2) }), 500);
		},
	});
	const ended = await told(REMOVE, cluster);
	expect(ended).toMatchObject({ code: 0, error: '', said: '' });
	expect(ended.stdout).not.toContain('under way');
});

test.each([
	['nothing of a new leader’s term is committed', { last: 10, committed: 9 }],
	['a change is under way for ever', { members: { ...voters(1, 2, 3), isPending: true } }],
	['no majority can be asked', { members: voters(1, 2, 3, 4, 5, 6) }],
	['nobody leads', { leader: 0 }],
])('it is not known while %s', async (_what, after) => {
	const cluster = clusterOf(voters(1, 2, 3), {
		change: (guest) => {
			Object.assign(cluster, { leader: 2, term: 2, ...after });
			guest.connection.close();
		},
	});
	const ended = await told(REMOVE, cluster, '1');
	const why = 'whether it was done is not known: nobody could tell within 1 s';
	expect(ended).toMatchObject({ code: 1, stdout: '', said: '', error: why });
});

test.each([
	['to the one that was named', ['--to', '2'], 0, 'replica 2 leads\n', ''],
	['to whoever suits best', [], 0, 'replica 2 leads\n', ''],
	[
		'to somebody else',
		['--to', '3'],
		1,
		'',
		'it is not done, replica 2 leads, and no change is under way: run it again',
	],
])('a transfer without an answer %s', async (_what, more, code, stdout, error) => {
	const ended = await told(['transfer', ...more], lost(voters(1, 2, 3), voters(1, 2, 3)));
	expect(ended).toMatchObject({ code, stdout, error });
});
