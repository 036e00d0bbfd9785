/** What a replica always measures of itself: once for each flush and each batch, without making objects. */
import { COARSE_BITS, Histogram } from './histogram.js';

/** What is told is of the last one to two of these. */
export const WINDOW_MS = 5000;
/** Batches on their way to a majority that are timed at once. What comes beyond them isn't. */
const BATCHES_MAX = 8192;
const BATCHES_AT_FIRST = 16;

/** How long something took, lately. */
export interface Latency {
	/** So many were measured in the last five to ten seconds; what follows is of these, and 0 if there were none. */
	readonly count: number;
	/** Percentiles are right to 3 %. */
	readonly p50Ms: number;
	readonly p90Ms: number;
	readonly p99Ms: number;
	readonly maxMs: number;
	/** Since the replica was opened: how many, and how long all of them took together. */
	readonly totalCount: number;
	readonly totalMs: number;
}

/** Latencies of the recent past. */
export class RecentLatencies {
	/** The window under way and the one before; made when the first latency comes: an idle group has none. */
	#now: Histogram | null = null;
	#before: Histogram | null = null;
	#windowBegan = 0;
	#totalCount = 0;
	#totalMs = 0;

	/** `now`: ms by the clock that all calls go by. */
	record(ms: number, now: number): void {
		if (this.#now === null || now - this.#windowBegan >= WINDOW_MS) this.#turn(now);
		this.#now!.record(ms, 1);
		this.#totalCount += 1;
		this.#totalMs += ms;
	}

	#turn(now: number): void {
		const last = this.#before;
		this.#before = this.#now;
		this.#now = last ?? new Histogram(COARSE_BITS);
		this.#now.clear();
		// There was a pause: what lies before it isn't recent any more.
		if (now - this.#windowBegan >= 2 * WINDOW_MS) this.#before?.clear();
		this.#windowBegan = now;
	}

	/** As of now. */
	latency(now: number): Latency {
		const recent = new Histogram(COARSE_BITS);
		const age = now - this.#windowBegan;
		if (this.#now !== null && age < 2 * WINDOW_MS) recent.add(this.#now);
		if (this.#before !== null && age < WINDOW_MS) recent.add(this.#before);
		const { p50, p90, p99, max } = recent.percentiles();
		return {
			count: recent.total,
			p50Ms: rounded(p50),
			p90Ms: rounded(p90),
			p99Ms: rounded(p99),
			maxMs: rounded(max),
			totalCount: this.#totalCount,
			totalMs: rounded(this.#totalMs),
		};
	}
}

function rounded(ms: number): number {
	return Math.round(ms * 1000) / 1000;
}

/** How long flushes and commits take. */
export class Vitals {
	/** From handing a flush to the disk until it is durable; seals aside. */
	readonly flush = new RecentLatencies();
	/** Of the batches that this replica led: from their place in its log until a majority has them on disk. */
	readonly commit = new RecentLatencies();
	/** Batches under way, the oldest at `#first`: the last index of each, ascending, and when it was appended. */
	#indexes = new Float64Array(BATCHES_AT_FIRST);
	#times = new Float64Array(BATCHES_AT_FIRST);
	#first = 0;
	#count = 0;

	/** The leader has appended a batch that ends at `index`. */
	appended(index: number, now: number): void {
		if (this.#count === this.#indexes.length && !this.#grow()) return;
		const at = (this.#first + this.#count) % this.#indexes.length;
		this.#indexes[at] = index;
		this.#times[at] = now;
		this.#count += 1;
	}

	#grow(): boolean {
		const { length } = this.#indexes;
		if (length === BATCHES_MAX) return false;
		const moved = (from: Float64Array) => {
			const to = new Float64Array(2 * length);
			for (let i = 0; i < length; i++) to[i] = from[(this.#first + i) % length]!;
			return to;
		};
		this.#indexes = moved(this.#indexes);
		this.#times = moved(this.#times);
		this.#first = 0;
		return true;
	}

	/** Everything up to `index` is committed. */
	committed(index: number, now: number): void {
		while (this.#count > 0 && this.#indexes[this.#first]! <= index) {
			this.commit.record(now - this.#times[this.#first]!, now);
			this.#first = (this.#first + 1) % this.#indexes.length;
			this.#count -= 1;
		}
	}

	/** Leadership is lost: what becomes of the batches under way is another's affair. */
	deposed(): void {
		this.#count = 0;
	}
}
