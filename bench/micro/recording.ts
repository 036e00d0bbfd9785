/** What measures must cost nothing: recording a latency. */
import { createHistogram } from 'node:perf_hooks';
import { Histogram } from '../../src/profile/histogram.js';
import type { Pair, Way } from './pair.js';

/** Latencies between 0.1 and 10 ms, over and over. */
const LATENCIES_MS = Float64Array.from({ length: 1000 }, (_, i) => 0.1 + ((i * 389) % 1000) / 100);
const MEDIAN_DIGITS = 2;
/** An array can't grow for ever. */
const ARRAY_MAX = 65_536;

function recordPairs(): Pair[] {
	const ours = (): Way => {
		const histogram = new Histogram();
		let i = 0;
		return {
			how: 'Histogram: a typed array',
			call: () => {
				i = (i + 1) % LATENCIES_MS.length;
				histogram.record(LATENCIES_MS[i]!, 1);
				return LATENCIES_MS[i]!;
			},
			made: () => histogram.quantile(0.5).toPrecision(MEDIAN_DIGITS),
		};
	};
	const recordable = createHistogram();
	const values: number[] = [];
	let [at, pushed] = [0, 0];
	const name = 'histogram record';
	return [
		{
			name,
			ours: ours(),
			naive: {
				how: 'createHistogram of node:perf_hooks',
				call: () => {
					at = (at + 1) % LATENCIES_MS.length;
					recordable.record(Math.round(LATENCIES_MS[at]! * 1e6));
					return LATENCIES_MS[at]!;
				},
				made: () => (recordable.percentile(50) / 1e6).toPrecision(MEDIAN_DIGITS),
			},
		},
		{
			name,
			ours: ours(),
			naive: {
				how: 'an array, sorted at each 65,536th',
				call: () => {
					pushed = (pushed + 1) % LATENCIES_MS.length;
					if (values.push(LATENCIES_MS[pushed]!) === ARRAY_MAX) {
						values.sort((a, b) => a - b);
						values.length = 0;
					}
					return LATENCIES_MS[pushed]!;
				},
				made: () => {
					const sorted = values.toSorted((a, b) => a - b);
					return sorted[sorted.length >>> 1]!.toPrecision(MEDIAN_DIGITS);
				},
			},
		},
	];
}

export const recordingPairs: readonly Pair[] = recordPairs();
