/**
 * Latencies in a log-linear histogram: each power of two is divided into equal buckets, 128 if nothing else is said, so a
 * percentile is right to 0.4 %, recording costs about 10 ns, and the memory never grows.
 */

/** Times are counted in these; 2^32 of them are 7 minutes, and what lasts longer counts as that. */
const UNITS_PER_MS = 10_000;
const UNITS_MAX = 0xffff_ffff;
/** Values below two to the power of this are their own bucket. */
const LINEAR_BITS = 8;
/** The same for histograms of which there are many: 3.6 KiB each, and right to 3.2 %. */
export const COARSE_BITS = 5;
const BUCKETS_PER_OCTAVE = 2 ** (LINEAR_BITS - 1);

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
	static readonly octaves = bucketsOf(LINEAR_BITS) / BUCKETS_PER_OCTAVE;
	readonly #linearBits: number;
	readonly #counts: Float64Array;
	#maxMs = 0;
	#total = 0;

	/** Those that are merged must be equally fine. */
	constructor(linearBits = LINEAR_BITS) {
		this.#linearBits = linearBits;
		this.#counts = new Float64Array(bucketsOf(linearBits));
	}

	/** Records that `count` entries took `ms` each. */
	record(ms: number, count: number): void {
		const units = Math.min(Math.max(ms, 0) * UNITS_PER_MS, UNITS_MAX);
		this.#counts[bucketOf(units, this.#linearBits)]! += count;
		this.#total += count;
		if (ms > this.#maxMs) this.#maxMs = ms;
	}

	get total(): number {
		return this.#total;
	}

	/** The time in ms which `share` (0 to 1) of all that was recorded did not exceed; 0 if there is nothing. */
	quantile(share: number): number {
		if (this.#total === 0) return 0;
		const rank = Math.max(1, Math.ceil(share * this.#total));
		let seen = 0;
		for (let bucket = 0; bucket < this.#counts.length; bucket++) {
			seen += this.#counts[bucket]!;
			if (seen >= rank)
				return Math.min(middleOf(bucket, this.#linearBits) / UNITS_PER_MS, this.#maxMs);
		}
		return this.#maxMs;
	}

	/** Upwards, for each bucket that isn't empty: its time in ms, and how many took that long at most. */
	cumulative(): { readonly ms: number; readonly count: number }[] {
		const steps: { ms: number; count: number }[] = [];
		let count = 0;
		for (let bucket = 0; bucket < this.#counts.length; bucket++) {
			if (this.#counts[bucket] === 0) continue;
			count += this.#counts[bucket]!;
			steps.push({
				ms: Math.min(middleOf(bucket, this.#linearBits) / UNITS_PER_MS, this.#maxMs),
				count,
			});
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
		this.clear();
		return state;
	}

	clear(): void {
		this.#counts.fill(0);
		this.#maxMs = 0;
		this.#total = 0;
	}

	merge(state: HistogramState): void {
		for (let i = 0; i < this.#counts.length; i++) {
			this.#counts[i]! += state.counts[i]!;
			this.#total += state.counts[i]!;
		}
		this.#maxMs = Math.max(this.#maxMs, state.maxMs);
	}

	/** Adds all of another one, which keeps it. */
	add(other: Histogram): void {
		this.merge({ counts: other.#counts, maxMs: other.#maxMs });
	}
}

function bucketsOf(linearBits: number): number {
	return 2 ** linearBits + (32 - linearBits) * 2 ** (linearBits - 1);
}

function bucketOf(units: number, linearBits: number): number {
	const value = units >>> 0;
	const shift = 32 - linearBits - Math.clz32(value);
	if (shift <= 0) return value;
	return (shift << (linearBits - 1)) + (value >>> shift);
}

function middleOf(bucket: number, linearBits: number): number {
	if (bucket < 2 ** linearBits) return bucket + 0.5;
	const perOctave = 2 ** (linearBits - 1);
	const shift = Math.floor(bucket / perOctave) - 1;
	const lowest = (bucket - shift * perOctave) * 2 ** shift;
	return lowest + 2 ** shift / 2;
}
