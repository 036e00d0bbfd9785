import type { Recording } from './columns.js';

/** Between two turns with nothing to wait for there is less than this. */
const GAP_MS = 0.05;
/** A timer may come so late without anything in its way: it counts in whole ms. */
const LATE_MS_MIN = 2;
/** A timer that was held up is called this long after what held it up, or before what was held up with it. */
const LATE_GAP_MS = 0.5;

/** Ascending pairs (from, to) that don't overlap. */
class Spans {
	readonly #pairs: Float64Array;

	constructor(pairs: Float64Array) {
		this.#pairs = pairs;
	}

	/** The last one that begins at `at` or before; -1 if there is none. */
	find(at: number): number {
		let low = -1;
		let high = this.#pairs.length / 2 - 1;
		while (low < high) {
			const middle = Math.ceil((low + high) / 2);
			if (this.#pairs[2 * middle]! <= at) low = middle;
			else high = middle - 1;
		}
		return low;
	}

	from(i: number): number {
		return this.#pairs[2 * i]!;
	}

	to(i: number): number {
		return this.#pairs[2 * i + 1]!;
	}
}

/** When the event loop of one process could not look at what had come. */
export class Busy {
	readonly #turns: Spans;
	readonly #late: Spans;
	readonly #collections: Spans;

	constructor({ turns, beats, collections }: Recording) {
		this.#turns = new Spans(turns);
		this.#late = new Spans(lateOnes(beats));
		this.#collections = new Spans(collections);
	}

	/**
	 * Something was looked at at `at`: since when may it have waited for that? Since the beginning of the turn, or, if that
	 * followed upon another without a pause, of that other one: what came during it was not looked at before. No
	 * further back: each turn looks at all that is there.
	 */
	since(at: number): number {
		let since = at;
		const i = this.#turns.find(at);
		if (i >= 0 && this.#turns.to(i) >= at - GAP_MS) {
			since = this.#turns.from(i);
			const followsUpon = i > 0 && this.#turns.to(i - 1) >= since - GAP_MS;
			if (followsUpon) since = this.#turns.from(i - 1);
		}
		since = reachBack(this.#collections, at, since, GAP_MS);
		return reachBack(this.#late, at, since, LATE_GAP_MS);
	}

	/** When the turn that goes on at `at` is over; those too short to be recorded at once. */
	endOfTurn(at: number): number {
		const i = this.#turns.find(at);
		return i < 0 ? at + GAP_MS : Math.max(this.#turns.to(i), at + GAP_MS);
	}

	/** For how long garbage was collected between two times. */
	collected(from: number, to: number): number {
		let total = 0;
		for (let i = this.#collections.find(to); i >= 0 && this.#collections.to(i) > from; i--) {
			const end = Math.min(to, this.#collections.to(i));
			total += end - Math.max(from, this.#collections.from(i));
		}
		return total;
	}
}

/** The beginning of the last span before `at`, if it reaches up to `since`. */
function reachBack(spans: Spans, at: number, since: number, gapMs: number): number {
	const i = spans.find(at);
	return i >= 0 && spans.to(i) >= since - gapMs ? Math.min(since, spans.from(i)) : since;
}

function lateOnes(beats: Float64Array): Float64Array {
	const late: number[] = [];
	for (let i = 0; i < beats.length; i += 2) {
		if (beats[i + 1]! - beats[i]! >= LATE_MS_MIN) late.push(beats[i]!, beats[i + 1]!);
	}
	return Float64Array.from(late);
}
