import { Host } from '../../src/host/host.js';
import type { Replica } from '../../src/replica/replica.js';
import { NumberMachine } from '../replica/machines.js';
import type { ProcessDoors } from '../simulation/world.js';
import { World } from '../simulation/world.js';

const KIB = 1024;

/** Small enough that a test fills segments and the journal in no time. */
const LIMITS = {
	slabBytes: 32 * KIB,
	batchBytes: 4 * KIB,
	batchEntriesMax: 1000,
	entryBytesMax: 8 * KIB,
	uncommittedBytesMax: 128 * KIB,
	inflightBytesMax: 64 * KIB,
	appendBytesMax: 16 * KIB,
	tailBytesMax: 1,
	segmentBytes: 32 * KIB,
	freeBytesMin: 4096,
};

export interface GroupReplica {
	readonly replica: Replica;
	readonly machine: NumberMachine;
}

/** One life of a host. */
export interface HostLife {
	readonly id: number;
	readonly doors: ProcessDoors;
	readonly host: Host;
	readonly groups: Map<number, GroupReplica>;
}

/** Hosts of the same groups, on simulated doors, in virtual time. */
export class HostWorld {
	readonly world: World;
	readonly lives = new Map<number, HostLife>();
	readonly lines: string[] = [];
	readonly peers: Readonly<Record<number, string>>;
	readonly #groups: number;

	constructor(seed: string, hosts: number, groups: number) {
		this.world = new World(seed);
		this.#groups = groups;
		this.peers = Object.fromEntries(
			Array.from({ length: hosts }, (_, i) => [i + 1, `h${i + 1}:7000`]),
		);
	}

	static async open(seed: string, hosts: number, groups: number): Promise<HostWorld> {
		const own = new HostWorld(seed, hosts, groups);
		for (let id = 1; id <= hosts; id++) await own.start(id);
		return own;
	}

	get ids(): number[] {
		return Object.keys(this.peers).map(Number);
	}

	machine(id: number) {
		return this.world.machine(`h${id}`);
	}

	/** A new life of a host, with all its groups. */
	async start(id: number): Promise<HostLife> {
		const life = await this.world.complete(this.begin(id));
		this.lives.set(id, life);
		return life;
	}

	async begin(id: number): Promise<HostLife> {
		const doors = this.machine(id).start();
		const host = await Host.open(
			{
				id,
				dir: '/data',
				peers: this.peers,
				journalBytes: 64 * KIB,
				log: (line) => this.lines.push(`host ${id}: ${line}`),
			},
			doors,
		);
		const groups = new Map<number, GroupReplica>();
		const opening = Array.from({ length: this.#groups }, async (_, i) => {
			const machine = new NumberMachine();
			const replica = await host.openGroup(i + 1, { stateMachine: machine, limits: LIMITS });
			groups.set(i + 1, { replica, machine });
		});
		await Promise.all(opening);
		return { id, doors, host, groups };
	}

	/** Who leads the group, among the hosts that run; undefined if nobody does. */
	leader(group: number): GroupReplica | undefined {
		const all = [...this.lives.values()].map(({ groups }) => groups.get(group)!);
		return all.find(({ replica }) => replica.status().role === 'leader');
	}

	async leaders(withinMs = 10_000): Promise<GroupReplica[]> {
		const groups = Array.from({ length: this.#groups }, (_, i) => i + 1);
		const isReady = () => groups.every((group) => this.leader(group) !== undefined);
		if (!(await this.world.until(isReady, withinMs))) throw new Error('a group has no leader');
		return groups.map((group) => this.leader(group)!);
	}

	crash(id: number): void {
		this.lives.delete(id);
		this.machine(id).crash();
	}

	kill(id: number): void {
		this.lives.delete(id);
		this.machine(id).kill();
	}

	async close(): Promise<void> {
		const closing = [...this.lives.values()].map(({ host }) => host.close());
		await this.world.complete(Promise.all(closing));
	}
}
