import { expect, it } from 'vitest';
import { BadOption, Compacted, StateMachineFailed } from '../../src/errors.js';
import { BatchKind } from '../../src/format/batch.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { batchFrame, memoryOf } from '../format/frames.js';
import { numbered, SnapshotMachine } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';

const EVERY_BYTES = 128 * KIB;

/** Three replicas whose state machines have snapshots, by id: each life has a new one. */
class Snapshotting {
	readonly machines = new Map<number, SnapshotMachine>();
	/** What all replicas said to their logs. */
	readonly lines: string[] = [];
	readonly change: Partial<ReplicaOptions>;
	small!: SmallWorld;
	leader!: Node;
	#proposed = 0;

	private constructor(change: Partial<ReplicaOptions>) {
		this.change = change;
	}

	static async open(seed: string, change: Partial<ReplicaOptions> = {}): Promise<Snapshotting> {
		const world = new Snapshotting(change);
		world.small = await SmallWorld.open(seed, 3, (id) => world.options(id));
		world.leader = await world.small.leader();
		return world;
	}

	options(id: number): Partial<ReplicaOptions> {
		const stateMachine = new SnapshotMachine();
		this.machines.set(id, stateMachine);
		const bounds = { snapshotEveryBytes: EVERY_BYTES, retainBytes: 0 };
		const log = (line: string) => this.lines.push(`${id}: ${line}`);
		return { stateMachine, log, ...bounds, ...this.change };
	}

	get followers(): Node[] {
		return this.small.nodes.filter((node) => node !== this.leader);
	}

