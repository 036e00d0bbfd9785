import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { benchPage } from '../../bench/bench-page.js';
import { Baseline } from '../../bench/compare.js';
import { ratioOfMedians } from '../../bench/confidence.js';
import { thisMachine } from '../../bench/machine.js';
import { parseOptions } from '../../bench/options.js';
import { renderPage } from '../../bench/page/page.js';
import { parsePlan } from '../../bench/plan.js';
import { makeReport } from '../../bench/report.js';
import { type Cell, formatCells, summarize } from '../../bench/summary.js';
import { Tally } from '../../bench/tally.js';

let directory: string;
let file: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
	file = join(directory, 'earlier.json');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const sample = { cpuMicroseconds: 0, peakRssBytes: 1, allocatedBytes: 0 };

/** A tally of slices of a second each, at these rates. */
function tallyOf(rates: readonly number[]): Tally {
	const tally = new Tally();
	for (const rate of rates) {
		const counts = new Float64Array(3328);
		counts[100] = rate;
		const course = Float64Array.of(500, rate / 2, 1000, rate);
		tally.add({ entries: rate, ms: 1000, latency: { counts, maxMs: 3 }, course });
		tally.addUsed([sample], [{ ...sample, cpuMicroseconds: rate }]);
	}
	return tally;
}

const nearly = (value: number) => expect.closeTo(value, 6);

/** What was measured of a load: engine and ceiling, turn by turn, of each run. */
function cellOf(argv: string[], runs: readonly [number[], number[] | null][]): Cell {
	const load = parseOptions(argv);
	return {
		load,
		runs: runs.map(([engine, ceiling]) => {
			const measured = {
				engine: tallyOf(engine),
				ceiling: ceiling === null ? null : tallyOf(ceiling),
				followers: [],
				straddledBytesRatio: null,
				verdict: { verified: true, reason: null, entriesCompared: 5 },
			};
			return { measured, report: makeReport(load, measured) };
		}),
	};
}

function save(content: object): void {
	writeFileSync(file, JSON.stringify({ machine: thisMachine(), ...content }));
}

const STEADY: [number[], number[]] = [
	[700, 710, 690, 705, 695],
	[1000, 1000, 1000, 1000, 1000],
];
/** The same by the ceiling, on a machine that is half as fast now. */
const SLOWER_MACHINE: [number[], number[]] = [
	[350, 355, 345, 352, 348],
	[500, 500, 500, 500, 500],
];
const SLOWER_ENGINE: [number[], number[]] = [
	[600, 610, 590, 605, 595],
	[1000, 1000, 1000, 1000, 1000],
];

describe('millrace bench --compare', () => {
	const judged = (earlier: Cell, now: Cell) => {
		save(earlier.runs[0]!.report);
		return Baseline.read(file, [now.load]).judge(now);
	};

	it('knows a worse and a better one', () => {
		const [steady, slow] = [cellOf([], [STEADY]), cellOf([], [SLOWER_ENGINE])];
		expect(judged(steady, slow)).toMatchObject({ of: 'efficiency', difference: 'worse' });
		expect(judged(slow, steady)).toMatchObject({ difference: 'better', before: 0.6, now: 0.7 });
	});

	it('finds none between equals, and none in noise', () => {
		expect(judged(cellOf([], [STEADY]), cellOf([], [STEADY])).difference).toBe(
			'no difference found',
		);
		const noisy: [number[], number[]] = [[300, 900, 500, 1000, 400], STEADY[1]];
		expect(judged(cellOf([], [STEADY]), cellOf([], [noisy])).difference).toBe(
			'no difference found',
		);
	});

	it('goes by the ceiling where both have it, so that a slower machine is no worse engine', () => {
		const [before, now] = [cellOf([], [STEADY]), cellOf([], [SLOWER_MACHINE])];
		expect(judged(before, now).difference).toBe('no difference found');
		const bare = cellOf([], [[SLOWER_MACHINE[0], null]]);
		expect(judged(before, bare)).toMatchObject({ of: 'throughput', difference: 'worse' });
	});

	it('goes by throughput where the run was interrupted before the ceiling had its turn', () => {
		const [before, now] = [cellOf([], [STEADY]), cellOf([], [[[500], []]])];
		expect(judged(before, now)).toMatchObject({ of: 'throughput', before: 700, now: 500 });
	});

	it('takes runs that differ by themselves for what they are', () => {
		const [high, low] = [STEADY, SLOWER_ENGINE];
		const earlier = cellOf([], [high, low, high]);
		save(summarize([earlier], parsePlan(['--runs', '3'])));
		const now = cellOf([], [low, high, low]);
		expect(Baseline.read(file, [now.load]).judge(now)).toMatchObject({
			difference: 'no difference found',
			runs: 3,
		});
	});

	it('has an interval that holds the ratio', () => {
		const { median, low, high } = ratioOfMedians([[90, 100, 110]], [[190, 200, 210]]);
		expect(median).toBe(0.5);
		expect(low).toBeLessThan(0.5);
		expect(high).toBeGreaterThan(0.5);
	});

	it.each([
		['no file', null, /cannot be read: ENOENT/],
		['no JSON', 'hello', /is not JSON/],
		['a number', '7', /is not of millrace bench --json/],
		['something else', '{"machine":{},"loads":[]}', /is not of millrace bench --json/],
	])('refuses %s', (_, text, message) => {
		if (text !== null) writeFileSync(file, text);
		expect(() => Baseline.read(file, [parseOptions([])])).toThrow(message);
	});

	it('refuses a report without turns, another load, and another machine', () => {
		const { report } = cellOf([], [STEADY]).runs[0]!;
		const read = (...argv: string[]) => Baseline.read(file, [parseOptions(argv)]);
		save({ ...report, turns: undefined });
		expect(() => read()).toThrow(/or of an earlier version/);
		save(report);
		expect(() => read('--payload', '16', '--depth', '9')).toThrow(
			'is of another load: payload 256, depth 16384; this is payload 16, depth 9',
		);
		save({ ...report, machine: { ...thisMachine(), processor: 'Abacus' } });
		expect(() => read()).toThrow(/was measured on another machine: \d+ x Abacus, .*; this is/);
		save({ ...report, machine: { ...thisMachine(), node: 'v99.0.0' } });
		expect(read().description).toContain('Node 99.0.0');
	});

	it('finds each load of a sweep in it, or says which is missing', () => {
		const plan = parsePlan(['--sweep', 'depth=1,64']);
		const cells = ['1', '64'].map((depth) => cellOf(['--depth', depth], [STEADY]));
		save(summarize(cells, plan));
		const baseline = Baseline.read(file, plan.loads);
		const text = baseline.format(
			cells,
			cells.map((cell) => baseline.judge(cell)),
		);
		expect(text.match(/no difference found: efficiency 0\.700, was 0\.700/g)).toHaveLength(2);
		expect(() => Baseline.read(file, [parseOptions(['--depth', '7'])])).toThrow(
			/has no load of payload 256, depth 7,/,
		);
	});
});

