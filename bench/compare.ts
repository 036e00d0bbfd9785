/** `--compare FILE`: this run beside an earlier one, and whether they differ by more than the noise. */
import { readFileSync } from 'node:fs';
import { BadOption } from '../src/errors.js';
import { type Interval, median, type Rounds, ratioOfMedians } from './confidence.js';
import { describeMachine, isSameMachine, type Machine, thisMachine } from './machine.js';
import type { BenchOptions } from './options.js';
import { thousands } from './output.js';
import type { Report } from './report.js';
import type { Cell } from './summary.js';

export type Difference = 'better' | 'worse' | 'no difference found';

/** One load, now and then. */
export interface Comparison {
	/**
	 * Efficiency where both runs have the ceiling beside them: what the machine did meanwhile, it did to both. Else
	 * throughput.
	 */
	readonly of: 'efficiency' | 'throughput';
	readonly before: number;
	readonly now: number;
	/** Now / before. */
	readonly ratio: Interval;
	readonly difference: Difference;
	/** The fewer runs of the two: with one, nothing is known of how much runs differ by themselves. */
	readonly runs: number;
}

/** What tells one load from another, as a report has it. */
const LOAD_KEYS = ['payloadBytes', 'depth', 'mode', 'durability', 'replicas'] as const;
type LoadKey = (typeof LOAD_KEYS)[number];

/** An earlier `--json`. */
export class Baseline {
	readonly #path: string;
	readonly #machine: Machine;
	readonly #loads: readonly (readonly Report[])[];

	private constructor(path: string, machine: Machine, loads: readonly (readonly Report[])[]) {
		this.#path = path;
		this.#machine = machine;
		this.#loads = loads;
	}

	/** @throws BadOption, in one line, if it can't be read, or is of another machine or of other loads than these */
	static read(path: string, loads: readonly BenchOptions[]): Baseline {
		const refuse = (why: string) => new BadOption(`--compare ${path} ${why}`);
		const { machine, runsOfLoads } = readReports(path, refuse);
		const here = thisMachine();
		if (!isSameMachine(machine, here)) {
			const there = describeMachine(machine);
			throw refuse(`was measured on another machine: ${there}; this is ${describeMachine(here)}`);
		}
		for (const load of loads) {
			if (runsOfLoads.some(([run]) => isOf(run!, load))) continue;
			const [run] = runsOfLoads[0]!;
			if (runsOfLoads.length > 1) throw refuse(`has no load of ${describe(load)}`);
			const other = LOAD_KEYS.filter((key) => run![key] !== load[key]);
			throw refuse(
				`is of another load: ${describe(run!, other)}; this is ${describe(load, other)}`,
			);
		}
		return new Baseline(path, machine, runsOfLoads);
	}

	/** What the file says. */
	get description(): string {
		return `${this.#path} (${describeMachine(this.#machine)})`;
	}

	judge({ load, runs }: Cell): Comparison {
		const before = this.#loads.find(([run]) => isOf(run!, load))!;
		const now = runs.map(({ report }) => report);
		const efficiencies = [now, before].map(efficienciesOf);
		const of = efficiencies.every((runs) => runs.length > 0) ? 'efficiency' : 'throughput';
		const [nowTurns, beforeTurns] = of === 'efficiency' ? efficiencies : [now, before].map(ratesOf);
		const ratio = ratioOfMedians(nowTurns!, beforeTurns!);
		return {
			of,
			before: median(beforeTurns!.flat()),
			now: median(nowTurns!.flat()),
			ratio,
			difference: ratio.low > 1 ? 'better' : ratio.high < 1 ? 'worse' : 'no difference found',
			runs: Math.min(before.length, now.length),
		};
	}

