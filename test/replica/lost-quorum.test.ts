import { describe, expect, it } from 'vitest';
import { DirectoryLocked, RecoveryRefused } from '../../src/errors.js';
import { enterProbation } from '../../src/log/probation-file.js';
import { nextNumber, recoveryFault } from '../../src/replica/forced-recovery.js';
import { LostQuorum, type OtherMember } from '../../src/replica/lost-quorum.js';
import {
	decodeMembers,
	encodeMembers,
	MemberList,
	type Members,
	membersOfBatch,
} from '../../src/replica/members.js';
import { parseAddress } from '../../src/replica/options.js';
import type { ReplicaOptions, ReplicaStatus } from '../../src/replica/types.js';
import { MEMBERS, memoryOf, SAMPLES } from '../format/frames.js';
import { numbered, SnapshotMachine } from './machines.js';
import { KIB, LIMITS, type Node, SmallWorld } from './small-world.js';

const THREE = new Map([1, 2, 3].map((id) => [id, parseAddress(`r${id}:7000`)]));

function openQuorum(small: SmallWorld, id: number, addresses: typeof THREE | null = THREE) {
	const doors = small.world.machine(`r${id}`).start();
	return LostQuorum.open({ doors, directory: '/data', addresses, limits: LIMITS });
}

/** On the machine of this replica, which doesn't run. */
async function recover(small: SmallWorld, id: number, others: readonly OtherMember[] = []) {
	const quorum = await small.world.complete(openQuorum(small, id));
	try {
		return await small.world.complete(quorum.recover(others, 'a test'));
	} finally {
		await small.world.complete(quorum.close());
		small.world.machine(`r${id}`).kill();
	}
}

/** Three replicas that have these entries, all of them crashed then. */
async function crashed(seed: string, entries = 10, options: Partial<ReplicaOptions> = {}) {
	const small = await SmallWorld.open(seed, 3, () => options);
	const leader = await small.leader();
	for (let n = 1; n <= entries; n++)
		await small.world.complete(leader.replica.propose(numbered(n)));
	await small.world.run(300);
	for (const node of small.nodes) node.machine.crash();
	small.nodes.length = 0;
	return small;
}

async function start(small: SmallWorld, id: number, options: Partial<ReplicaOptions> = {}) {
	const node = await small.start(id, options);
	small.nodes.push(node);
	return node;
}

