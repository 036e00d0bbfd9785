import type { Consistency } from '../../src/replica/types.js';
import type { Cluster } from './cluster.js';
import type { SimulatedRandom } from './random.js';
import type { Answer } from './store.js';
import { demand } from './violation.js';

/** The slowest a clock of this world goes: what it takes for 900 ms lasts a second. */
const SLOWEST_RATE = 0.9;
/** What was acknowledged when is remembered for so long, which is more than any lag that is allowed. */
const REMEMBERED_MS = 2000;
const LAGS_MS = [0, 20, 100, 500];

/** What a call was promised, and whether its answer keeps it. */
export interface Reading {
	readonly consistency: Consistency;
	ok(answer: Answer): void;
	failed(): void;
}

/** Reads of every consistency, each held to what it promises. */
export class Readings {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	/** How much was acknowledged at some times, oldest first. */
	#samples: { readonly at: number; readonly acknowledged: number }[] = [];
	readonly seen = {
		'reads linearizable': 0,
		'reads lease': 0,
		'reads stale': 0,
		'reads lagging': 0,
	};

	constructor(cluster: Cluster, random: SimulatedRandom) {
		this.#cluster = cluster;
		this.#random = random;
	}

	/** A read of this key begins. */
	begin(key: number): Reading {
		this.#sample();
		const kind = this.#random.next();
		if (kind < 0.4) return this.beginLinearizable(key, 'linearizable');
		if (kind < 0.7) return this.beginLinearizable(key, 'lease');
		if (kind < 0.8) return this.#weaker(key, 'stale', 0, 'reads stale');
		const maxLagMs = LAGS_MS[this.#random.below(LAGS_MS.length)]!;
		const floor = this.#acknowledgedAt(this.#cluster.world.now - maxLagMs / SLOWEST_RATE);
		return this.#weaker(key, { maxLagMs }, floor, 'reads lagging');
	}

	/** Sees all that was acknowledged, and is a part of the history. */
	beginLinearizable(key: number, consistency: 'linearizable' | 'lease'): Reading {
		const { ledger } = this.#cluster;
		const floor = ledger.acknowledged;
		const call = ledger.history.read(key);
		return {
			consistency,
			ok: ({ applied, value }) => {
				ledger.seen.reads += 1;
				this.seen[`reads ${consistency}`] += 1;
				call.ok(value ?? null);
				demand(
					applied >= floor,
					() => `a read saw ${applied}, and ${floor} had been acknowledged before it`,
				);
			},
			failed: () => call.failed(),
		};
	}

	/** What it sees was true once, and not before `floor`. */
	#weaker(
		key: number,
		consistency: Consistency,
		floor: number,
		name: 'reads stale' | 'reads lagging',
	): Reading {
		const { history } = this.#cluster.ledger;
		return {
			consistency,
			ok: ({ applied, value }) => {
				this.seen[name] += 1;
				const isOfKey = value == null || history.commands.get(value)?.key === key;
				demand(isOfKey, () => `key ${key} never held ${value}`);
				demand(applied >= floor, () => `a lagging read saw ${applied}, below ${floor}`);
			},
			failed: () => {},
		};
	}

	#sample(): void {
		const at = this.#cluster.world.now;
		this.#samples.push({ at, acknowledged: this.#cluster.ledger.acknowledged });
		if (this.#samples[0]!.at < at - 2 * REMEMBERED_MS) {
			this.#samples = this.#samples.filter((sample) => sample.at >= at - REMEMBERED_MS);
		}
	}

	/** At least so much was acknowledged by then. */
	#acknowledgedAt(time: number): number {
		return this.#samples.findLast(({ at }) => at <= time)?.acknowledged ?? 0;
	}
}
