import type { HistogramState } from '../../src/profile/histogram.js';
import { Histogram } from '../../src/profile/histogram.js';

/** Lines for each halving of what is left of the whole: as HdrHistogram prints by default. */
const TICKS_PER_HALF = 5;

/** One line of a percentile distribution. */
export interface PercentileStep {
	readonly ms: number;
	/** 0 to 1: that share took no longer. */
	readonly share: number;
	readonly count: number;
}

/** Ever finer steps towards the maximum, which is the last. Empty if there is nothing. */
export function percentileSteps(state: HistogramState): PercentileStep[] {
	const histogram = new Histogram();
	histogram.merge(state);
	const cumulative = histogram.cumulative();
	const total = cumulative.at(-1)?.count ?? 0;
	const steps: PercentileStep[] = [];
	let share = 0;
	for (const { ms, count } of cumulative) {
		while (share < 1 && share <= count / total) {
			if (count === total && share > 0) break;
			steps.push({ ms, share, count });
			const halvings = Math.floor(Math.log2(1 / (1 - share)));
			share += 1 / (TICKS_PER_HALF * 2 ** (halvings + 1));
		}
	}
	if (total > 0) steps.push({ ms: state.maxMs, share: 1, count: total });
	return steps;
}

/** The text that HdrHistogram's plotter reads: times in ms. */
export function formatHgrm(state: HistogramState): string {
	const lines = percentileSteps(state).map(({ ms, share, count }) => {
		const rarity = share === 1 ? '' : ` ${(1 / (1 - share)).toFixed(2).padStart(14)}`;
		return `${ms.toFixed(3).padStart(12)} ${share.toFixed(12)} ${String(count).padStart(10)}${rarity}\n`;
	});
	const { mean, deviation, total } = momentsOf(state);
	const number = (value: number) => value.toFixed(3).padStart(12);
	return [
		'       Value     Percentile TotalCount 1/(1-Percentile)\n\n',
		...lines,
		`#[Mean    = ${number(mean)}, StdDeviation   = ${number(deviation)}]\n`,
		`#[Max     = ${number(state.maxMs)}, Total count    = ${String(total).padStart(12)}]\n`,
		`#[Buckets = ${String(Histogram.octaves).padStart(12)}, SubBuckets     = ${String(Histogram.bucketsPerOctave).padStart(12)}]\n`,
	].join('');
}

function momentsOf(state: HistogramState): { mean: number; deviation: number; total: number } {
	const histogram = new Histogram();
	histogram.merge(state);
	let total = 0;
	let sum = 0;
	let squares = 0;
	for (const { ms, count } of histogram.cumulative()) {
		const its = count - total;
		total = count;
		sum += its * ms;
		squares += its * ms * ms;
	}
	const mean = total === 0 ? 0 : sum / total;
	const variance = total === 0 ? 0 : Math.max(0, squares / total - mean * mean);
	return { mean, deviation: Math.sqrt(variance), total };
}
