import { open, type ReplicaParts } from '../../src/replica/open.js';
import type { Replica } from '../../src/replica/replica.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { VERSIONS } from '../../src/transport/versions.js';
import { type Machine, type ProcessDoors, World } from '../simulation/world.js';
import { NumberMachine } from './machines.js';

export const KIB = 1024;

/** Small enough that a test fills several segments in no time. */
export const LIMITS = {
	slabBytes: 32 * KIB,
	batchBytes: 4 * KIB,
	batchEntriesMax: 1000,
	entryBytesMax: 8 * KIB,
	uncommittedBytesMax: 128 * KIB,
	tailBytesMax: 1,
	segmentBytes: 64 * KIB,
	segmentsAhead: 1,
	freeBytesMin: 4096,
};

/** One replica in a small world. */
export interface Node {
	readonly id: number;
	readonly machine: Machine;
	readonly doors: ProcessDoors;
	readonly replica: Replica;
	readonly parts: ReplicaParts;
	readonly state: NumberMachine;
}

/** Replicas on simulated doors, in virtual time: what is about time and failing disks is exact here. */
export class SmallWorld {
	readonly world: World;
	readonly nodes: Node[] = [];
	readonly #count: number;

	private constructor(seed: string, count: number) {
		this.world = new World(seed);
		this.#count = count;
	}

	static async open(
		seed: string,
		count: number,
		change: (id: number) => Partial<ReplicaOptions> = () => ({}),
	): Promise<SmallWorld> {
		const small = new SmallWorld(seed, count);
		for (let id = 1; id <= count; id++) small.nodes.push(await small.start(id, change(id)));
		return small;
	}

	/** None of the replicas is open yet. */
	static closed(seed: string, count: number): SmallWorld {
		return new SmallWorld(seed, count);
	}

	/** A new life of a replica; its state machine is a new one, if not said otherwise. */
	async start(
		id: number,
		change: Partial<ReplicaOptions> = {},
		versions = VERSIONS,
	): Promise<Node> {
		const machine = this.world.machine(`r${id}`);
		const doors = machine.start();
		const peers = Object.fromEntries(
			Array.from({ length: this.#count }, (_, i) => [i + 1, `r${i + 1}:7000`]),
		);
		const state = new NumberMachine();
		const { limits, ...rest } = change;
		let parts: ReplicaParts | undefined;
		const replica = await this.world.complete(
			open(
				{ id, dir: '/data', peers, stateMachine: state, ...rest, limits: { ...LIMITS, ...limits } },
				doors,
				(assembled) => {
					parts = assembled;
				},
				versions,
			),
		);
		return { id, machine, doors, replica, parts: parts!, state };
	}

	/** The replica that leads, and can serve. */
	async leader(): Promise<Node> {
		let leader: Node | undefined;
		await this.until('a leader', () => {
			leader = this.nodes.find(({ parts }) => parts.loop.isReadyLeader);
			return leader !== undefined;
		});
		return leader!;
	}

	async until(what: string, condition: () => boolean, withinMs = 60_000): Promise<void> {
		if (!(await this.world.until(condition, withinMs))) throw new Error(`waited in vain: ${what}`);
	}
}
