import { expect, it } from 'vitest';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { numbered, SnapshotMachine } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';

const EVERY_BYTES = 128 * KIB;

/** Three replicas whose state machines have snapshots, by id: each life has a new one. */
class Snapshotting {
	readonly machines = new Map<number, SnapshotMachine>();
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
		return { stateMachine, ...bounds, ...this.change };
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