	/** For people, one line for each load. */
	format(cells: readonly Cell[], comparisons: readonly (Comparison | null)[]): string {
		const lines = cells.map(({ load }, i) => {
			const name = cells.length === 1 ? '' : `${describe(load)}: `;
			return `compared  ${name}${describeComparison(comparisons[i]!)}\n`;
		});
		const few = comparisons.some((each) => each!.runs < 3);
		const hint =
			'fewer than 3 runs on a side: how much runs differ by themselves is hardly known\n';
		return `${lines.join('')}with      ${this.description}\n${few ? `          ${hint}` : ''}`;
	}
}

export function describeComparison({ of, before, now, ratio, difference }: Comparison): string {
	const show = (value: number) => (of === 'efficiency' ? value.toFixed(3) : thousands(value));
	const unit = of === 'throughput' ? ' entries/s' : '';
	const percent = (value: number) => `${value >= 1 ? '+' : ''}${((value - 1) * 100).toFixed(1)} %`;
	return (
		`${difference}: ${of} ${show(now)}, was ${show(before)}${unit} ` +
		`(${percent(ratio.low)} to ${percent(ratio.high)})`
	);
}

function readReports(path: string, refuse: (why: string) => BadOption) {
	let text: string;
	try {
		text = readFileSync(path, 'utf8');
	} catch (error) {
		throw refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code}`);
	}
	let parsed: unknown;
	try {
		parsed = JSON.parse(text);
	} catch {
		throw refuse('is not JSON');
	}
	if (!isRecord(parsed)) throw refuse('is not of millrace bench --json');
	const loads = Array.isArray(parsed['loads']) ? parsed['loads'] : [{ runs: [parsed] }];
	const machine = parsed['machine'];
	const runsOfLoads = loads.map((load) => (isRecord(load) ? load['runs'] : null));
	if (!isMachine(machine) || runsOfLoads.length === 0 || !runsOfLoads.every(isReports)) {
		throw refuse('is not of millrace bench --json, or of an earlier version');
	}
	return { machine, runsOfLoads };
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMachine(value: unknown): value is Machine {
	if (!isRecord(value)) return false;
	const texts = [value['processor'], value['system'], value['node']];
	const numbers = [value['processors'], value['memoryBytes']];
	return (
		texts.every((each) => typeof each === 'string') &&
		numbers.every((each) => typeof each === 'number')
	);
}

function isReports(value: unknown): value is readonly Report[] {
	return Array.isArray(value) && value.length > 0 && value.every(isReport);
}

function isReport(value: unknown): value is Report {
	if (!isRecord(value) || !Array.isArray(value['turns']) || value['turns'].length === 0)
		return false;
	const isRate = (rate: unknown) => typeof rate === 'number' && rate >= 0;
	return (
		LOAD_KEYS.every((key) => value[key] !== undefined) &&
		(value['ceiling'] === null || isRecord(value['ceiling'])) &&
		value['turns'].every(
			(turn) =>
				isRecord(turn) &&
				isRate(turn['engine']) &&
				(turn['ceiling'] === null || isRate(turn['ceiling'])),
		)
	);
}

/** Turn by turn. Empty if any run has no ceiling; a run that was interrupted before the ceiling's turn is left out. */
function efficienciesOf(reports: readonly Report[]): Rounds {
	if (reports.some(({ ceiling }) => ceiling === null)) return [];
	const runs = reports.map(({ turns }) =>
		turns.flatMap(({ engine, ceiling }) =>
			ceiling === null || ceiling === 0 ? [] : [engine / ceiling],
		),
	);
	return runs.filter((run) => run.length > 0);
}

function ratesOf(reports: readonly Report[]): Rounds {
	return reports.map(({ turns }) => turns.map(({ engine }) => engine));
}

function isOf(run: Pick<Report, LoadKey>, load: BenchOptions): boolean {
	return LOAD_KEYS.every((key) => run[key] === load[key]);
}

function describe(load: Pick<Report, LoadKey>, keys: readonly LoadKey[] = LOAD_KEYS): string {
	return keys.map((key) => `${key === 'payloadBytes' ? 'payload' : key} ${load[key]}`).join(', ');
}