describe('several loads or runs', () => {
	const plan = parsePlan(['--sweep', 'payload=16,256', '--runs', '3']);
	const cells = [
		cellOf(['--payload', '16'], [STEADY, SLOWER_ENGINE, SLOWER_MACHINE]),
		cellOf(['--payload', '256'], [STEADY]),
	];

	it('are medians with their spread', () => {
		const [first] = summarize(cells, plan).loads;
		expect(first!.entriesPerSecond).toEqual({ median: 600, low: 350, high: 700 });
		expect(first!.efficiency).toEqual({ median: 0.7, low: 0.6, high: 0.7 });
		expect(first!.runs).toHaveLength(3);
	});

	it('are a table in which each line has its load', () => {
		const [head, one, two] = formatCells(cells, plan).split('\n');
		expect(head).toMatch(/^payload +entries\/s +\(low to high\)/);
		expect(one).toMatch(/^ *16 B +600 +\(350 to 700\).* 3 of 3$/);
		expect(two).toMatch(/^ *256 B +700 .* yes$/);
	});

	it('say loudly what is not verified', () => {
		const bad = cellOf([], [STEADY]);
		const report = { ...bad.runs[0]!.report, verified: false, unverifiedReason: 'a bit flipped' };
		const cell = { load: bad.load, runs: [{ ...bad.runs[0]!, report }] };
		expect(formatCells([cell], parsePlan([]))).toMatch(/NO: 0 of 1\nnot verified: a bit flipped/);
	});

	it('are a page: with a chart of the sweep, or of the course of the only load', async () => {
		const machine = thisMachine();
		const verdicts = cells.map(() => null);
		const sweep = benchPage({ plan, cells, machine, baseline: null, verdicts });
		const throughput = sweep.sections.find(({ heading }) => heading === 'Throughput')!.chart!;
		expect(throughput.x.names).toEqual(['16 B', '256 B']);
		expect(throughput.series.map(({ name, values }) => [name, values])).toEqual([
			['engine', [600, 700]],
			['ceiling', [1000, 1000]],
		]);
		expect(await renderPage(sweep)).toContain('<td class="number">600</td>');

		const [, only] = cells;
		const single = benchPage({
			plan: parsePlan([]),
			cells: [only!],
			machine,
			baseline: null,
			verdicts: [null],
		});
		const course = single.sections.find(({ heading }) => heading === 'Throughput in time')!.chart!;
		const rates = course.series[0]!.values;
		expect(rates[0]).toBeCloseTo(700);
		expect(Math.max(...rates.map((rate) => rate ?? 0))).toBeLessThanOrEqual(710.001);
		const latency = single.sections.find(({ heading }) => heading === 'Latency')!.chart!;
		expect(latency.series.map(({ name }) => name)).toEqual(['engine', 'ceiling']);
	});
});

describe('the course of a tally', () => {
	it('becomes rates in equal parts, and nothing behind its end', () => {
		expect(tallyOf([100, 300]).ratesAlong(4, 4000)).toEqual([100, 300, null, null]);
		expect(tallyOf([100, 300]).ratesAlong(2, 3000)).toEqual([500 / 3, 300].map(nearly));
		expect(tallyOf([100, 300]).ratesAlong(2, 2000)).toEqual([100, 300]);
	});
});