	/** Proposes so many KiB through the leader. */
	async grow(kibibytes: number): Promise<void> {
		for (let i = 0; i < kibibytes; i += 4) {
			const four = [0, 1, 2, 3].map(() => {
				this.#proposed += 1;
				return this.leader.replica.propose(numbered(this.#proposed, KIB));
			});
			await this.small.world.complete(Promise.all(four));
		}
		await this.small.world.run(100);
	}

	async restart(id: number): Promise<Node> {
		const node = await this.small.start(id, this.options(id));
		this.small.nodes[id - 1] = node;
		return node;
	}

	/** Everybody has applied everything, in order, each entry once. */
	async settle(): Promise<void> {
		const all = Array.from({ length: this.#proposed }, (_, i) => i + 1);
		await this.small.until('all have everything', () =>
			this.small.nodes.every(({ id }) => this.machines.get(id)!.numbers.length >= all.length),
		);
		for (const { id } of this.small.nodes) expect(this.machines.get(id)!.numbers).toEqual(all);
	}
}

it('a snapshot is taken by policy, and the log behind it is dropped', async () => {
	const world = await Snapshotting.open('policy');
	await world.grow(2000);
	for (const { replica, parts } of world.small.nodes) {
		const { snapshot, first, last } = replica.status();
		expect(snapshot.index).toBeGreaterThan(last - 400);
		expect(first).toBeLessThanOrEqual(snapshot.index + 1);
		expect(first).toBeGreaterThan(last - 600);
		expect(parts.log.liveBytes).toBeLessThanOrEqual(EVERY_BYTES + 4 * 64 * KIB);
	}
	await world.settle();
});

it('a restart is the snapshot and the log behind it', async () => {
	const world = await Snapshotting.open('restart');
	await world.grow(500);
	const [follower] = world.followers;
	follower!.machine.crash();
	await world.grow(20);
	const { id } = follower!;
	await world.restart(id);
	await world.settle();
	expect(world.machines.get(id)!.restored).toHaveLength(1);
});

it('a replica that was wiped, or away for long, comes back by a snapshot', async () => {
	const world = await Snapshotting.open('wiped');
	await world.grow(300);
	const [first, second] = world.followers;
	first!.machine.crash();
	await world.small.world.run(3000);
	await world.grow(1000);
	expect(world.leader.parts.log.base.index).toBeGreaterThan(first!.parts.raft.lastIndex);
	await world.restart(first!.id);
	await world.settle();
	expect(world.machines.get(first!.id)!.restored.length).toBeGreaterThan(0);
	second!.machine.crash();
	second!.machine.disk.fileSystem.wipe();
	await world.grow(300);
	const back = await world.restart(second!.id);
	await world.small.until('it is a voter', () => back.replica.status().standing === 'voter');
	await world.settle();
	expect(back.parts.log.base.index).toBeGreaterThan(0);
});

/** One replica is away for longer than the log is kept, and comes back; its snapshot takes seconds. */
async function returning(seed: string): Promise<{ world: Snapshotting; id: number }> {
	const world = await Snapshotting.open(seed, { snapshotBytesPerSecond: 5000 });
	await world.grow(300);
	const { id, machine } = world.followers[0]!;
	machine.crash();
	await world.small.world.run(3000);
	await world.grow(1000);
	await world.restart(id);
	const { replica } = world.small.nodes[id - 1]!;
	await world.small.until('some of it is there', () => {
		const receiving = replica.status().snapshot.receiving;
		return receiving !== null && receiving.bytes > receiving.total / 3;
	});
	return { world, id };
}

const taken = ({ lines }: Snapshotting) =>
	lines.filter((line) => line.includes(': takes a snapshot'));

it('rule 13: a snapshot that is slower than the load goes on, whatever newer one there is, and heartbeats with it', async () => {
	const { world, id } = await returning('slow');
	const { leader, small } = world;
	const { term } = leader.replica.status();
	const { index, total } = leader.replica.status().peers.find((peer) => peer.id === id)!.snapshot!;
	expect(total).toBeGreaterThan(5000);
	// Several newer ones are taken meanwhile.
	await world.grow(240);
	expect(leader.replica.status().snapshot.index).toBeGreaterThan(index);
	expect(small.nodes[id - 1]!.replica.status().snapshot.receiving).toMatchObject({ index, total });
	expect(leader.parts.log.base.index).toBeLessThanOrEqual(index);
	await world.settle();
	// Its own old one at the start, and this one.
	expect(world.machines.get(id)!.restored.slice(1)).toEqual([index]);
	expect(taken(world)).toHaveLength(1);
	expect(leader.replica.status()).toMatchObject({ role: 'leader', term });
	await world.grow(160);
	// Nobody holds anything back any more.
	expect(leader.replica.status().peers.map(({ snapshot }) => snapshot)).toEqual([null, null]);
	expect(leader.parts.log.base.index).toBeGreaterThan(index);
});

it('rule 13: a broken connection and a restart cost what was on its way, and no more', async () => {
	const { world, id } = await returning('resumed');
	const { leader, small } = world;
	small.world.network.cut(`r${leader.id}`, `r${id}`);
	await small.world.run(500);
	small.nodes[id - 1]!.machine.kill();
	await world.restart(id);
	await world.settle();
	const had = taken(world).map((line) => /has (\d+) of (\d+)/.exec(line)!.slice(1).map(Number));
	expect(had).toHaveLength(2);
	expect(had[1]![0]).toBeGreaterThan(had[1]![1]! / 4);
	expect(world.machines.get(id)!.restored).toHaveLength(2);
});

it('rule 22: what a full disk would not sync is removed and fetched again', async () => {
	const { world, id } = await returning('full');
	const { disk } = world.small.nodes[id - 1]!.machine;
	disk.failNext('sync', 'ENOSPC', { path: '.receiving' });
	await world.settle();
	expect(world.lines.filter((line) => line.includes('be written: sync'))).toHaveLength(1);
	const had = taken(world).map((line) => /has (\d+) of/.exec(line)![1]);
	expect(had).toEqual(['0', '0']);
	expect(world.machines.get(id)!.restored).toHaveLength(2);
});

it('rule 30: the log is bounded under endless load, while somebody is away and while a snapshot is sent', async () => {
	const { world } = await returning('endless');
	for (let i = 0; i < 12; i++) {
		await world.grow(200);
		for (const { parts } of world.small.nodes) {
			expect(parts.log.liveBytes).toBeLessThanOrEqual(4 * EVERY_BYTES + 3 * 64 * KIB);
		}
	}
	await world.settle();
});

it('rule 19: a batch of a session that only the snapshot remembers is not applied again', async () => {
	const world = await Snapshotting.open('session');
	const label = { group: 1, kind: BatchKind.entries, term: 0, index: 0, parent: 0, time: 0 };
	const frame = batchFrame([numbered(7)], { ...label, session: 77, sequence: 1 });
	const memory = memoryOf(frame);
	const indexes: number[] = [];
	const waiter = { count: 1, applied: (index: number) => indexes.push(index), failed: () => {} };
	const propose = () => world.leader.replica.proposeFrame(memory, 0, frame.length, waiter);
	expect(propose()).toBe('taken');
	await world.small.until('it is applied', () => indexes.length === 1);
	await world.grow(600);
	for (const { id, machine } of world.small.nodes) {
		machine.crash();
		await world.restart(id);
	}
	world.leader = await world.small.leader();
	expect(world.leader.parts.log.base.index).toBeGreaterThan(indexes[0]!);
	await world.grow(4);
	expect(propose()).toBe('taken');
	await world.small.until('it is answered', () => indexes.length === 2);
	expect(indexes).toEqual([indexes[0], indexes[0]]);
	for (const { numbers } of world.machines.values())
		expect(numbers.filter((number) => number === 7)).toHaveLength(2);
});

it('rule 33: a state machine that fails in a snapshot, or to restore one, stops its replica', async () => {
	const world = await Snapshotting.open('throws');
	const [first, second] = world.followers;
	world.machines.get(first!.id)!.pause = () => {
		throw new Error('no chunk');
	};
	await world.grow(300);
	expect(first!.replica.stopped?.cause).toBeInstanceOf(StateMachineFailed);
	expect(first!.replica.stopped?.message).toContain('no chunk');
	second!.machine.crash();
	const options = world.options(second!.id);
	world.machines.get(second!.id)!.pause = () => {
		throw new Error('no room');
	};
	const again = await world.small.start(second!.id, options);
	await world.small.world.run(200);
	expect(again.replica.stopped?.message).toContain('no room');
	expect(world.leader.replica.stopped).toBeNull();
});

it('by call: on any replica, once for what is there already', async () => {
	const world = await Snapshotting.open('call', { snapshotEveryBytes: 1e9 });
	await world.grow(40);
	const [follower] = world.followers;
	const { replica } = follower!;
	const snapshot = await world.small.world.complete(replica.snapshot());
	expect(snapshot.index).toBe(replica.status().applied);
	expect(replica.status().snapshot).toMatchObject({ ...snapshot, isFull: true, takenBytes: null });
	expect(await world.small.world.complete(replica.snapshot())).toEqual(snapshot);
	const tail = replica.tail({ from: 1, follow: false });
	expect((await world.small.world.complete(tail.next())).value).toMatchObject({ index: 2 });
	await world.grow(200);
	await world.small.world.complete(replica.snapshot());
	await world.small.world.run(100);
	const late = replica.tail({ from: 1 });
	await expect(world.small.world.complete(late.next())).rejects.toThrow(Compacted);
});

it('a state machine has both methods or none, and without them there is nothing to call', async () => {
	const half = { apply: () => undefined, snapshot: () => [] };
	const world = await SmallWorld.open('none', 1);
	await expect(world.nodes[0]!.replica.snapshot()).rejects.toThrow(BadOption);
	await expect(SmallWorld.open('half', 1, () => ({ stateMachine: half }))).rejects.toThrow(
		BadOption,
	);
});

it('one that keeps its state: what it has is noted, and only a follower’s need makes a snapshot of all', async () => {
	const kept = new Map<number, number>();
	const world = await Snapshotting.open('kept');
	const keep = (id: number): Partial<ReplicaOptions> => {
		const options = world.options(id);
		const machine = world.machines.get(id)!;
		const stateMachine = {
			open: () => kept.get(id) ?? 0,
			apply: (batch: Parameters<SnapshotMachine['apply']>[0]) => {
				const results = machine.apply(batch);
				kept.set(id, batch.lastIndex);
				return results;
			},
			snapshot: () => machine.snapshot(),
			restore: async (chunks: AsyncIterable<Uint8Array>, index: number) => {
				await machine.restore(chunks, index);
				kept.set(id, index);
			},
		};
		return { ...options, stateMachine };
	};
	for (const { id, machine } of world.small.nodes) {
		machine.crash();
		machine.disk.fileSystem.wipe();
		world.small.nodes[id - 1] = await world.small.start(id, keep(id));
	}
	world.leader = await world.small.leader();
	await world.grow(600);
	for (const { replica } of world.small.nodes) {
		expect(replica.status().snapshot).toMatchObject({ isFull: false });
		expect(replica.status().first).toBeGreaterThan(1);
	}
	const { id, machine } = world.followers[0]!;
	machine.crash();
	machine.disk.fileSystem.wipe();
	kept.delete(id);
	await world.grow(100);
	world.small.nodes[id - 1] = await world.small.start(id, keep(id));
	await world.settle();
	expect(world.machines.get(id)!.restored).toHaveLength(1);
	expect(kept.get(id)).toBe(world.small.nodes[id - 1]!.replica.status().applied);
});