/** Adds a replica that is new. */
async function join(
	small: SmallWorld,
	to: Node,
	id: number,
	options: Partial<ReplicaOptions> = {},
) {
	const address = `r${id}:7000`;
	const peers = { [to.id]: `r${to.id}:7000`, [id]: address };
	const node = await start(small, id, { peers, join: true, ...options });
	await small.world.complete(to.replica.addMember({ id, address }));
	return node;
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

describe('the replica that is left', () => {
	it('goes on alone, with everything that it had, and is the first of a new cluster', async () => {
		const small = await crashed('alone');
		const { index, lost } = await recover(small, 2);
		expect(lost).toEqual([1, 3]);
		const second = await start(small, 2);
		expect(await small.leader()).toBe(second);
		await small.world.complete(second.replica.propose(numbered(11)));
		expect(second.state.numbers).toEqual(upTo(11));
		expect(second.replica.status().members).toMatchObject({
			voters: [{ id: 2, address: 'r2:7000' }],
			removed: [1, 3],
			recovered: { index, by: 'a test', lost: [1, 3] },
		});
		const fourth = await join(small, second, 4);
		const fifth = await join(small, second, 5);
		await small.world.complete(second.replica.propose(numbered(12)));
		await small.until('all have it', () => fourth.state.numbers.length === 12);
		await small.until('all have it', () => fifth.state.numbers.length === 12);
		expect(fifth.replica.status().members.recovered).toMatchObject({ index, lost: [1, 3] });
	});

	it('enters a term that nobody was heard of in, with the entry in it', async () => {
		const small = await crashed('term');
		const status = speaking({ standing: 'asking', term: 2 ** 40 });
		await recover(small, 1, [{ id: 2, status }]);
		const first = await start(small, 1);
		expect(first.parts.log.recovered.term).toBeGreaterThan(2 ** 40);
		const { end, term } = first.parts.log.recovered;
		expect(end.term).toBe(term);
	});

	it('may have had its members from the log, a snapshot, or a change under way', async () => {
		const options = () => ({ stateMachine: new SnapshotMachine(), snapshotEveryBytes: 64 * KIB });
		const small = await SmallWorld.open('members', 3, () => ({ ...options(), retainBytes: 0 }));
		const leader = await small.leader();
		await join(small, leader, 4, options());
		for (let n = 1; n <= 300; n++)
			await small.world.complete(leader.replica.propose(numbered(n, KIB)));
		await small.world.run(300);
		expect(leader.parts.log.base.index).toBeGreaterThan(10);
		for (const node of small.nodes) node.machine.crash();
		const quorum = await small.world.complete(openQuorum(small, 4, null));
		expect(quorum.members.voters.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
		await small.world.complete(quorum.recover([], 'a test'));
		await small.world.complete(quorum.close());
		small.world.machine('r4').kill();
		small.nodes.length = 0;
		const stateMachine = new SnapshotMachine();
		const fourth = await start(small, 4, { ...options(), stateMachine, peers: { 4: 'r4:7000' } });
		await small.leader();
		expect(stateMachine.numbers).toEqual(upTo(300));
		expect(fourth.replica.status().members.voters).toEqual([{ id: 4, address: 'r4:7000' }]);
	});

	it('may be a learner', async () => {
		const small = await SmallWorld.open('learner', 3);
		const leader = await small.leader();
		const peers = { [leader.id]: `r${leader.id}:7000`, 4: 'r4:7000' };
		await start(small, 4, { peers, join: true });
		const learner = { id: 4, address: 'r4:7000' };
		await small.world.complete(leader.replica.addMember(learner, { promote: false }));
		await small.world.complete(leader.replica.propose(numbered(1)));
		await small.world.run(300);
		for (const node of small.nodes) node.machine.crash();
		small.nodes.length = 0;
		await recover(small, 4);
		const alone = await start(small, 4, { peers });
		await small.leader();
		expect(alone.state.numbers).toEqual([1]);
		expect(alone.replica.status().standing).toBe('voter');
	});

	it('is recovered once more, when the cluster that it became is lost as well', async () => {
		const small = await crashed('twice');
		await recover(small, 1);
		const first = await start(small, 1);
		await small.leader();
		await join(small, first, 4);
		await join(small, first, 5);
		await small.world.run(300);
		for (const node of small.nodes) node.machine.crash();
		small.nodes.length = 0;
		const { numbers, lost } = await recover(small, 4);
		expect([numbers.length, lost]).toEqual([2, [1, 5]]);
		const fourth = await start(small, 4, { peers: { 4: 'r4:7000' } });
		await small.leader();
		// Reads of both recoveries in the log, one after the other.
		const sixth = await join(small, fourth, 6);
		await small.until('it has all', () => sixth.state.numbers.length === 10);
		expect(sixth.replica.status().members).toMatchObject({ removed: [2, 3, 1, 5] });
	});
});

/** What a replica says that has nothing and does nothing. */
function speaking(what: Partial<ReplicaStatus>): ReplicaStatus {
	const still = { role: 'follower', leader: 0, term: 1, last: 0, lastTerm: 0, standing: 'voter' };
	return { ...still, stopped: null, ...what } as ReplicaStatus;
}

describe('it is refused', () => {
	it.each<[string, readonly OtherMember[], RegExp | null]>([
		['nobody answers', [], null],
		['a leader answers', [{ id: 2, status: speaking({ role: 'leader' }) }], /^replica 2 leads/],
		[
			'one answers who follows a leader',
			[{ id: 2, status: speaking({ leader: 3 }) }],
			/^replica 2 follows a leader, replica 3/,
		],
		[
			'one answers who followed this very replica',
			[{ id: 2, status: speaking({ leader: 1, standing: 'asking' }) }],
			null,
		],
		[
			'a majority is there',
			[{ id: 3, status: speaking({}) }],
			/^nothing is lost: replicas 1, 3 are a majority/,
		],
		['the other one is stopped', [{ id: 3, status: speaking({ stopped: 'EIO' }) }], null],
		['the other one is on probation', [{ id: 3, status: speaking({ standing: 'asking' }) }], null],
		[
			'another one has more',
			[{ id: 3, status: speaking({ stopped: 'EIO', last: 999, lastTerm: 1 }) }],
			/^replica 3 has more: its last entry is 999 of term 1, and here/,
		],
		[
			'another one has a later entry',
			[{ id: 3, status: speaking({ standing: 'asking', last: 2, lastTerm: 9 }) }],
			/^replica 3 has more/,
		],
		[
			'another one has more of an earlier term',
			[{ id: 3, status: speaking({ standing: 'asking', last: 999, lastTerm: 0 }) }],
			null,
		],
	])('when %s', async (name, others, expected) => {
		const small = await crashed(name, 2);
		const quorum = await small.world.complete(openQuorum(small, 1));
		expect(quorum.last.term).toBe(1);
		if (expected === null) expect(quorum.refusal(others)).toBeNull();
		else {
			expect(quorum.refusal(others)).toMatch(expected);
			const asked = quorum.recover(others, 'a test');
			await expect(small.world.complete(asked)).rejects.toThrow(RecoveryRefused);
		}
	});

	it('while it runs, on probation, where nobody knows the members, and for who is none', async () => {
		const small = await crashed('unfit', 2);
		const opened = (id: number, addresses: typeof THREE | null = THREE) =>
			small.world.complete(openQuorum(small, id, addresses));
		await start(small, 1);
		await expect(opened(1)).rejects.toThrow(DirectoryLocked);
		await expect(opened(2, null)).rejects.toThrow(/does not say who the members are/);
		const others = new Map([...THREE].filter(([id]) => id !== 2));
		await expect(opened(2, others)).rejects.toThrow(/replica 2 is not a member/);
		const { disk } = small.world.machine('r3').start();
		await small.world.complete(enterProbation(disk, '/data', 'damaged', 'a test'));
		await expect(opened(3)).rejects.toThrow(/on probation: its log was damaged/);
	});

	it('for a group of a host, whose log may end in the journal', async () => {
		const small = await crashed('host', 2);
		const doors = small.world.machine('r1').start();
		await small.world.complete(doors.disk.makeDirectory('/host/groups/1'));
		await small.world.complete(doors.disk.writeSmall('/host/journal.json', new Uint8Array(9)));
		const opened = LostQuorum.open({ doors, directory: '/host/groups/1', addresses: THREE });
		await expect(small.world.complete(opened)).rejects.toThrow(/is a group of the host in \/host/);
	});

	it('a second time: it has a majority then', async () => {
		const small = await crashed('again', 2);
		await recover(small, 1);
		await expect(recover(small, 1)).rejects.toThrow(/nothing is lost: replica 1 is a majority/);
	});
});

describe('who was given up', () => {
	it('is not heard when it comes back, alone or as the majority that it was', async () => {
		const small = await crashed('back');
		await recover(small, 1);
		const lines: string[] = [];
		const first = await start(small, 1, { log: (line) => lines.push(line) });
		await small.leader();
		const second = await start(small, 2);
		const third = await start(small, 3);
		await small.until('they are a cluster of their own', () =>
			[second, third].some(({ parts }) => parts.loop.isReadyLeader),
		);
		await small.world.complete(first.replica.propose(numbered(11)));
		await small.world.run(3000);
		expect(lines.join('\n')).toMatch(/replica 2 was given up when this cluster was recovered/);
		const { role, members } = first.replica.status();
		expect([role, members.voters.length]).toEqual(['leader', 1]);
		expect(first.replica.status().peers).toEqual([]);
		expect(first.state.numbers).toEqual(upTo(11));
		expect(second.state.numbers.length).toBeLessThan(11);
	});

	it('is not heard before the entry is known to be committed either', () => {
		const before: Members = { voters: [], outgoing: [], learners: [], removed: [] };
		const recovered = { numbers: [nextNumber([], 0)], index: 7, time: 0, by: '', lost: [2] };
		const list = new MemberList(before, [
			{ index: 3, members: before },
			{ index: 7, members: { ...before, recovered } },
			{ index: 9, members: { ...before, recovered } },
		]);
		expect(list.since(4).map(({ index }) => index)).toEqual([7, 9]);
		expect(list.since(8).map(({ index }) => index)).toEqual([7, 9]);
	});
});

describe('two that were recovered', () => {
	it('are two clusters: a replica of the one is none of the other', async () => {
		const small = await crashed('split');
		await recover(small, 1);
		await recover(small, 3);
		const lines: string[] = [];
		const first = await start(small, 1);
		const third = await start(small, 3);
		await small.until('both lead', () =>
			[first, third].every(({ parts }) => parts.loop.isReadyLeader),
		);
		const fourth = await join(small, first, 4);
		const fifth = await join(small, third, 5, { log: (line) => lines.push(line) });
		await small.world.complete(first.replica.propose(numbered(100)));
		third.replica.addMember({ id: 4, address: 'r4:7000' }).catch(() => {});
		third.replica.propose(numbered(200)).catch(() => {});
		await small.world.run(3000);
		expect(lines.join('\n')).toMatch(/its cluster was recovered by force in another way/);
		expect(fourth.state.numbers).toEqual([...upTo(10), 100]);
		expect(fifth.replica.status().members.learners).toMatchObject([{ id: 4 }]);
		expect(fifth.replica.status().peers.map(({ id, connected }) => [id, connected])).toEqual([
			[3, true],
			[4, false],
		]);
	});

	it('can tell by the numbers, if one has as many recoveries as the other or more', () => {
		const [a, b] = [nextNumber([], 0.1), nextNumber([], 0.2)];
		const second = nextNumber([a], 0.5);
		const isFault = (theirs: number, own: readonly number[]) => recoveryFault(theirs, own) !== null;
		// Who joins has none yet, or some of them, or more.
		expect([isFault(0, [a, second]), isFault(a, [a, second]), isFault(second, [a])]).toEqual([
			false,
			false,
			false,
		]);
		expect([isFault(b, [a]), isFault(b, [a, second]), isFault(second, [a, second])]).toEqual([
			true,
			true,
			false,
		]);
	});

	it('are in the golden bytes of a configuration', () => {
		const frame = SAMPLES['batch-configuration']!;
		expect(membersOfBatch(memoryOf(frame), 0)).toEqual(MEMBERS);
	});

	it('a configuration says nothing of recoveries that makes no sense', () => {
		const members = {
			voters: [{ id: 1, address: 'a:1' }],
			outgoing: [],
			learners: [],
			removed: [],
		};
		const good = { numbers: [nextNumber([], 0)], index: 7, time: 5, by: 'x', lost: [2] };
		const read = (recovered: unknown) =>
			decodeMembers(encodeMembers({ ...members, recovered } as Members));
		expect(read(good)?.recovered).toEqual(good);
		for (const bad of [
			...[true, null, [], 'x'],
			{ ...good, numbers: [] },
			{ ...good, numbers: [1] },
			{ ...good, numbers: Array(200).fill(good.numbers[0]) },
			{ ...good, index: 1.5 },
			{ ...good, by: 'x'.repeat(300) },
			{ ...good, lost: ['2'] },
		])
			expect(read(bad)).toBeNull();
	});
});

it.each(['crash', 'kill'] as const)(
	'a recovery that is cut at any event has happened or not, and can be done again: %s',
	async (how) => {
		const seen = { before: 0, after: 0 };
		for (let events = 0; ; events += 3) {
			const small = await crashed(`cut ${events}`, 3);
			const machine = small.world.machine('r1');
			let isOver = false;
			const attempt = async () => {
				const quorum = await openQuorum(small, 1);
				await quorum.recover([], 'a test');
				isOver = true;
				await quorum.close();
			};
			attempt().catch(() => {});
			let passed = 0;
			await small.world.until(() => isOver || passed++ === events, 5000);
			const wasOver = isOver;
			machine[how]();
			const quorum = await small.world.complete(openQuorum(small, 1));
			const isAfter = quorum.members.recovered !== undefined;
			await small.world.complete(quorum.close());
			machine.kill();
			if (wasOver) expect(isAfter).toBe(true);
			seen[isAfter ? 'after' : 'before'] += 1;
			if (!isAfter) await recover(small, 1);
			const first = await start(small, 1);
			await small.leader();
			expect(first.state.numbers).toEqual(upTo(3));
			if (wasOver) break;
		}
		expect(seen.before).toBeGreaterThan(5);
		expect(seen.after).toBeGreaterThan(0);
	},
);
