import { assert } from '../assert.js';
import { type Configuration, Configurations } from './configuration.js';
import { TermRuns } from './term-runs.js';
import type { Input, Output, RaftOptions } from './types.js';

/**
 * The log's cursors, and all that moves them:
 *
 *     compacted <= committed <= lastIndex
 *                  persisted <= lastIndex
 *
 * `persisted` may lag behind `committed`: a majority can commit what this disk is still writing.
 */
export class Log {
	readonly configurations: Configurations;
	readonly #runs: TermRuns;
	#committed: number;
	#persisted: number;
	#epoch = 0;

	constructor(options: RaftOptions) {
		this.#runs = new TermRuns(options.compactedIndex, options.compactedTerm);
		const { runs, lastIndex } = options;
		runs.forEach((run, i) => {
			const next = runs[i + 1]?.index ?? lastIndex + 1;
			assert(run.index === this.#runs.lastIndex + 1, 'recovered runs leave no gap');
			this.#runs.append(next - 1, run.term);
		});
		assert(this.#runs.lastIndex === lastIndex, 'recovered runs reach the last index');
		const initial = { voters: options.voters, outgoing: [], learners: [] };
		const { configurations = [{ index: 0, configuration: initial }] } = options;
		this.configurations = new Configurations(configurations);
		this.configurations.compact(options.compactedIndex);
		this.#committed = Math.max(options.committed, options.compactedIndex);
		this.#persisted = lastIndex;
		this.invariants();
	}

	get compacted(): number {
		return this.#runs.compacted;
	}

	get committed(): number {
		return this.#committed;
	}

	get persisted(): number {
		return this.#persisted;
	}

	get lastIndex(): number {
		return this.#runs.lastIndex;
	}

	get lastTerm(): number {
		return this.#runs.lastTerm;
	}

	/** How often the log was truncated: it tells a completion from the disk which log it speaks of. */
	get epoch(): number {
		return this.#epoch;
	}

	termAt(index: number): number {
		return this.#runs.termAt(index);
	}

	lastAtMost(term: number, index: number): number {
		return this.#runs.lastAtMost(term, index);
	}

	/** Is a log that ends with (index, term) at least as up to date as this one? (§5.4.1: term first.) */
	isCoveredBy(index: number, term: number): boolean {
		return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex);
	}

	/** Is the entry (index, term) of the leader's log here? */
	has(index: number, term: number): boolean {
		if (index > this.#committed) return this.termAt(index) === term;
		// Committed entries are the same everywhere, so that one whose term is forgotten is the same too.
		assert(index < this.compacted || this.termAt(index) === term, 'committed entries never differ');
		return true;
	}

	/**
	 * Takes what is new among the input's batches, which follow an entry that matched. Those already here
	 * are skipped, not cut: an old or repeated append must leave the suffix alone (§5.3, step 3).
	 */
	take(input: Input, output: Output): void {
		let before = input.message.index;
		for (let i = 0; i < input.batchCount; i += 1) {
			const last = input.batchLast[i]!;
			assert(last > before, 'the batches of an append rise');
			if (!this.has(last, input.batchTerm[i]!)) {
				this.#truncate(before, output);
				this.#append(i, input, output);
				return;
			}
			before = last;
		}
	}

	/** Appends `count` entries of this leader; their first index. */
	propose(count: number, term: number): number {
		const first = this.lastIndex + 1;
		this.#runs.append(this.lastIndex + count, term);
		return first;
	}

	/** The commit index never goes back. */
	commit(index: number): void {
		if (index <= this.#committed) return;
		assert(index <= this.lastIndex, 'only what is here is committed');
		this.#committed = index;
	}

	/**
	 * Durable up to `index`, as handed out in `epoch`: false if that range was truncated since, for then
	 * the same index may stand for another entry, which is still on its way to the disk.
	 */
	persist(index: number, epoch: number): boolean {
		if (epoch !== this.#epoch || index <= this.#persisted) return false;
		assert(index <= this.lastIndex, 'only what was appended can be durable');
		this.#persisted = index;
		return true;
	}

	compact(index: number): void {
		if (index <= this.compacted) return;
		assert(index <= this.#committed, 'only what is committed may be dropped');
		this.#runs.compact(index);
		this.configurations.compact(index);
	}

	/**
	 * A snapshot that ends with the entry (index, term) is durable here, and new. Where that entry is in the log, it goes
	 * on as it is (rule 12): what is behind it may be acknowledged. Else nothing of the log is of use: what is there
	 * is short of the snapshot, or of another leader, and the log begins anew behind it.
	 * @returns whether it begins anew
	 */
	install(index: number, term: number, configuration: Configuration | null): boolean {
		assert(index > this.#committed, 'what is committed is never replaced');
		if (this.termAt(index) === term) {
			this.commit(index);
			return false;
		}
		this.#runs.restart(index, term);
		this.configurations.restart(index, configuration ?? this.configurations.current);
		this.#committed = index;
		// The snapshot itself is durable, and a restart begins with it.
		this.#persisted = index;
		this.#epoch += 1;
		return true;
	}

	invariants(): void {
		this.#runs.invariants();
		this.configurations.invariants();
		assert(this.compacted <= this.#committed, 'compacted <= committed');
		assert(this.#committed <= this.lastIndex, 'committed <= lastIndex');
		assert(this.#persisted <= this.lastIndex, 'persisted <= lastIndex');
	}

	#truncate(index: number, output: Output): void {
		if (index === this.lastIndex) return;
		assert(index >= this.#committed, 'a committed entry is never cut');
		this.#runs.truncate(index);
		this.configurations.truncate(index);
		this.#persisted = Math.min(this.#persisted, index);
		this.#epoch += 1;
		output.truncateTo = index;
	}

	#append(from: number, input: Input, output: Output): void {
		for (let i = from; i < input.batchCount; i += 1) {
			assert(input.batchTerm[i]! <= input.message.term, 'no entry is newer than its sender');
			this.#runs.append(input.batchLast[i]!, input.batchTerm[i]!);
		}
		for (let i = 0; i < input.configurations.length; i += 1) {
			const { batch, configuration } = input.configurations[i]!;
			if (batch >= from) this.configurations.append(input.batchLast[batch]!, configuration);
		}
		output.appendFrom = from;
	}
}
