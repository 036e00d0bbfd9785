/** Several loads or several runs of one: medians, and how far apart the runs are. */
import { median } from './confidence.js';
import type { BenchOptions } from './options.js';
import { thousands } from './output.js';
import type { Plan } from './plan.js';
import { type Measurement, milliseconds, type Report } from './report.js';

/** One load, and what was measured of it so far. */
export interface Cell {
	readonly load: BenchOptions;
	readonly runs: CellRun[];
}

export interface CellRun {
	readonly measured: Measurement;
	readonly report: Report;
}

/** The median of the runs, the lowest and the highest. */
export interface Spread {
	readonly median: number;
	readonly low: number;
	readonly high: number;
}

/** Of one load, in `--json`. */
export interface CellSummary {
	readonly entriesPerSecond: Spread;
	readonly bytesPerSecond: Spread;
	readonly p50Ms: Spread;
	readonly p99Ms: Spread;
	readonly cpuSecondsPerMillionEntries: Spread;
	readonly ceilingEntriesPerSecond: Spread | null;
	readonly efficiency: Spread | null;
	readonly runs: readonly Report[];
}

export function spreadOf(values: readonly number[]): Spread {
	return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

export function summarizeCell({ runs }: Cell): CellSummary {
	const reports = runs.map(({ report }) => report);
	const of = (value: (report: Report) => number) => spreadOf(reports.map(value));
	const ifAny = (value: (report: Report) => number | null) => {
		const values = reports.map(value).filter((each) => each !== null);
		return values.length === 0 ? null : spreadOf(values);
	};
	return {
		entriesPerSecond: of((report) => report.entriesPerSecond),
		bytesPerSecond: of((report) => report.bytesPerSecond),
		p50Ms: of((report) => report.latencyMs.p50),
		p99Ms: of((report) => report.latencyMs.p99),
		cpuSecondsPerMillionEntries: of((report) => report.cpuSecondsPerMillionEntries),
		ceilingEntriesPerSecond: ifAny((report) => report.ceiling?.entriesPerSecond ?? null),
		efficiency: ifAny((report) => report.efficiency),
		runs: reports,
	};
}

/** What `--json` prints of more than one run. */
export function summarize(cells: readonly Cell[], { skipped, axes }: Plan) {
	return { axes, loads: cells.map(summarizeCell), skipped };
}

/** What tells a load from the others: the swept values, or the payload and depth of the only one. */
export function nameOf(load: BenchOptions, { axes }: Plan): string[] {
	const values = {
		payload: `${load.payloadBytes} B`,
		depth: thousands(load.depth),
		mode: load.mode,
		durability: load.durability,
		replicas: `${load.replicas}`,
	};
	return (axes.length === 0 ? (['payload', 'depth'] as const) : axes).map((axis) => values[axis]);
}

/** As a table for people. */
export function formatCells(cells: readonly Cell[], plan: Plan): string {
	const names = plan.axes.length === 0 ? ['payload', 'depth'] : plan.axes;
	const head = [...names, 'entries/s', '(low to high)', 'MB/s', 'p50 ms', 'p99 ms', 'ceiling/s'];
	const rows = [[...head, 'efficiency', '(low to high)', 'cpu s/million', 'verified']];
	for (const cell of cells) {
		const summary = summarizeCell(cell);
		const { entriesPerSecond, ceilingEntriesPerSecond, efficiency } = summary;
		const all = cell.runs.length;
		const verified = cell.runs.filter(({ report }) => report.verified).length;
		rows.push([
			...nameOf(cell.load, plan),
			thousands(entriesPerSecond.median),
			range(entriesPerSecond, thousands, all),
			(summary.bytesPerSecond.median / 1e6).toFixed(1),
			milliseconds(summary.p50Ms.median),
			milliseconds(summary.p99Ms.median),
			ceilingEntriesPerSecond === null ? '-' : thousands(ceilingEntriesPerSecond.median),
			efficiency === null ? '-' : efficiency.median.toFixed(2),
			efficiency === null ? '' : range(efficiency, (each) => each.toFixed(2), all),
			summary.cpuSecondsPerMillionEntries.median.toFixed(3),
			verified === all ? (all === 1 ? 'yes' : `${all} of ${all}`) : `NO: ${verified} of ${all}`,
		]);
	}
	return table(rows) + reasons(cells);
}

function reasons(cells: readonly Cell[]): string {
	const reports = cells.flatMap(({ runs }) => runs.map(({ report }) => report));
	const found = reports.map((report) => report.unverifiedReason).filter((each) => each !== null);
	return [...new Set(found)].map((reason) => `not verified: ${reason}\n`).join('');
}

function range({ low, high }: Spread, format: (value: number) => string, runs: number): string {
	return runs === 1 ? '' : `(${format(low)} to ${format(high)})`;
}

/** Columns as wide as they must be, those without any content left out. */
export function table(rows: readonly (readonly string[])[]): string {
	const [head, ...body] = rows;
	const columns = head!.map((_, i) => i).filter((i) => body.some((row) => row[i] !== ''));
	const widths = columns.map((i) => Math.max(...rows.map((row) => row[i]!.length)));
	return rows
		.map((row) => `${columns.map((i, at) => row[i]!.padStart(widths[at]!)).join('  ')}\n`)
		.join('');
}
