import { confidence, type Interval } from './confidence.js';

/** A short stretch of a load at a fixed rate, with something beside it or without. */
export interface Slice {
	readonly isOn: boolean;
	/** Processor time of all that was watched. */
	readonly cpuMs: number;
	readonly entries: number;
}

export type Verdict = 'under' | 'above' | "can't tell";

/** Slices that are compared with each other: without, with, with, without; then the other way round. What drifts evenly is as
 * much with it as without. */
const FOUR = 4;

/** Whether it is on in a slice, counted from 0. */
export function isOnIn(slice: number): boolean {
	const isMiddle = slice % FOUR === 1 || slice % FOUR === 2;
	const isTurned = Math.floor(slice / FOUR) % 2 === 1;
	return isMiddle !== isTurned;
}

/** Processor time for an entry with it / without it: the median of all whole fours, and where it lies with 98 % confidence. Null
 * where there is nothing to compare. */
export function costOf(slices: readonly Slice[]): Interval | null {
	const ratios: [number][] = [];
	for (let at = 0; at + FOUR <= slices.length; at += FOUR) {
		const four = slices.slice(at, at + FOUR);
		const ratio =
			perEntry(four.filter(({ isOn }) => isOn)) / perEntry(four.filter(({ isOn }) => !isOn));
		if (Number.isFinite(ratio) && ratio > 0) ratios.push([ratio]);
	}
	return ratios.length === 0 ? null : confidence(ratios);
}

function perEntry(slices: readonly Slice[]): number {
	const sum = (of: (slice: Slice) => number) => slices.reduce((all, slice) => all + of(slice), 0);
	return sum(({ cpuMs }) => cpuMs) / sum(({ entries }) => entries);
}

/** @param most the ratio that it must stay under */
export function verdictOf({ low, high }: Interval, most: number): Verdict {
	if (high < most) return 'under';
	return low >= most ? 'above' : "can't tell";
}
