/**
 * Latencies in a log-linear histogram: each power of two is divided into 128 equal buckets, so a percentile is
 * right to 0.4 %, recording costs about 10 ns, and the memory never grows.
 */

/** Times are counted in these; 2^32 of them are 7 minutes, and what lasts longer counts as that. */
const UNITS_PER_MS = 10_000;
const UNITS_MAX = 0xffff_ffff;
/** Values below are their own bucket. */
const LINEAR_BITS = 8;
const LINEAR_BUCKETS = 1 << LINEAR_BITS;
const BUCKETS_PER_OCTAVE = LINEAR_BUCKETS / 2;
const BUCKETS = LINEAR_BUCKETS + (32 - LINEAR_BITS) * BUCKETS_PER_OCTAVE;

export interface Percentiles {
	readonly p50: number;
	readonly p90: number;
	readonly p99: number;
	readonly p999: number;
	readonly max: number;
}

/** A histogram on its way to another process. */
export interface HistogramState {
	readonly counts: Float64Array;
	readonly maxMs: number;
}

export class Histogram {
	/** How fine it is: buckets for each power of two, and how many of these there are. */
	static readonly bucketsPerOctave = BUCKETS_PER_OCTAVE;
	static readonly octaves = BUCKETS / BUCKETS_PER_OCTAVE;
	readonly #counts = new Float64Array(BUCKETS);
	#maxMs = 0;

	/** Records that `count` entries took `ms` each. */
	record(ms: number, count: number): void {
		const units = Math.min(Math.max(ms, 0) * UNITS_PER_MS, UNITS_MAX);
		this.#counts[bucketOf(units)]! += count;
		if (ms > this.#maxMs) this.#maxMs = ms;
	}

	get total(): number {
		return this.#counts.reduce((sum, count) => sum + count, 0);
	}

	/** The time in ms which `share` (0 to 1) of all that was recorded did not exceed; 0 if there is nothing. */
	quantile(share: number): number {
		const total = this.total;
		if (total === 0) return 0;
		const rank = Math.max(1, Math.ceil(share * total));
		let seen = 0;
		for (let bucket = 0; bucket < BUCKETS; bucket++) {
			seen += this.#counts[bucket]!;
			if (seen >= rank) return Math.min(middleOf(bucket) / UNITS_PER_MS, this.#maxMs);
		}
		return this.#maxMs;
	}

	/** Upwards, for each bucket that isn't empty: its time in ms, and how many took that long at most. */
	cumulative(): { readonly ms: number; readonly count: number }[] {
		const steps: { ms: number; count: number }[] = [];
		let count = 0;
		for (let bucket = 0; bucket < BUCKETS; bucket++) {
			if (this.#counts[bucket] === 0) continue;
			count += this.#counts[bucket]!;
			steps.push({ ms: Math.min(middleOf(bucket) / UNITS_PER_MS, this.#maxMs), count });
		}
		return steps;
	}

	percentiles(): Percentiles {
		return {
			p50: this.quantile(0.5),
			p90: this.quantile(0.9),
			p99: this.quantile(0.99),
			p999: this.quantile(0.999),
			max: this.#maxMs,
		};
	}

	/** Moves all that was recorded out: the histogram is empty then. */
	take(): HistogramState {
		const state = { counts: this.#counts.slice(), maxMs: this.#maxMs };
		this.#counts.fill(0);
		this.#maxMs = 0;
		return state;
	}

	merge(state: HistogramState): void {
		for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += state.counts[i]!;
		this.#maxMs = Math.max(this.#maxMs, state.maxMs);
	}
}

function bucketOf(units: number): number {
	const value = units >>> 0;
	if (value < LINEAR_BUCKETS) return value;
	const shift = 32 - LINEAR_BITS - Math.clz32(value);
	return shift * BUCKETS_PER_OCTAVE + (value >>> shift);
}

function middleOf(bucket: number): number {
	if (bucket < LINEAR_BUCKETS) return bucket + 0.5;
	const shift = Math.floor(bucket / BUCKETS_PER_OCTAVE) - 1;
	const lowest = (bucket - shift * BUCKETS_PER_OCTAVE) * 2 ** shift;
	return lowest + 2 ** shift / 2;
}
