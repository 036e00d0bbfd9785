import { type Bounds, ClusterSteps, type Fault } from './cluster-steps.js';
import type { Edit } from './instrumented-core.js';
import { pathTo } from './path.js';
import type { Seen } from './replica.js';
import { type Start, starts } from './starts.js';
import { StateTable, VectorQueue } from './state-table.js';

/** How often something of interest was met: an exploration in which nothing happens proves nothing. */
export interface Counts {
	/** States in which something is known to be committed. */
	committed: number;
	/** States with two leaders, of different terms. */
	twoLeaders: number;
	/** States with a leader that was elected in the highest term. */
	lastTerm: number;
	/** Steps to new states, by what happened in them. */
	truncations: number;
	rejections: number;
	readsConfirmed: number;
	olderTermCommits: number;
	staleCompletions: number;
	admissions: number;
}

/** Visits all states within bounds, those that take the fewest events first. */
export class Explorer {
	readonly steps: ClusterSteps;
	readonly table = new StateTable();
	readonly counts: Counts = {
		...{ committed: 0, twoLeaders: 0, lastTerm: 0, truncations: 0, rejections: 0 },
		...{ readsConfirmed: 0, olderTermCommits: 0, staleCompletions: 0, admissions: 0 },
	};
	/** Events that were tried, those that lead to known states included. */
	events = 0;
	/** How many events the deepest state is away. */
	depth = 0;
	/** Null, or the broken promise. */
	fault: Fault | null = null;
	#faultAt = 0;
	#expanded = 0;
	#levelEnd = 1;
	readonly #start: Int32Array;
	readonly #queue: VectorQueue;
	readonly #vector: Int32Array;

	constructor(bounds: Bounds, start: Start = starts.fresh, edits: readonly Edit[] = []) {
		this.steps = new ClusterSteps(bounds, edits);
		this.#queue = new VectorQueue(this.steps.length);
		this.#vector = new Int32Array(this.steps.length);
		this.#start = this.steps.begin(start);
		const first = this.steps.representative(this.#start);
		this.table.add(first, -1);
		this.#queue.push(first);
	}

	get states(): number {
		return this.table.count;
	}

	/** States whose events are yet to be tried. */
	get waiting(): number {
		return this.#queue.size;
	}

	get isDone(): boolean {
		return this.fault !== null || this.#queue.size === 0;
	}

	/** Tries all events of the next `count` states, or of all. */
	explore(count = Number.POSITIVE_INFINITY): void {
		for (let i = 0; i < count && !this.isDone; i += 1) {
			if (this.#expanded === this.#levelEnd) {
				this.#levelEnd = this.table.count;
				this.depth += 1;
			}
			this.#queue.shift(this.#vector);
			this.fault = this.steps.all(this.#vector, (after, _replica, _event, { seen }) => {
				this.events += 1;
				this.#meet(after, seen);
			});
			if (this.fault !== null) this.#faultAt = this.#expanded;
			this.#expanded += 1;
		}
	}

	/** The fewest events that break a promise, one a line. */
	explain(): string[] {
		if (this.fault === null) return [];
		const numbers: number[] = [];
		for (let at = this.#faultAt; at > 0; at = this.table.parent(at)) numbers.unshift(at);
		return pathTo(this.steps, this.table, this.#start, numbers);
	}

	#meet(after: Int32Array, seen: Seen | null): void {
		const representative = this.steps.representative(after);
		if (!this.table.add(representative, this.#expanded)) return;
		this.#queue.push(representative);
		this.#count(after);
		if (seen === null) return;
		if (seen.truncation) this.counts.truncations += 1;
		if (seen.rejection) this.counts.rejections += 1;
		if (seen.readConfirmed) this.counts.readsConfirmed += 1;
		if (seen.olderTermCommitted) this.counts.olderTermCommits += 1;
		if (seen.admission) this.counts.admissions += 1;
		if (seen.staleCompletion) this.counts.staleCompletions += 1;
	}

	#count(vector: Int32Array): void {
		const { replicas, histories, bounds } = this.steps;
		let leaders = 0;
		let highest = 0;
		for (let at = 0; at < 3; at += 1) {
			const { isLeader, term } = replicas.get(vector[at]!);
			if (!isLeader) continue;
			leaders += 1;
			highest = Math.max(highest, term);
		}
		if (leaders > 1) this.counts.twoLeaders += 1;
		if (highest === bounds.terms) this.counts.lastTerm += 1;
		if (histories.get(vector[3]!).committed.length > 0) this.counts.committed += 1;
	}
}
