import { parseArgs } from 'node:util';
import { BadOption } from '../src/errors.js';
import {
	type BenchOptions,
	badArguments,
	checkInflight,
	LOAD_OPTIONS,
	type LoadValues,
	readLoad,
	wholeNumber,
} from './options.js';
import { checkReportFile } from './report-file.js';

/** What one call of `millrace bench` measures. */
export interface Plan {
	/** The loads, in the order of the sweep; at least one. */
	readonly loads: readonly BenchOptions[];
	/** Loads of the sweep that aren't measured, each with the reason. */
	readonly skipped: readonly string[];
	/** How often each load is measured, in fresh processes. */
	readonly runs: number;
	/** What was swept, the slowest-changing first; empty: nothing. */
	readonly axes: readonly Axis[];
	readonly json: boolean;
	/** File of an earlier `--json`; null: nothing to compare with. */
	readonly compare: string | null;
	/** Where the page goes; null: nowhere. */
	readonly html: string | null;
}

const AXES = ['payload', 'depth', 'mode', 'durability', 'replicas'] as const;
export type Axis = (typeof AXES)[number];

interface Range {
	readonly axis: Axis;
	readonly values: readonly string[];
}

const RUNS_MAX = 1000;
const LOADS_MAX = 1000;

/** @throws BadOption, in one line */
export function parsePlan(argv: readonly string[]): Plan {
	const { values, positionals } = parse(argv);
	const { sweep, runs, compare, html, ...load } = values;
	const [stray] = sweep === undefined ? positionals : [];
	if (stray !== undefined) throw new BadOption(`Unexpected argument '${stray}'`);
	const ranges = [...(sweep ?? []), ...positionals].map(readRange);
	const [loads, skipped] = spread(load, ranges);
	const plan: Plan = {
		loads,
		skipped,
		runs: wholeNumber('runs', runs, 1, RUNS_MAX),
		axes: ranges.map(({ axis }) => axis),
		json: load.json,
		compare: compare ?? null,
		html: html ?? null,
	};
	if (plan.html !== null) checkReportFile('html', plan.html);
	return plan;
}

function parse(argv: readonly string[]) {
	try {
		return parseArgs({
			args: [...argv],
			// `--sweep payload=16,256 depth=1,64`: what follows the first is a range, too.
			allowPositionals: true,
			options: {
				...LOAD_OPTIONS,
				sweep: { type: 'string', multiple: true },
				runs: { type: 'string', default: '1' },
				compare: { type: 'string' },
				html: { type: 'string' },
			},
		});
	} catch (error) {
		throw badArguments(error);
	}
}

function readRange(text: string, position: number, all: readonly string[]): Range {
	const [name, list, ...rest] = text.split('=');
	const axis = AXES.find((each) => each === name);
	const values = list?.split(',') ?? [];
	if (axis === undefined || rest.length > 0 || values.length === 0 || values.includes('')) {
		throw new BadOption(
			`--sweep is AXIS=VALUE,VALUE,... with an axis of ${AXES.join(', ')}, not '${text}'`,
		);
	}
	const isFirst = all.findIndex((each) => each.startsWith(`${axis}=`)) === position;
	if (!isFirst) throw new BadOption(`--sweep has ${axis} twice`);
	if (new Set(values).size < values.length) {
		throw new BadOption(`--sweep has a value of ${axis} twice: '${list}'`);
	}
	return { axis, values };
}

/** All combinations. Those that go beyond a limit are named, unless it is all of them. */
function spread(base: LoadValues, ranges: readonly Range[]): [BenchOptions[], string[]] {
	let combinations: LoadValues[] = [base];
	for (const { axis, values } of ranges) {
		combinations = combinations.flatMap((before) =>
			values.map((value) => ({ ...before, [axis]: value })),
		);
		if (combinations.length > LOADS_MAX) {
			throw new BadOption(`--sweep has more than ${LOADS_MAX} combinations`);
		}
	}
	const loads: BenchOptions[] = [];
	const skipped: string[] = [];
	for (const values of combinations) {
		const load = readLoad(values);
		try {
			checkInflight(load);
			loads.push(load);
		} catch (error) {
			skipped.push((error as BadOption).message);
		}
	}
	if (loads.length === 0) throw new BadOption(skipped[0]!);
	return [loads, skipped];
}
