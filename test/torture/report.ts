import type { Tally } from './workload.js';

/** How one step went, from its heal. */
export interface Recovery {
	readonly faults: readonly string[];
	/** The longest time without an acknowledged write, from the fault to the first one after the heal. */
	readonly gapMs: number;
	readonly firstWriteMs: number;
	readonly caughtUpMs: number;
}

export interface Summary {
	readonly tally: Tally;
	readonly acknowledged: number;
	readonly lastIndex: number;
	readonly tailRestarts: number;
	readonly recoveries: readonly Recovery[];
	/** By fault: how often it could not be done when its turn came. */
	readonly passedOver: ReadonlyMap<string, number>;
	/** By fault: why this run can't do it. */
	readonly unable: ReadonlyMap<string, string>;
	readonly history: string;
	readonly seconds: number;
}

/** The value in the middle, and the highest. */
function spread(values: readonly number[]): string {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
	return `${seconds(middle)} / ${seconds(sorted.at(-1) ?? 0)}`;
}

function seconds(milliseconds: number): string {
	return (milliseconds / 1000).toFixed(2);
}

function rowOf(name: string, recoveries: readonly Recovery[]): string[] {
	return [
		name,
		String(recoveries.length),
		spread(recoveries.map(({ gapMs }) => gapMs)),
		spread(recoveries.map(({ firstWriteMs }) => firstWriteMs)),
		spread(recoveries.map(({ caughtUpMs }) => caughtUpMs)),
	];
}

const HEADINGS = ['fault', 'times', 'longest gap', 'first write after heal', 'all caught up'];

/** For people. */
export function describeRun(summary: Summary): string {
	const { recoveries, tally, passedOver, unable } = summary;
	const names = [...new Set(recoveries.flatMap(({ faults }) => faults))].sort();
	const rows = names.map((name) =>
		rowOf(
			name,
			recoveries.filter(({ faults }) => faults.includes(name)),
		),
	);
	const table = [HEADINGS, ...rows, rowOf('all steps', recoveries)];
	const widths = HEADINGS.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
	const lines = table.map((row) =>
		row
			.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
			.join('  '),
	);
	return [
		'seconds, median / highest:',
		...lines,
		...[...unable].map(([name, why]) => `left out: ${name}: ${why}`),
		...[...passedOver].map(([name, times]) => `passed over: ${name}, ${times} times`),
		`calls: ${tally.ok} ok, ${tally.failed} failed, ${tally.unknown} unknown; tail begun anew ${summary.tailRestarts} times`,
		`${summary.acknowledged} acknowledged writes are on all replicas, up to index ${summary.lastIndex}`,
		`history: ${summary.history}`,
		`${summary.seconds.toFixed(0)} s`,
	].join('\n');
}
