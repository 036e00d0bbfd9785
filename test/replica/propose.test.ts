import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
	BadOption,
	Busy,
	NotLeader,
	type ReplicaOptions,
	Stopped,
	TooLarge,
	UnknownOutcome,
} from '../../src/index.js';
import { Proposals } from '../../src/replica/proposals.js';
import { pack } from '../simulation/workload.js';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';

let cluster: Cluster;
afterEach(async () => {
	vi.restoreAllMocks();
	await cluster.close();
});

const KIB = 1024;

/** Small buffers, so that limits are met soon. */
const small: Partial<ReplicaOptions> = {
	limits: {
		slabBytes: 64 * KIB,
		slabsMax: 16,
		batchBytes: 8 * KIB,
		batchEntriesMax: 1024,
		entryBytesMax: 16 * KIB,
		uncommittedBytesMax: 64 * KIB,
		waitingBytesMax: 256 * KIB,
		segmentBytes: 256 * KIB,
		appendBytesMax: 32 * KIB,
		flushBytesMax: 64 * KIB,
	},
};

describe.each([1, 2, 3, 5])('with %i replicas', (count) => {
	it('every replica applies the same entries in the order they were proposed', async () => {
		cluster = await Cluster.open(count);
		const leader = await cluster.leader();
		const proposals = Array.from({ length: 500 }, (_, i) => leader.propose(numbered(i)));
		const done = await Promise.all(proposals);
		const first = done[0]!.index;
		expect(done.map(({ index }) => index)).toEqual(done.map((_, i) => first + i));
		expect(done.map(({ result }) => result)).toEqual(done.map((_, i) => i));
		expect(new Set(done.map(({ term }) => term))).toEqual(new Set([leader.status().term]));
		await cluster.settled();
		const expected = done.map((_, i) => i);
		for (const id of cluster.ids) expect(cluster.machine(id).numbers).toEqual(expected);
	});
});

describe('what may be proposed', () => {
	it('a batch stays together, and gets the results of its own entries', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const before = leader.propose(numbered(0));
		const batch = leader.proposeBatch([numbered(1), numbered(2), numbered(3)]);
		const after = leader.propose(numbered(4));
		const { index } = await before;
		expect(await batch).toEqual({
			index: index + 1,
			term: leader.status().term,
			count: 3,
			results: [1, 2, 3],
		});
		expect((await after).index).toBe(index + 4);
	});

	it('packed entries are entries like others', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const payload = new Uint8Array([...numbered(1), ...numbered(2), 9, ...numbered(3)]);
		const packed = await leader.proposeBatch({ payload, ends: Uint32Array.of(8, 16, 17, 25) });
		expect(packed.count).toBe(4);
		expect(cluster.machine(1).numbers).toEqual([1, 2, -1, 3]);
	});

	it('refuses packed entries that make no sense, and a batch without entries', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const payload = new Uint8Array(8);
		for (const ends of [[], [4], [9], [8, 4], [4, 12]]) {
			const proposal = leader.proposeBatch({ payload, ends: Uint32Array.from(ends) });
			await expect(proposal, String(ends)).rejects.toBeInstanceOf(BadOption);
		}
		await expect(leader.proposeBatch([])).rejects.toBeInstanceOf(BadOption);
		expect(cluster.machine(1).numbers).toEqual([]);
	});

	it('rule 32: empty entries are legal, alone, in batches and in their thousands', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const none = new Uint8Array(0);
		expect((await leader.propose(none)).result).toBe(0);
		expect((await leader.proposeBatch([none, numbered(1), none])).count).toBe(3);
		const packed = { payload: none, ends: new Uint32Array(65_536) };
		expect((await leader.proposeBatch(packed)).count).toBe(65_536);
		await cluster.settled();
		for (const id of cluster.ids) expect(cluster.machine(id).numbers).toHaveLength(65_540);
	});

	it('rule 32: the largest entry is replicated, one byte more is too large', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const { entryBytesMax } = leader.limits;
		await leader.propose(numbered(1, entryBytesMax));
		await leader.proposeBatch([numbered(2, entryBytesMax - 8), numbered(3)]);
		await expect(leader.propose(numbered(4, entryBytesMax + 1))).rejects.toBeInstanceOf(TooLarge);
		await cluster.settled();
		for (const id of cluster.ids) expect(cluster.machine(id).numbers).toEqual([1, 2, 3]);
	});

	it('rule 32: the largest payload in the most entries makes no frame that a follower refuses', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const { entryBytesMax, batchEntriesMax } = leader.limits;
		const payload = new Uint8Array(entryBytesMax);
		const ends = new Uint32Array(batchEntriesMax).fill(entryBytesMax);
		const outcome = await leader.proposeBatch({ payload, ends }).catch((error) => error);
		expect(outcome).toBeInstanceOf(TooLarge);
		const many = { payload: new Uint8Array(0), ends: new Uint32Array(batchEntriesMax + 1) };
		await expect(leader.proposeBatch(many)).rejects.toBeInstanceOf(TooLarge);
		await leader.propose(numbered(1));
		await cluster.settled();
		for (const id of cluster.ids) expect(cluster.machine(id).numbers).toEqual([1]);
	});

	it('the bytes are copied before propose returns', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const entry = numbered(1);
		const proposal = leader.propose(entry);
		entry.fill(0xff);
		await proposal;
		expect(cluster.machine(1).numbers).toEqual([1]);
	});
});

