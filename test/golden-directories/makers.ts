/** How each golden directory comes about: by clusters of the program as it is now. */
import { BatchKind } from '../../src/format/batch.js';
import type { BatchView } from '../../src/format/batch-view.js';
import { registrationEntry } from '../../src/format/registration.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { batchFrame, memoryOf } from '../format/frames.js';
import { numbered, SnapshotMachine } from '../replica/machines.js';
import { KIB, type Node, SmallWorld } from '../replica/small-world.js';
import { contentsOf, type Files, filesOf, type Golden, OPTIONS, REPLICAS } from './golden.js';

/** Returns each entry's first bytes. */
class ByteMachine extends SnapshotMachine {
	override apply(view: BatchView): never {
		super.apply(view);
		return Array.from({ length: view.count }, (_, i) => view.entry(i).slice(0, 8)) as never;
	}
}

/** Three replicas, and what was proposed to them. */
class Source {
	readonly small: SmallWorld;
	readonly #change: Partial<ReplicaOptions>;
	leader!: Node;
	proposed = 0;

	private constructor(small: SmallWorld, change: Partial<ReplicaOptions>) {
		this.small = small;
		this.#change = change;
	}

	static async open(seed: string, change: Partial<ReplicaOptions> = {}): Promise<Source> {
		const source = new Source(SmallWorld.closed(seed, REPLICAS), change);
		for (let id = 1; id <= REPLICAS; id++) source.small.nodes.push(await source.start(id));
		source.leader = await source.small.leader();
		return source;
	}

