import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { type FaultName, faultNames } from './cluster-plan.js';
import { faultKinds } from './fault-kinds.js';
import type { SimulatedRandom } from './random.js';

/** Does to a cluster what the plan says, until it is healed. */
export class Faults {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	#isOver = false;
	/** What ends the faults that last. */
	readonly #endings = new Set<() => void>();
	/** What came to pass, by kind. */
	readonly seen = new Map<string, number>();

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
		this.#random = cluster.world.random.fork('faults');
	}

	begin(): void {
		this.#cluster.world.scheduler.schedule(this.#cluster.plan.calmMs, () => {
			for (const name of faultNames) this.#arm(name);
		});
	}

	#arm(name: FaultName): void {
		const everyMs = this.#cluster.plan.faults.get(name)!;
		if (everyMs === Number.POSITIVE_INFINITY) return;
		const delayMs = -Math.log(1 - this.#random.next()) * everyMs;
		this.#cluster.world.scheduler.schedule(delayMs, () => {
			if (this.#isOver) return;
			this.#inject(name, this.#victim());
			this.#arm(name);
		});
	}

	/** Leaders are hit more often: what they leave half done is where the danger lies. */
	#victim(): ClusterNode {
		const { nodes, plan } = this.#cluster;
		const leader = nodes.find((node) => node.isLeader);
		const isLeader = leader !== undefined && this.#random.chance(plan.leaderChance);
		return isLeader ? leader : this.#pick(nodes);
	}

	#inject(name: FaultName, node: ClusterNode): void {
		const other = this.#pick(this.#cluster.nodes);
		this.#cluster.note(`fault: ${name} ${node.name} ${other.name}`);
		let isMissed = false;
		faultKinds[name]({
			cluster: this.#cluster,
			random: this.#random,
			node,
			other,
			later: (lowMs, highMs, run) => this.#later(lowMs, highMs, run),
			count: (what) => this.#count(what),
			miss: () => {
				isMissed = true;
			},
		});
		if (!isMissed) this.#count(`fault ${name}`);
	}

	#count(what: string): void {
		this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
	}

	/** Runs it after a while, or when all is healed. */
	#later(lowMs: number, highMs: number, run: () => void): void {
		const once = () => {
			if (!this.#endings.delete(once)) return;
			run();
		};
		this.#endings.add(once);
		this.#cluster.world.scheduler.schedule(this.#random.between(lowMs, highMs), once);
	}

	/** No fault comes any more, and those that last end now. */
	heal(): void {
		this.#isOver = true;
		this.#cluster.note('healed');
		this.#cluster.isHostile = false;
		for (const ending of [...this.#endings]) ending();
		const { world, nodes, names } = this.#cluster;
		for (const link of world.network.links(names)) {
			link.cutChance = 0;
			link.latencyMs = [0.05, 0.5];
		}
		for (const node of nodes) {
			node.machine.disk.forgetFaults();
			node.machine.clock.rate = 1;
			node.start();
		}
	}

	#pick<T>(values: readonly T[]): T {
		return values[this.#random.below(values.length)]!;
	}
}
