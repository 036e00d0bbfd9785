/**
 * What measurements tell, and how surely. Those of one round share their processes, and what the compiler and the heap
 * made of them: so rounds are drawn first, then the measurements within each (a bootstrap by clusters).
 */
export interface Interval {
	readonly median: number;
	readonly low: number;
	readonly high: number;
}

export type Finding = 'worse' | 'not worse' | "can't tell";

const RESAMPLES = 1_000;
const TAIL = 0.025;
/** Where one looks after each round, each look may err: with less in each tail the whole errs about as often. */
const TAIL_OF_MANY_LOOKS = 0.01;

/** Measurements of each round, none of them empty. */
export type Rounds = readonly (readonly number[])[];

/** The median of ratios, and where it lies with 98 % confidence. */
export function confidence(ratios: Rounds): Interval {
	const estimates = resampled(ratios, sequence(1)).sort();
	return { median: median(ratios.flat()), ...within(estimates, TAIL_OF_MANY_LOOKS) };
}

/** The ratio of two medians that were measured apart, and where it lies with 95 % confidence. */
export function ratioOfMedians(above: Rounds, below: Rounds): Interval {
	const random = sequence(1);
	const divisors = resampled(below, random);
	const estimates = resampled(above, random).map((value, i) => value / divisors[i]!);
	return { median: median(above.flat()) / median(below.flat()), ...within(estimates.sort(), TAIL) };
}

/** Medians as they might have been. */
function resampled(rounds: Rounds, random: () => number): Float64Array {
	const medians = new Float64Array(RESAMPLES);
	const longest = Math.max(...rounds.map((round) => round.length));
	const drawn = new Float64Array(rounds.length * longest);
	for (let i = 0; i < RESAMPLES; i++) {
		let count = 0;
		for (let j = 0; j < rounds.length; j++) {
			const round = pick(rounds, random);
			for (let k = 0; k < round.length; k++) drawn[count++] = pick(round, random);
		}
		medians[i] = middle(drawn.subarray(0, count).sort());
	}
	return medians;
}

/** @param sorted estimates */
function within(sorted: Float64Array, tail: number): { low: number; high: number } {
	const low = sorted[Math.floor(tail * sorted.length)]!;
	const high = sorted[Math.ceil((1 - tail) * sorted.length) - 1]!;
	return { low, high };
}

/** @param least the smallest ratio that is let pass */
export function judge({ low, high }: Interval, least: number): Finding {
	if (high < least) return 'worse';
	return low >= least ? 'not worse' : "can't tell";
}

export function median(values: readonly number[]): number {
	return middle(Float64Array.from(values).sort());
}

function middle(sorted: Float64Array): number {
	const at = sorted.length >>> 1;
	return sorted.length % 2 === 1 ? sorted[at]! : (sorted[at - 1]! + sorted[at]!) / 2;
}

function pick<T>(values: readonly T[], random: () => number): T {
	return values[Math.floor(random() * values.length)]!;
}

/** The same numbers each time (mulberry32): the same measurements give the same interval. */
function sequence(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b_79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