	start(id: number): Promise<Node> {
		const stateMachine = new ByteMachine();
		return this.small.start(id, { ...OPTIONS, stateMachine, ...this.#change });
	}

	get followers(): Node[] {
		return this.small.nodes.filter((node) => node !== this.leader);
	}

	/** Proposes entries, a batch each. */
	async grow(count: number, bytes = 100): Promise<void> {
		for (let i = 0; i < count; i++) {
			this.proposed += 1;
			await this.small.world.complete(this.leader.replica.propose(numbered(this.proposed, bytes)));
		}
		await this.small.world.run(20);
	}

	/** Proposes entries that nobody will acknowledge, and waits until the leader has them. */
	async growInVain(count: number): Promise<void> {
		const { replica, parts } = this.leader;
		for (let i = 0; i < count; i++) replica.propose(numbered(-1 - i, 500)).catch(() => {});
		const last = parts.raft.lastIndex + count;
		await this.small.until('they are durable', () => parts.raft.persisted >= last);
	}

	isolate({ machine }: Node): void {
		const { network, machines } = this.small.world;
		const others = machines.filter((other) => other !== machine).map(({ name }) => name);
		network.partition([machine.name], others);
	}

	async addLearner(id: number): Promise<void> {
		const member = { id, address: `r${id}:7000` };
		await this.small.world.complete(this.leader.replica.addMember(member, { promote: false }));
	}

	/** The directory of a replica that ends in order. */
	async closed({ replica, machine }: Node): Promise<Files> {
		await this.small.world.complete(replica.close());
		machine.kill();
		return filesOf(machine);
	}
}

/** A leader was cut off with entries that nobody else had; the others elected another one, which cut them. */
async function truncated(): Promise<Golden> {
	const source = await Source.open('truncated');
	await source.grow(5);
	const { leader: old, small } = source;
	source.isolate(old);
	await source.growInVain(4);
	const others = source.followers;
	await small.until('another one leads', () =>
		others.some(({ parts }) => parts.loop.isReadyLeader),
	);
	source.leader = others.find(({ parts }) => parts.loop.isReadyLeader)!;
	await source.grow(3);
	small.world.network.heal();
	await source.grow(30, 800);
	await small.until('the old one has them', () => hasAll(source, old));
	return golden(old, await source.closed(old));
}

/** Killed with a learner in its log and entries that nobody else has, before it could seal them. */
async function unsealed(): Promise<Golden> {
	const source = await Source.open('unsealed');
	await source.grow(6);
	await source.addLearner(4);
	source.isolate(source.leader);
	await source.growInVain(3);
	source.leader.machine.kill();
	return golden(source.leader, filesOf(source.leader.machine));
}

/** The tail behind a snapshot, in segments that were used before. */
async function recycled(): Promise<Golden> {
	const bounds = { snapshotEveryBytes: 16 * KIB, retainBytes: 8 * KIB };
	const source = await Source.open('recycled', bounds);
	await source.grow(90, 900);
	const [follower] = source.followers;
	if (follower!.parts.log.counters()['segmentsRecycled'] === 0) throw new Error('none is recycled');
	await source.small.until('it has all', () => hasAll(source, follower!));
	return golden(follower!, await source.closed(follower!));
}

/** Never heard of its peers: it knows nothing, and that it knows nothing. */
async function newcomer(): Promise<Golden> {
	const small = SmallWorld.closed('newcomer', REPLICAS);
	const node = await small.start(2, { ...OPTIONS, stateMachine: new SnapshotMachine() });
	await small.world.run(1000);
	await small.world.complete(node.replica.close());
	return golden(node, filesOf(node.machine));
}

/** Its log was damaged: it has set that aside, and goes on from the rest, if its peers ever answer. */
async function damaged(): Promise<Golden> {
	const source = await Source.open('damaged');
	await source.grow(12);
	const [follower] = source.followers;
	await source.closed(follower!);
	const { disk } = follower!.machine;
	const path = disk.fileSystem.files.find((name) => name.endsWith('.segment'))!;
	const at = Buffer.from(disk.bytes(path)).indexOf(numbered(8));
	disk.flipBit(path, at + 50, 3);
	source.isolate(follower!);
	const hurt = await source.start(follower!.id);
	await source.small.world.run(1000);
	return golden(hurt, await source.closed(hurt));
}

/** A snapshot with a session, and members that were changed by an entry that is dropped. */
async function changed(): Promise<Golden> {
	const source = await Source.open('changed', { retainBytes: 0 });
	const { leader, small } = source;
	await source.grow(5);
	const label = { group: 1, kind: BatchKind.entries, term: 0, index: 0, parent: 0, time: 0 };
	const frame = batchFrame([numbered(700)], { ...label, session: 77, sequence: 1 });
	let isApplied = false;
	const applied = () => {
		isApplied = true;
	};
	leader.replica.proposeFrame(memoryOf(frame), 0, frame.length, {
		...{ count: 1, applied, failed: () => {} },
	});
	await small.until('it is applied', () => isApplied);
	await source.addLearner(4);
	await source.grow(150, 300);
	const [follower] = source.followers;
	await small.until('it has all', () => hasAll(source, follower!));
	await small.world.complete(follower!.replica.snapshot());
	await source.grow(4);
	await small.until('it has all of it', () => hasAll(source, follower!));
	return golden(follower!, await source.closed(follower!));
}

/** Sessions that were registered: one that has ended, one whose results are in the snapshot, and one that begins behind it. */
async function sessions(): Promise<Golden> {
	const source = await Source.open('sessions', { retainBytes: 0 });
	const { leader, small } = source;
	const numbers = { group: 1, term: 0, index: 0, parent: 0, time: 0 };
	const send = async (frame: Uint8Array): Promise<number> => {
		let index = 0;
		const applied = (its: number) => {
			index = its;
		};
		const waiter = { count: 1, applied, failed: () => {} };
		leader.replica.proposeFrame(memoryOf(frame), 0, frame.length, waiter);
		await small.until('it is applied', () => index > 0);
		return index;
	};
	const register = (durationMs: number) => {
		const entry = registrationEntry({ durationMs, sessionsMax: 0 });
		const label = { ...numbers, session: 0, sequence: 0, kind: BatchKind.session };
		return send(batchFrame([entry], label));
	};
	const use = (session: number, sequence: number, number: number, waits: number) => {
		const label = { ...numbers, session, sequence, kind: BatchKind.entries, waits };
		return send(batchFrame([numbered(number)], label));
	};
	await register(100);
	const kept = await register(600_000);
	for (const sequence of [1, 2, 3]) await use(kept, sequence, 800 + sequence, sequence - 1);
	await source.grow(30, 300);
	await small.world.run(500);
	const [follower] = source.followers;
	await small.until('it has all', () => hasAll(source, follower!));
	await small.world.complete(follower!.replica.snapshot());
	await use(kept, 4, 804, 1);
	await use(await register(600_000), 1, 900, 0);
	await source.grow(2);
	await small.until('it has all of it', () => hasAll(source, follower!));
	return golden(follower!, await source.closed(follower!));
}

function hasAll({ leader }: Source, { parts }: Node): boolean {
	return parts.applier.applied === leader.parts.raft.lastIndex;
}

async function golden({ id }: Node, files: Files): Promise<Golden> {
	return { replica: id, contents: await contentsOf(id, files), files };
}

export const makers: Readonly<Record<string, () => Promise<Golden>>> = {
	truncated,
	unsealed,
	recycled,
	newcomer,
	damaged,
	changed,
	sessions,
};
