import type { BatchView } from '../../src/format/batch-view.js';
import type { Clock } from '../../src/io.js';
import type { ReplicaParts } from '../../src/replica/open.js';
import type { Replica } from '../../src/replica/replica.js';
import type { StateMachine } from '../../src/replica/types.js';
import { numbered, numberOf } from '../replica/machines.js';
import type { Judge, Watched } from './invariants.js';
import type { SimulatedRandom } from './random.js';
import { type Hosted, SiblingGroup } from './sibling-group.js';
import { isRefusal } from './workload.js';

/** A sibling of a node's replica, in this life of its host. */
export interface Sibling {
	readonly group: number;
	readonly replica: Replica;
	readonly machine: SiblingMachine;
}

/** Remembers what was applied, and tells of it. */
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
 * The other groups of hosts, beside the one that clients use: they share its journals, connections and timers, have
 * now something to do and now nothing, and promise the same. Each has a judge of its own, which looks at disks and wires as the other one does.
 */
export class Siblings {
	readonly #random: SimulatedRandom;
	readonly #guard: (work: () => void) => void;
	readonly groups: readonly number[];
	readonly #groups: ReadonlyMap<number, SiblingGroup>;
	#next = 1;
	readonly seen = { 'siblings acknowledged': 0, 'siblings resting': 0, 'hosts failed': 0 };

	/** `guard` takes what goes wrong. */
	constructor(
		random: SimulatedRandom,
		groups: readonly number[],
		hosts: readonly Hosted[],
		guard: (work: () => void) => void,
	) {
		this.#random = random;
		this.#guard = guard;
		this.groups = groups;
		this.#groups = new Map(groups.map((group) => [group, new SiblingGroup(group, hosts)]));
	}

	// ---- Who watches

	judge(group: number): Judge {
		return this.#groups.get(group)!.judge;
	}

	/** The group's replica on this host. */
	watched(group: number, id: number): Watched {
		return this.#groups.get(group)!.watched(id);
	}

	/** Between two events: throws what is wrong. */
	look(): void {
		for (const group of this.#groups.values()) group.look();
	}

	/** A replica has recovered what there is, and has done nothing yet. */
	assembled(group: number, id: number, parts: ReplicaParts): void {
		this.#guard(() => this.#groups.get(group)!.watched(id).assembled(parts));
	}

	/** What becomes of a host's replicas all at once. */
	lookBeforeClose(id: number): void {
		for (const group of this.#groups.values())
			this.#guard(() => group.judge.lookBeforeClose(group.watched(id)));
	}

	demandNoLeak(id: number): void {
		for (const group of this.#groups.values()) group.watched(id).demandNoLeak();
	}

	ended(id: number): void {
		for (const group of this.#groups.values()) group.watched(id).ended();
	}

	wiped(id: number): void {
		for (const group of this.#groups.values()) group.watched(id).witness.wiped();
	}

	/** None of them is on probation. */
	areVoters(id: number): boolean {
		return [...this.#groups.values()].every((group) => group.watched(id).isVoter);
	}

	demandSameLogs(): void {
		for (const group of this.#groups.values()) group.judge.demandSameLogs();
	}

	// ---- Their load

	machine(group: number): SiblingMachine {
		const { outcomes } = this.#groups.get(group)!;
		return new SiblingMachine((index, number) =>
			this.#guard(() => outcomes.applied(index, number)),
		);
	}

	/** Proposes to it for as long as it lives, whenever it leads. */
	load(id: number, sibling: Sibling, clock: Clock): void {
		this.#groups.get(sibling.group)!.watched(id).replica = sibling.replica;
		this.#proposeOn(sibling, clock);
	}

	#proposeOn(sibling: Sibling, clock: Clock): void {
		const { group, replica } = sibling;
		// Now and then so long nothing that the group rests.
		const delayMs = this.#random.chance(0.02) ? 2500 : this.#random.between(1, 30);
		clock.after(delayMs, () => {
			if (replica.stopped !== null) return;
			const { role, isResting } = replica.status();
			if (isResting === true) this.seen['siblings resting'] += 1;
			if (role === 'leader') this.#propose(group, replica);
			this.#proposeOn(sibling, clock);
		});
	}

	#propose(group: number, replica: Replica): void {
		const number = this.#next;
		this.#next += 1;
		const { outcomes } = this.#groups.get(group)!;
		replica.propose(numbered(number, 8 + this.#random.below(500))).then(
			({ index }) => {
				this.seen['siblings acknowledged'] += 1;
				this.#guard(() => outcomes.acknowledged(index, number));
			},
			(error: unknown) => {
				if (isRefusal(error)) this.#guard(() => outcomes.refused(number));
			},
		);
	}

	/** What was acknowledged in a group, and isn't known to all of its replicas that are there. */
	missing(siblings: readonly Sibling[]): number {
		let missing = 0;
		for (const [group, { outcomes }] of this.#groups) {
			const own = siblings.filter((each) => each.group === group);
			for (const { machine } of own) {
				const numbers = new Set(machine.applied.values());
				for (const number of outcomes.promised) if (!numbers.has(number)) missing += 1;
			}
			if (own.length === 0) missing += 1;
		}
		return missing;
	}

	/** How much happened. */
	get total(): Readonly<Record<string, number>> {
		let commits = 0;
		let elections = 0;
		for (const { judge } of this.#groups.values()) {
			commits += judge.seen.commits;
			elections += judge.seen.elections;
		}
		return { ...this.seen, 'siblings commits': commits, 'siblings elections': elections };
	}
}