describe('what is refused', () => {
	it('a follower names the leader', async () => {
		cluster = await Cluster.open(3);
		const [follower] = await cluster.followers();
		const leader = await cluster.leader();
		const error = await follower!.propose(numbered(1)).catch((e) => e);
		expect(error).toBeInstanceOf(NotLeader);
		expect(error).toMatchObject({ code: 'NOT_LEADER', leader: leader.id });
		await expect(follower!.proposeBatch([numbered(1)])).rejects.toBeInstanceOf(NotLeader);
	});

	it('a replica without a majority knows no leader', async () => {
		cluster = await Cluster.open(3);
		await cluster.stop(2);
		await cluster.stop(3);
		const alone = cluster.replica(1);
		await until('it knows that it is alone', () => alone.status().leader === 0);
		await expect(alone.propose(numbered(1))).rejects.toMatchObject({ leader: 0 });
	});

	it('rule 30: at the limit proposals are refused with Busy, and later taken again', async () => {
		cluster = await Cluster.open(3, () => small);
		const leader = await cluster.leader();
		const outcomes = await Promise.allSettled(
			Array.from({ length: 200 }, (_, i) => leader.propose(numbered(i, KIB))),
		);
		const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
		const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
		expect(taken).toBeGreaterThan(32);
		expect(taken).toBeLessThan(80);
		for (const { reason } of refused) expect(reason).toBeInstanceOf(Busy);
		await leader.propose(numbered(1000));
		expect(cluster.machine(leader.id).numbers).toHaveLength(taken + 1);
		expect(leader.status().counters['proposedBytes']).toBe(0);
	});

	it("with whenBusy 'wait' they wait, keep their order, and what waits is bounded too", async () => {
		cluster = await Cluster.open(3, () => small);
		const leader = await cluster.leader();
		const outcomes = await Promise.allSettled(
			Array.from({ length: 600 }, (_, i) => leader.propose(numbered(i, KIB), { whenBusy: 'wait' })),
		);
		const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
		// uncommittedBytesMax + waitingBytesMax is room for some 320.
		expect(taken).toBeGreaterThan(280);
		expect(taken).toBeLessThan(330);
		for (const outcome of outcomes.slice(taken)) {
			expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'BUSY' } });
		}
		const { numbers } = cluster.machine(leader.id);
		expect(numbers).toEqual(Array.from({ length: taken }, (_, i) => i));
	});

	it('who waits keeps its place before whatever would fit, however that is called', async () => {
		cluster = await Cluster.open(1, () => small);
		const leader = await cluster.leader();
		const { signal } = new AbortController();
		const wait = { whenBusy: 'wait' } as const;
		const before = Array.from({ length: 55 }, (_, i) => leader.propose(numbered(i, KIB)));
		const calls = [
			leader.propose(numbered(100, 15 * KIB), wait),
			leader.propose(numbered(101), { ...wait, signal }),
			leader.proposeBatch([numbered(102), numbered(103)], wait),
			leader.proposeBatch(pack([numbered(104)]), wait),
			leader.propose(numbered(105), wait),
		];
		await Promise.all([...before, ...calls]);
		const { numbers } = cluster.machine(1);
		expect(numbers.slice(55)).toEqual([100, 101, 102, 103, 104, 105]);
	});

	it('while others wait, what can’t be proposed is refused at once all the same', async () => {
		cluster = await Cluster.open(1, () => small);
		const leader = await cluster.leader();
		const wait = { whenBusy: 'wait' } as const;
		const filling = Array.from({ length: 80 }, (_, i) => leader.propose(numbered(i, KIB), wait));
		const signal = AbortSignal.abort();
		let isTold = false;
		const aborted = leader.propose(numbered(200), { ...wait, signal });
		aborted.catch(() => {
			isTold = true;
		});
		await Promise.resolve();
		await Promise.resolve();
		await Promise.resolve();
		expect(isTold).toBe(true);
		await expect(aborted).rejects.toBe(signal.reason);
		await Promise.all(filling);
		expect(cluster.machine(1).numbers).not.toContain(200);
	});

	it("however many wait for room, each costs a few attempts: the leader isn't kept from leading", async () => {
		cluster = await Cluster.open(1, () => ({
			limits: { ...small.limits, waitingBytesMax: 4096 * KIB },
		}));
		const leader = await cluster.leader();
		const attempts = vi.spyOn(Proposals.prototype, 'add');
		const waiting = Array.from({ length: 2000 }, (_, i) =>
			leader.propose(numbered(i, KIB), { whenBusy: 'wait' }),
		);
		await Promise.all(waiting);
		expect(attempts.mock.calls.length).toBeGreaterThan(1800);
		expect(attempts.mock.calls.length).toBeLessThan(6000);
	});

	it('an aborted proposal says that its outcome is unknown, and may be applied', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const giveUp = new AbortController();
		const proposal = leader.propose(numbered(1), { signal: giveUp.signal });
		giveUp.abort();
		await expect(proposal).rejects.toBeInstanceOf(UnknownOutcome);
		await leader.propose(numbered(2));
		expect(cluster.machine(leader.id).numbers).toEqual([1, 2]);
	});

	it('with a signal that was aborted before, nothing is proposed', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const signal = AbortSignal.abort();
		await expect(leader.propose(numbered(1), { signal })).rejects.toBe(signal.reason);
		await expect(leader.read('last', { signal })).rejects.toBe(signal.reason);
		await leader.propose(numbered(2));
		expect(cluster.machine(1).numbers).toEqual([2]);
	});

	it('one that waits for room and is aborted is never proposed', async () => {
		cluster = await Cluster.open(1, () => small);
		const leader = await cluster.leader();
		const before = Array.from({ length: 60 }, (_, i) => leader.propose(numbered(i, KIB)));
		const giveUp = new AbortController();
		const waiting = Array.from({ length: 10 }, (_, i) =>
			leader.propose(numbered(100 + i, KIB), { whenBusy: 'wait', signal: giveUp.signal }),
		);
		giveUp.abort();
		const outcomes = await Promise.allSettled([...before, ...waiting]);
		expect(outcomes.slice(60).every(({ status }) => status === 'rejected')).toBe(true);
		await leader.propose(numbered(200));
		expect(cluster.machine(1).numbers).not.toContain(109);
	});

	it('one that waits for room again and again listens to its signal once', async () => {
		cluster = await Cluster.open(1, () => small);
		const leader = await cluster.leader();
		const { signal } = new AbortController();
		let most = 0;
		const waiting = Array.from({ length: 200 }, (_, i) =>
			leader.propose(numbered(i, KIB), {
				whenBusy: 'wait',
				...(i === 199 ? { signal } : {}),
			}),
		);
		const watched = waiting.map((proposal) =>
			proposal.then(() => {
				most = Math.max(most, getEventListeners(signal, 'abort').length);
			}),
		);
		await Promise.all(watched);
		expect(most).toBe(1);
		expect(getEventListeners(signal, 'abort')).toHaveLength(0);
	});

	it('when it is closed with nobody to hand over to, what is under way is unknown and the rest is refused', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await Promise.all((await cluster.followers()).map(({ id }) => cluster!.stop(id)));
		const taken = leader.propose(numbered(1));
		// A microtask later it is in the log.
		await Promise.resolve();
		await Promise.resolve();
		const last = leader.propose(numbered(2));
		const outcomes = Promise.allSettled([taken, last]);
		await cluster.stop(leader.id);
		const [first, second] = await outcomes;
		expect(first).toMatchObject({ reason: { code: 'UNKNOWN_OUTCOME' } });
		expect(second).toMatchObject({ reason: expect.any(Stopped) });
		await expect(leader.propose(numbered(3))).rejects.toBeInstanceOf(Stopped);
	});
});
