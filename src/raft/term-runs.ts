import { assert } from '../assert.js';

/**
 * The log in numbers: consecutive entries of one term are a run, and only its first index and its term
 * are kept. A log of billions of entries that saw ten leaders is ten pairs of numbers.
 *
 *     compacted              lastIndex
 *         |  run 0  |  run 1  |          run i covers first[i] .. first[i + 1] - 1
 */
export class TermRuns {
	#first = new Float64Array(16);
	#term = new Float64Array(16);
	#count = 0;
	#compacted: number;
	#compactedTerm: number;
	#lastIndex: number;

	constructor(compacted: number, compactedTerm: number) {
		this.#compacted = compacted;
		this.#compactedTerm = compactedTerm;
		this.#lastIndex = compacted;
	}

	get compacted(): number {
		return this.#compacted;
	}

	get lastIndex(): number {
		return this.#lastIndex;
	}

	get lastTerm(): number {
		return this.#count === 0 ? this.#compactedTerm : this.#term[this.#count - 1]!;
	}

	/** The term of the entry at `index`, of the last compacted one too; -1 where nothing is known. */
	termAt(index: number): number {
		if (index < this.#compacted || index > this.#lastIndex) return -1;
		if (index === this.#compacted) return this.#compactedTerm;
		return this.#term[this.#runOf(index)]!;
	}

	/** Entries up to `lastIndex` follow, all of them in `term`. */
	append(lastIndex: number, term: number): void {
		assert(lastIndex > this.#lastIndex, 'what is appended lies behind the log');
		assert(term >= this.lastTerm, 'terms never fall along the log');
		if (this.#count === 0 || term !== this.lastTerm) this.#push(this.#lastIndex + 1, term);
		this.#lastIndex = lastIndex;
	}

	/** Cuts everything behind `index`. */
	truncate(index: number): void {
		assert(index >= this.#compacted && index <= this.#lastIndex, 'the cut falls inside the log');
		while (this.#count > 0 && this.#first[this.#count - 1]! > index) this.#count -= 1;
		this.#lastIndex = index;
	}

	/** Forgets all, and begins anew behind `index`, whose entry is of `term`. */
	restart(index: number, term: number): void {
		this.#count = 0;
		this.#compacted = this.#lastIndex = index;
		this.#compactedTerm = term;
	}

	/** Drops everything up to `index`; its term stays known. */
	compact(index: number): void {
		assert(index >= this.#compacted && index <= this.#lastIndex, 'compaction stays inside the log');
		this.#compactedTerm = this.termAt(index);
		this.#compacted = index;
		let dropped = 0;
		while (dropped < this.#count && this.#endOf(dropped) <= index) dropped += 1;
		this.#first.copyWithin(0, dropped, this.#count);
		this.#term.copyWithin(0, dropped, this.#count);
		this.#count -= dropped;
		if (this.#count > 0) this.#first[0] = Math.max(this.#first[0]!, index + 1);
	}

	/**
	 * The last entry at or before `index` whose term is at most `term`: where two logs may agree when the
	 * other one has `term` at `index`. Whole runs are skipped at a time, so that finding the point of
	 * divergence takes a round trip per term, not per entry. An index below `compacted` means that the
	 * logs agree nowhere in what is left of this one.
	 */
	lastAtMost(term: number, index: number): number {
		if (index < this.#compacted) return index;
		let at = Math.min(index, this.#lastIndex);
		for (let run = this.#runOf(at); run >= 0 && at > this.#compacted; run -= 1) {
			if (this.#term[run]! <= term) return at;
			at = this.#first[run]! - 1;
		}
		return this.#compactedTerm <= term ? this.#compacted : this.#compacted - 1;
	}

	invariants(): void {
		assert(this.#compacted <= this.#lastIndex, 'compacted <= lastIndex');
		assert(this.#count > 0 || this.#compacted === this.#lastIndex, 'entries are in a run');
		for (let i = 0; i < this.#count; i += 1) {
			const before = i === 0 ? this.#compactedTerm : this.#term[i - 1]!;
			assert(this.#first[i]! <= this.#endOf(i), 'a run is never empty');
			assert(i === 0 ? this.#term[i]! >= before : this.#term[i]! > before, 'runs rise in term');
		}
		assert(this.#count === 0 || this.#first[0] === this.#compacted + 1, 'runs begin at compacted');
	}

	#endOf(run: number): number {
		return run + 1 < this.#count ? this.#first[run + 1]! - 1 : this.#lastIndex;
	}

	/** The run that holds `index`, -1 if none does. Most questions are about the newest entries. */
	#runOf(index: number): number {
		let low = 0;
		let high = this.#count - 1;
		if (high >= 0 && this.#first[high]! <= index) return high;
		while (low <= high) {
			const middle = (low + high) >> 1;
			if (this.#first[middle]! <= index) low = middle + 1;
			else high = middle - 1;
		}
		return high;
	}

	#push(first: number, term: number): void {
		if (this.#count === this.#first.length) {
			this.#first = doubled(this.#first);
			this.#term = doubled(this.#term);
		}
		this.#first[this.#count] = first;
		this.#term[this.#count] = term;
		this.#count += 1;
	}
}

function doubled(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
	const larger = new Float64Array(array.length * 2);
	larger.set(array);
	return larger;
}
