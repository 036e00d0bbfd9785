import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { type FaultName, faultNames } from './cluster-plan.js';
import type { SimulatedRandom } from './random.js';

/** Does to a cluster what the plan says, until it is healed. */
export class Faults {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	#isOver = false;
	/** What ends the faults that last. */
	readonly #endings = new Set<() => void>();
	readonly seen = new Map<FaultName, number>();

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
		this.#random = cluster.world.random.fork('faults');
	}

	begin(): void {
		for (const name of faultNames) this.#arm(name);
	}

	#arm(name: FaultName): void {
		const everyMs = this.#cluster.plan.faults.get(name)!;
		if (everyMs === Number.POSITIVE_INFINITY) return;
		const delayMs = -Math.log(1 - this.#random.next()) * everyMs;
		this.#cluster.world.scheduler.schedule(delayMs, () => {
			if (this.#isOver) return;
			this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
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
		const { world, names, nodes } = this.#cluster;
		const other = this.#pick(nodes);
		const others = names.filter((each) => each !== node.name);
		this.#cluster.note(`fault: ${name} ${node.name} ${other.name}`);
		switch (name) {
			case 'cut':
				world.network.cut(node.name, other.name);
				return;
			case 'isolate':
				world.network.partition([node.name], others);
				return this.#later(100, 4000, () => world.network.heal());
			case 'one-way':
				if (this.#random.chance(0.5)) world.network.block([node.name], others);
				else world.network.block(others, [node.name]);
				return this.#later(100, 3000, () => world.network.heal());
			case 'partial':
				world.network.partition([node.name], [other.name]);
				return this.#later(100, 4000, () => world.network.heal());
			case 'slow-link':
				return this.#slow(node, other);
			case 'crash':
				return this.#end(node, true);
			case 'kill':
				return this.#end(node, false);
			case 'power-failure':
				for (const each of nodes) this.#end(each, true);
				return;
			case 'suspend':
				node.machine.suspend();
				return this.#later(20, 1500, () => node.machine.resume());
			case 'stall':
				node.machine.disk.stall();
				return this.#later(20, 2500, () => node.machine.disk.unstall());
			case 'disk-error':
				if (!node.machine.running) return;
				node.mayFail = true;
				node.machine.disk.failNext('write', 'EIO', { path: '.segment' });
				return;
			case 'reopen':
				return node.close();
			case 'clock-jump':
				node.machine.clock.wallOffsetMs = this.#random.between(-5000, 5000);
				return;
		}
	}

	#end(node: ClusterNode, isPowerFailure: boolean): void {
		node.end(isPowerFailure);
		this.#later(0, 2000, () => node.start());
	}

	#slow(node: ClusterNode, other: ClusterNode): void {
		const link = this.#cluster.world.network.link(node.name, other.name);
		const { latencyMs } = link;
		const low = this.#random.between(5, 200);
		link.latencyMs = [low, low * 3];
		this.#later(100, 3000, () => {
			link.latencyMs = latencyMs;
		});
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
