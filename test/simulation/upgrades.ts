import { commonVersion, VERSIONS, type Versions } from '../../src/transport/versions.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import type { SimulatedRandom } from './random.js';
import { demand } from './violation.js';

/** What programs of three times speak. The first and the last have nothing in common. */
export const speaking = (lowest: number, highest: number): Versions => ({
	protocol: { lowest, highest },
	format: { lowest: 1, highest: 1 },
});
const { lowest, highest } = VERSIONS.protocol;
const OLD = speaking(lowest, highest);
const BOTH = speaking(lowest, highest + 1);
const NEW = speaking(highest + 1, highest + 1);

/** One replica gets another program. */
interface Step {
	readonly node: ClusterNode;
	readonly versions: Versions;
	readonly what: 'upgraded' | 'downgraded';
}

/**
 * Puts other programs on the replicas of a cluster, one after the other, as an operator would, whatever faults come: from
 * one that speaks the old protocol to one that speaks both, and from there perhaps to one that speaks the new one only. Now and
 * then one goes back, and half of the times they stay different. So no two replicas ever run that have no version in common.
 */
export class Upgrades {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	readonly #steps: Step[];
	/** The rollout is to come to its end. */
	readonly #isWhole: boolean;
	#isOver = false;
	readonly seen = { upgraded: 0, downgraded: 0, upgradedAll: 0, mixed: 0, leftMixed: 0 };

	/** `leavesOld`: those that speak the old protocol only are left behind; clients of this time are among them. */
	constructor(cluster: Cluster, leavesOld: boolean) {
		this.#cluster = cluster;
		this.#random = cluster.world.random.fork('upgrades');
		for (const node of cluster.nodes) node.versions = OLD;
		this.#steps = this.#stepsTo(BOTH, OLD);
		if (leavesOld) this.#steps.push(...this.#stepsTo(NEW, BOTH));
		// Half of them stop in the middle: the peace at the end is one of different versions, too.
		this.#isWhole = this.#random.chance(0.5);
		if (!this.#isWhole) this.#steps.length = this.#random.below(this.#steps.length);
	}

	/** All replicas in some order; the one that is hit goes back to what it was, and comes once more. */
	#stepsTo(versions: Versions, before: Versions): Step[] {
		const nodes = [...this.#cluster.nodes];
		const steps: Step[] = [];
		const returns = this.#random.below(nodes.length);
		while (nodes.length > 0) {
			const [node] = nodes.splice(this.#random.below(nodes.length), 1) as [ClusterNode];
			steps.push({ node, versions, what: 'upgraded' });
			if (nodes.length !== returns) continue;
			steps.push({ node, versions: before, what: 'downgraded' });
			steps.push({ node, versions, what: 'upgraded' });
		}
		return steps;
	}

	begin(): void {
		this.#later();
	}

	/** Whoever has which program now keeps it. */
	end(): void {
		this.#isOver = true;
		const given = new Set(this.#cluster.nodes.map(({ versions }) => versions));
		if (given.size > 1) this.seen.leftMixed = 1;
	}

	#later(): void {
		this.#cluster.world.scheduler.schedule(this.#random.between(20, 500), () => {
			if (this.#isOver) return;
			this.#look();
			if (this.#isSettled) this.#step();
			this.#later();
		});
	}

	/** Everybody who runs has the program that it was given last. */
	get #isSettled(): boolean {
		return this.#cluster.nodes.every(
			({ machine, speaks, versions }) => !machine.running || speaks === versions,
		);
	}

	#step(): void {
		const step = this.#steps.shift();
		if (step === undefined) {
			this.seen.upgradedAll = this.#isWhole ? 1 : 0;
			return;
		}
		const { node, versions, what } = step;
		const { lowest, highest } = versions.protocol;
		this.#cluster.note(`${node.name} is ${what}, and will speak ${lowest} to ${highest}`);
		this.seen[what] += 1;
		node.versions = versions;
		const isInOrder = node.replica?.stopped === null && this.#random.chance(0.7);
		if (isInOrder) return node.close();
		node.end(this.#cluster.plan.durability === 'sync' && this.#random.chance(0.5));
		this.#cluster.world.scheduler.schedule(this.#random.between(0, 500), () => node.start());
	}

	/** No connection speaks what one of its ends doesn't know, as far as it is of this life of both. */
	#look(): void {
		const { nodes, ledger } = this.#cluster;
		const running = nodes.filter(({ replica }) => replica !== null);
		if (new Set(running.map(({ speaks }) => speaks)).size > 1) this.seen.mixed += 1;
		for (const { replica, speaks, id } of running) {
			const { lowest, highest } = speaks.protocol;
			for (const { protocol } of replica!.status().peers)
				ledger.guard(() =>
					demand(
						protocol === 0 || (protocol >= lowest && protocol <= highest),
						`replica ${id} speaks protocol ${protocol}`,
					),
				);
		}
	}

	/** In peace: every two replicas are connected, and speak the highest version that both know. */
	get isAgreed(): boolean {
		const { nodes } = this.#cluster;
		return nodes.every(({ replica, speaks }) =>
			(replica?.status().peers ?? []).every(
				({ id, protocol }) =>
					protocol === commonVersion(speaks.protocol, nodes[id - 1]!.speaks.protocol),
			),
		);
	}
}
