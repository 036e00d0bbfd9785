/** The page that `millrace bench --html` writes. */
import { type Baseline, type Comparison, describeComparison } from './compare.js';
import { describeMachine, type Machine } from './machine.js';
import type { Chart, Page, Section, Series } from './page/shapes.js';
import type { Plan } from './plan.js';
import { describeLoad, milliseconds } from './report.js';
import { type Cell, nameOf, type Spread, summarizeCell } from './summary.js';
import type { Tally } from './tally.js';

export interface Results {
	readonly plan: Plan;
	readonly cells: readonly Cell[];
	readonly machine: Machine;
	readonly baseline: Baseline | null;
	/** As many as cells. */
	readonly verdicts: readonly (Comparison | null)[];
}

const COURSE_POINTS = 200;
const PERCENTILES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999];

export function benchPage({ plan, cells, machine, baseline, verdicts }: Results): Page {
	const [only] = cells;
	const sections: Section[] = [{ heading: 'Measured', table: tableOf(cells, plan) }];
	if (baseline !== null) {
		const rows = cells.map((cell, i) => [
			nameOf(cell.load, plan).join(', '),
			describeComparison(verdicts[i]!),
		]);
		const text = `with ${baseline.description}`;
		sections.push({ heading: 'Compared', text, table: { head: ['load', 'verdict'], rows } });
	}
	if (cells.length > 1) sections.push(...sweepSections(cells, plan));
	else sections.push(...courseSections(only!));
	const skipped = plan.skipped.join('; ');
	if (skipped !== '') sections.push({ heading: 'Left out', text: skipped });
	const load = cells.length === 1 ? describeLoad(only!.load) : `a sweep of ${plan.axes.join(', ')}`;
	return { title: 'millrace bench', subtitle: `${load}; ${describeMachine(machine)}`, sections };
}

function tableOf(cells: readonly Cell[], plan: Plan) {
	const names = plan.axes.length === 0 ? ['payload', 'depth'] : plan.axes;
	const columns = [
		'entries/s',
		'low to high',
		'MB/s',
		'p50 ms',
		'p99 ms',
		'ceiling/s',
		'efficiency',
	];
	const rows = cells.map((cell) => {
		const summary = summarizeCell(cell);
		const { low, high, median } = summary.entriesPerSecond;
		const ceiling = summary.ceilingEntriesPerSecond;
		return [
			...nameOf(cell.load, plan),
			Math.round(median),
			cell.runs.length === 1 ? '' : `${Math.round(low)} to ${Math.round(high)}`,
			Math.round(summary.bytesPerSecond.median / 1e5) / 10,
			Number(milliseconds(summary.p50Ms.median)),
			Number(milliseconds(summary.p99Ms.median)),
			ceiling === null ? '-' : Math.round(ceiling.median),
			summary.efficiency === null ? '-' : Number(summary.efficiency.median.toFixed(3)),
			cell.runs.every(({ report }) => report.verified) ? 'verified' : 'NOT VERIFIED',
		];
	});
	return { head: [...names, ...columns, ''], rows };
}

/** One series of bars or points for each figure, one place for each load. */
function sweepSections(cells: readonly Cell[], plan: Plan): Section[] {
	const summaries = cells.map(summarizeCell);
	const x = {
		label: plan.axes.join(', '),
		names: cells.map(({ load }) => nameOf(load, plan).join(' / ')),
	};
	const values = (name: string, of: (i: number) => Spread | null): Series => ({
		name,
		values: cells.map((_, i) => of(i)?.median ?? null),
		as: 'points',
	});
	const chart = (label: string, scale: 'linear' | 'log', series: readonly Series[]): Chart => ({
		x,
		y: { label, scale },
		xs: cells.map((_, i) => i),
		series: series.filter((each) => each.values.some((value) => value !== null)),
	});
	const sections: Section[] = [
		{
			heading: 'Throughput',
			chart: chart('entries/s', 'log', [
				values('engine', (i) => summaries[i]!.entriesPerSecond),
				values('ceiling', (i) => summaries[i]!.ceilingEntriesPerSecond),
			]),
		},
		{
			heading: 'Latency',
			chart: chart('ms', 'log', [
				values('p50', (i) => summaries[i]!.p50Ms),
				values('p99', (i) => summaries[i]!.p99Ms),
			]),
		},
	];
	if (summaries.every(({ efficiency }) => efficiency === null)) return sections;
	const efficiency = values('engine / ceiling', (i) => summaries[i]!.efficiency);
	return [...sections, { heading: 'Efficiency', chart: chart('ratio', 'linear', [efficiency]) }];
}

/** Of the only load: its last run in time, and its percentiles. */
function courseSections({ runs }: Cell): Section[] {
	const { engine, ceiling } = runs.at(-1)!.measured;
	const contenders: [string, Tally][] = [['engine', engine]];
	if (ceiling !== null && ceiling.entries > 0) contenders.push(['ceiling', ceiling]);
	const seconds = Math.max(...contenders.map(([, tally]) => tally.ms)) / 1000;
	const xs = Array.from({ length: COURSE_POINTS }, (_, i) => ((i + 0.5) * seconds) / COURSE_POINTS);
	return [
		{
			heading: 'Throughput in time',
			text: 'Each by its own clock: the turns of one contender, without those of the other.',
			chart: {
				x: { label: 's' },
				y: { label: 'entries/s' },
				xs,
				series: contenders.map(([name, tally]) => ({
					name,
					values: tally.ratesAlong(COURSE_POINTS, seconds * 1000),
				})),
			},
		},
		{
			heading: 'Latency',
			chart: {
				x: { label: 'share of entries', scale: 'percentile' },
				y: { label: 'ms', scale: 'log' },
				xs: PERCENTILES,
				series: contenders.map(([name, tally]) => ({
					name,
					values: PERCENTILES.map((share) => tally.quantile(share)),
				})),
			},
		},
	];
}
