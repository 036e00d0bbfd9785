import { afterEach, describe, expect, it } from 'vitest';
import type { ReplicaOptions } from '../../src/index.js';
import { Cluster, until } from './cluster.js';
import { NumberMachine, numbered } from './machines.js';

let cluster: Cluster;
afterEach(() => cluster.close());

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Keeps what it holds when its replica is closed, as one on disk would. */
class KeptMachine extends NumberMachine {
	held = 0;

	open(): number {
		return this.held;
	}

	override apply(batch: Parameters<NumberMachine['apply']>[0]): number[] {
		const results = super.apply(batch);
		this.held = batch.lastIndex;
		return results;
	}
}

describe('a restart', () => {
	it.each([1, 3])('of all %i replicas rebuilds what was in memory', async (count) => {
		cluster = await Cluster.open(count);
		for (const round of range(0, 3)) {
			const leader = await cluster.leader();
			await Promise.all(range(0, 200).map((n) => leader.propose(numbered(round * 200 + n))));
			await Promise.all(cluster.ids.map((id) => cluster.stop(id)));
			await Promise.all(cluster.ids.map((id) => cluster.start(id)));
		}
		const leader = await cluster.leader();
		expect(await leader.read('count')).toBe(600);
		await cluster.settled();
		for (const id of cluster.ids) expect(cluster.machine(id).numbers).toEqual(range(0, 600));
	});

	it('gives a state machine that holds its applied index only what it lacks', async () => {
		const kept = new KeptMachine();
		cluster = await Cluster.open(3, (id) => (id === 1 ? { stateMachine: kept } : {}));
		const first = await cluster.leader();
		await Promise.all(range(0, 100).map((n) => first.propose(numbered(n))));
		await cluster.settled();
		const { held } = kept;
		await cluster.stop(1);
		const second = await cluster.leader();
		await Promise.all(range(100, 150).map((n) => second.propose(numbered(n))));
		await cluster.start(1);
		await until('it has applied what it lacked', () => kept.numbers.length === 150);
		expect(kept.numbers).toEqual(range(0, 150));
		expect(kept.indexes.filter((index) => index > held)).toHaveLength(50);
	});

	it('refuses a state machine that holds more than the log, and closes it', async () => {
		const kept = new KeptMachine();
		cluster = await Cluster.open(1, () => ({ stateMachine: kept }));
		await (await cluster.leader()).propose(numbered(1));
		await cluster.stop(1);
		kept.held += 1000;
		kept.isClosed = false;
		await expect(cluster.start(1)).rejects.toMatchObject({ code: 'STATE_MACHINE' });
		expect(kept.isClosed).toBe(true);
		kept.held -= 1000;
		await cluster.start(1);
	});
});

describe('a follower that was away', () => {
	const KIB = 1024;
	const small: Partial<ReplicaOptions> = {
		limits: {
			slabBytes: 256 * KIB,
			slabsMax: 24,
			batchBytes: 32 * KIB,
			batchEntriesMax: 4096,
			entryBytesMax: 64 * KIB,
			uncommittedBytesMax: 1024 * KIB,
			segmentBytes: 512 * KIB,
			appendBytesMax: 64 * KIB,
			flushBytesMax: 256 * KIB,
			tailBytesMax: 128 * KIB,
		},
	};

	it('catches up from old segments while the load goes on', async () => {
		cluster = await Cluster.open(3, () => small);
		const [away] = await cluster.followers();
		await cluster.stop(away!.id);
		const leader = await cluster.leader();
		let next = 0;
		const round = () => Promise.all(range(0, 200).map(() => leader.propose(numbered(next++, KIB))));
		for (let i = 0; i < 20; i++) await round();
		expect(leader.status().counters['windowBytes']).toBeLessThan(2 * 1024 * KIB);
		let isOver = false;
		const load = (async () => {
			while (!isOver) await round();
		})();
		const back = await cluster.start(away!.id);
		await until('it has what was there', () => back.status().applied > 4000);
		isOver = true;
		await load;
		await cluster.settled();
		for (const id of cluster.ids) expect(cluster.machine(id).numbers).toEqual(range(0, next));
		const { receivedBytes, movedBytes } = back.status().counters;
		expect(receivedBytes).toBeGreaterThan(4000 * KIB);
		// At most the beginning of one batch for each slab, wherever the reads happen to end.
		const { batchBytes, slabBytes } = small.limits!;
		expect(movedBytes! / receivedBytes!).toBeLessThan((1.1 * batchBytes!) / slabBytes!);
	});
});

describe('what a follower receives', () => {
	it('stays where it was read: less than a hundredth of it is moved', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const payload = new Uint8Array(64 * 1024);
		const ends = Uint32Array.from(range(1, 257), (i) => i * 256);
		for (let i = 0; i < 50; i++) {
			await Promise.all(range(0, 10).map(() => leader.proposeBatch({ payload, ends })));
		}
		await cluster.settled();
		for (const follower of await cluster.followers()) {
			const { receivedBytes, movedBytes } = follower.status().counters;
			expect(receivedBytes).toBeGreaterThan(500 * 64 * 1024);
			expect(movedBytes! / receivedBytes!).toBeLessThan(0.01);
		}
	});
});
