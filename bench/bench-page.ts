/** The page that `millrace bench --html` writes. */
import { type Baseline, type Comparison, describeComparison } from './compare.js';
import { describeMachine, type Machine } from './machine.js';
import { thousands } from './output.js';
import type { Page, Section, Series } from './page/shapes.js';
import type { Plan } from './plan.js';
import { describeLoad, milliseconds } from './report.js';
import { type Cell, nameOf, summarizeCell } from './summary.js';
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
			cell.runs.length === 1 ? '' : `${thousands(low)} to ${thousands(high)}`,
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

type Figure = 'entriesPerSecond' | 'ceilingEntriesPerSecond' | 'p50Ms' | 'p99Ms' | 'efficiency';

/** Along one axis of the sweep, the one with the most values; a line for each combination of the others. */
function sweepSections(cells: readonly Cell[], plan: Plan): Section[] {
	const summaries = cells.map(summarizeCell);
	const names = cells.map(({ load }) => nameOf(load, plan));
	const valuesOf = (i: number) => [...new Set(names.map((name) => name[i]!))];
	const counts = plan.axes.map((_, i) => valuesOf(i).length);
	const along = counts.indexOf(Math.max(...counts));
	const places = valuesOf(along);
	const othersOf = (name: readonly string[]) =>
		name
			.map((value, i) => `${plan.axes[i]} ${value}`)
			.filter((_, i) => i !== along)
			.join(', ');
	const others = [...new Set(names.map(othersOf))];
	const x = { label: plan.axes[along]!, names: places };
	const lines = (of: Figure, title = ''): Series[] =>
		others.map((other) => {
			const values = places.map((place) => {
				const i = names.findIndex((name) => name[along] === place && othersOf(name) === other);
				return summaries[i]?.[of]?.median ?? null;
			});
			const isLine = values.filter((value) => value !== null).length > 1;
			const name = [title, other].filter((part) => part !== '').join(', ');
			return { name, values, as: isLine ? 'line' : 'points' };
		});
	const section = (heading: string, label: string, scale: 'linear' | 'log', of: Series[]) => ({
		heading,
		chart: { x, y: { label, scale }, xs: places.map((_, i) => i), series: of },
	});
	const rates = lines('entriesPerSecond', 'engine');
	const ceilings = lines('ceilingEntriesPerSecond', 'ceiling');
	const hasCeiling = summaries.some(({ efficiency }) => efficiency !== null);
	// Two lines for each of many combinations can't be told apart: their ratio says the same.
	if (hasCeiling && others.length <= 2) rates.push(...ceilings);
	const sections = [
		section('Throughput', 'entries/s', 'log', rates),
		section('Latency, p50', 'ms', 'log', lines('p50Ms', 'p50')),
		section('Latency, p99', 'ms', 'log', lines('p99Ms', 'p99')),
	];
	if (!hasCeiling) return sections;
	const ratio = section(
		'Efficiency',
		'engine / ceiling',
		'linear',
		lines('efficiency', 'efficiency'),
	);
	return [...sections, ratio];
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
