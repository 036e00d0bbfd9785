import type { BatchView } from '../../src/format/batch-view.js';
import type { Clock } from '../../src/io.js';
import type { Replica } from '../../src/replica/replica.js';
import type { StateMachine } from '../../src/replica/types.js';
import { numbered, numberOf } from '../replica/machines.js';
import type { SimulatedRandom } from './random.js';
import { demand } from './violation.js';

/** A sibling of a node's replica, in this life of its host. */
export interface Sibling {
	readonly group: number;
	readonly replica: Replica;
	readonly machine: SiblingMachine;
}

/** Remembers what was applied, and holds it against what others of the group applied at the same place. */
class SiblingMachine implements StateMachine {
	/** Numbers by index. */
	readonly applied = new Map<number, number>();
	readonly #judge: (index: number, number: number) => void;

	constructor(judge: (index: number, number: number) => void) {
		this.#judge = judge;
	}

	apply(batch: BatchView): undefined {
		for (let i = 0; i < batch.count; i++) {
			const entry = batch.entry(i);
			const number = entry.length < 8 ? -1 : numberOf(entry);
			this.#judge(batch.index + i, number);
			this.applied.set(batch.index + i, number);
		}
	}
}

/**
 * The other groups of hosts, beside the one that the judge watches: they share its journals, connections and timers, have
 * now something to do and now nothing, and promise the same. What each applies is what all apply there, and what was
 * acknowledged is there in the end.
 */
export class Siblings {
	readonly #random: SimulatedRandom;
	readonly #guard: (work: () => void) => void;
	readonly groups: readonly number[];
	/** Of each group: what any replica applied, by index. */
	readonly #known = new Map<number, Map<number, number>>();
	/** Of each group: numbers acknowledged. */
	readonly #acknowledged = new Map<number, Set<number>>();
	#next = 1;
	readonly seen = { 'siblings acknowledged': 0, 'siblings resting': 0, 'hosts failed': 0 };

	/** `guard` takes what goes wrong. */
	constructor(
		random: SimulatedRandom,
		groups: readonly number[],
		guard: (work: () => void) => void,
	) {
		this.#random = random;
		this.#guard = guard;
		this.groups = groups;
		for (const group of groups) {
			this.#known.set(group, new Map());
			this.#acknowledged.set(group, new Set());
		}
	}

	machine(group: number): SiblingMachine {
		const known = this.#known.get(group)!;
		return new SiblingMachine((index, number) => {
			const first = known.get(index) ?? number;
			known.set(index, first);
			this.#guard(() => demand(first === number, `group ${group} applies two things at ${index}`));
		});
	}

	/** Proposes to it for as long as it lives, whenever it leads. */
	load(sibling: Sibling, clock: Clock): void {
		const { group, replica } = sibling;
		// Now and then so long nothing that the group rests.
		const delayMs = this.#random.chance(0.02) ? 2500 : this.#random.between(1, 30);
		clock.after(delayMs, () => {
			if (replica.stopped !== null) return;
			const { role, isResting } = replica.status();
			if (isResting === true) this.seen['siblings resting'] += 1;
			if (role === 'leader') this.#propose(group, replica);
			this.load(sibling, clock);
		});
	}

	#propose(group: number, replica: Replica): void {
		const number = this.#next;
		this.#next += 1;
		replica.propose(numbered(number, 8 + this.#random.below(500))).then(
			() => {
				this.seen['siblings acknowledged'] += 1;
				this.#acknowledged.get(group)!.add(number);
			},
			() => {},
		);
	}

	/** What was acknowledged in a group, and isn't known to all of its replicas that are there. */
	missing(siblings: readonly Sibling[]): number {
		let missing = 0;
		for (const group of this.groups) {
			const own = siblings.filter((each) => each.group === group);
			for (const { machine } of own) {
				const numbers = new Set(machine.applied.values());
				for (const number of this.#acknowledged.get(group)!) if (!numbers.has(number)) missing += 1;
			}
			if (own.length === 0) missing += 1;
		}
		return missing;
	}
}
