/**
 * What pairs of measurements tell. Each pair is a ratio, taken within a second, of this tree to the commit; above 1 the
 * tree is better. Pairs of one round share their processes, and what the compiler and the heap made of them: so rounds
 * are drawn first, then the pairs within each (a bootstrap by clusters).
 */
export interface Interval {
	readonly median: number;
	readonly low: number;
	readonly high: number;
}

export type Finding = 'worse' | 'not worse' | "can't tell";

const RESAMPLES = 1_000;
/**
 * In each tail. One is looked at after each round, and each look may err: so it is less than the usual 2.5 %, and the
 * whole errs at most about as often.
 */
const TAIL = 0.01;

/** The median ratio, and where it lies with 98 % confidence. @param rounds none of them empty */
export function confidence(rounds: readonly (readonly number[])[]): Interval {
	const random = sequence(1);
	const medians = new Float64Array(RESAMPLES);
	const pairs = Math.max(...rounds.map((round) => round.length));
	const drawn = new Float64Array(rounds.length * pairs);
	for (let i = 0; i < RESAMPLES; i++) {
		let count = 0;
		for (let j = 0; j < rounds.length; j++) {
			const round = pick(rounds, random);
			for (let k = 0; k < round.length; k++) drawn[count++] = pick(round, random);
		}
		medians[i] = middle(drawn.subarray(0, count).sort());
	}
	medians.sort();
	const low = medians[Math.floor(TAIL * RESAMPLES)]!;
	const high = medians[Math.ceil((1 - TAIL) * RESAMPLES) - 1]!;
	return { median: median(rounds.flat()), low, high };
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
