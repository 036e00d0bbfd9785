import { afterEach, describe, expect, it } from 'vitest';
import { Compacted, type Entry, type ReplicaOptions, Stopped } from '../../src/index.js';
import { Cluster, until } from './cluster.js';
import { numbered, numberOf } from './machines.js';

let cluster: Cluster;
afterEach(() => cluster.close());

const KIB = 1024;

const smallSegments: Partial<ReplicaOptions> = {
	limits: {
		slabBytes: 64 * KIB,
		slabsMax: 24,
		batchBytes: 8 * KIB,
		batchEntriesMax: 1024,
		entryBytesMax: 16 * KIB,
		uncommittedBytesMax: 256 * KIB,
		segmentBytes: 128 * KIB,
		appendBytesMax: 32 * KIB,
		flushBytesMax: 64 * KIB,
		tailBytesMax: 64 * KIB,
	},
};

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

async function collect(entries: AsyncIterable<Entry>, count = Number.POSITIVE_INFINITY) {
	const found: Entry[] = [];
	for await (const entry of entries) {
		found.push(entry);
		if (found.length === count) break;
	}
	return found;
}

const numbersOf = (entries: readonly Entry[]) => entries.map(({ data }) => numberOf(data));

describe('tail', () => {
	it('gives every committed entry once, in order, on every replica', async () => {
		cluster = await Cluster.open(3, () => smallSegments);
		const leader = await cluster.leader();
		for (let i = 0; i < 2000; i += 100) {
			await Promise.all(range(i, i + 100).map((n) => leader.propose(numbered(n, 300))));
		}
		await cluster.settled();
		for (const replica of cluster.replicas.values()) {
			const entries = await collect(replica.tail({ follow: false }));
			expect(numbersOf(entries)).toEqual(range(0, 2000));
			expect(entries.map(({ index }) => index)).toEqual(cluster.machine(replica.id).indexes);
			for (const { time, term } of entries) {
				expect(time).toBeGreaterThan(1.6e12);
				expect(term).toBe(leader.status().term);
			}
		}
	});

	it('begins within a batch where it is asked to', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const { index } = await leader.proposeBatch(range(0, 10).map((n) => numbered(n)));
		const entries = await collect(leader.tail({ from: index + 7, follow: false }));
		expect(numbersOf(entries)).toEqual([7, 8, 9]);
		expect(entries[0]!.index).toBe(index + 7);
	});

	it('follows live, on a follower too, while entries come', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const [follower] = await cluster.followers();
		const tails = [leader, follower!].map((replica) => collect(replica.tail(), 500));
		for (const n of range(0, 500)) await leader.propose(numbered(n));
		for (const tail of tails) expect(numbersOf(await tail)).toEqual(range(0, 500));
	});

	it('ends in order when its signal says so, also while it waits', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		await leader.propose(numbered(1));
		const giveUp = new AbortController();
		const tail = leader.tail({ signal: giveUp.signal });
		expect((await tail.next()).value).toMatchObject({ data: numbered(1) });
		const waiting = tail.next();
		giveUp.abort();
		expect(await waiting).toEqual({ done: true, value: undefined });
		expect(await collect(leader.tail({ signal: AbortSignal.abort() }))).toEqual([]);
	});

	it('ends with the error of its replica when that is closed', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const waiting = leader.tail().next();
		const ended = expect(waiting).rejects.toBeInstanceOf(Stopped);
		await cluster.stop(1);
		await ended;
		await expect(leader.tail().next()).rejects.toBeInstanceOf(Stopped);
	});

	it('goes on across a restart from the index where it was', async () => {
		cluster = await Cluster.open(1, () => smallSegments);
		const leader = await cluster.leader();
		for (const n of range(0, 50)) await leader.propose(numbered(n));
		const before = await collect(leader.tail(), 30);
		await cluster.stop(1);
		await cluster.start(1);
		const again = await cluster.leader();
		await again.propose(numbered(50));
		const after = await collect(again.tail({ from: before.at(-1)!.index + 1, follow: false }));
		expect(numbersOf([...before, ...after])).toEqual(range(0, 51));
	});
});

describe('retainBytes', () => {
	it('recycles segments, and what lies before is Compacted', async () => {
		cluster = await Cluster.open(3, () => ({ ...smallSegments, retainBytes: 256 * KIB }));
		const leader = await cluster.leader();
		for (let i = 0; i < 20; i++) {
			await Promise.all(range(0, 100).map((n) => leader.propose(numbered(i * 100 + n, KIB))));
		}
		await cluster.settled();
		for (const replica of cluster.replicas.values()) {
			const { first, last } = replica.status();
			expect(first).toBeGreaterThan(500);
			expect(last).toBeGreaterThan(2000);
			const error = await collect(replica.tail({ from: 1 })).catch((e) => e);
			expect(error).toBeInstanceOf(Compacted);
			expect(error).toMatchObject({ first });
			const kept = await collect(replica.tail({ from: first, follow: false }));
			expect(numbersOf(kept)).toEqual(range(2000 - kept.length, 2000));
		}
	});

	it('tells who needs what is not kept any more', async () => {
		cluster = await Cluster.open(3, () => ({ ...smallSegments, retainBytes: 128 * KIB }));
		const [away] = await cluster.followers();
		await cluster.stop(away!.id);
		const leader = await cluster.leader();
		const told: number[] = [];
		leader.on('peer-behind', (peer) => told.push(peer));
		for (let i = 0; i < 10; i++) {
			await Promise.all(range(0, 100).map((n) => leader.propose(numbered(n, KIB))));
		}
		await cluster.start(away!.id);
		await until('the event', () => told.length > 0);
		await leader.propose(numbered(1));
		expect(told).toEqual([away!.id]);
	});
});
