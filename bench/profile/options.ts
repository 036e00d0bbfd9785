import { parseArgs } from 'node:util';
import { BadOption } from '../../src/errors.js';
import {
	type BenchOptions,
	badArguments,
	checkInflight,
	LOAD_OPTIONS,
	readLoad,
	wholeNumber,
} from '../options.js';
import { checkReportFile } from '../report-file.js';

export interface ProfileRunOptions extends BenchOptions {
	readonly rate: number | null;
	/** Measure first what recording costs. */
	readonly cost: boolean;
	/** Files to be written; null: not wanted. */
	readonly html: string | null;
	readonly trace: string | null;
	readonly hgrm: string | null;
}

const RATE_MAX = 20_000_000;
/** No machine that this runs on takes more payload than this. */
const BYTES_PER_SECOND_MAX = 8e9;

/** @throws BadOption, in one line */
export function parseProfileOptions(argv: readonly string[]): ProfileRunOptions {
	const values = parse(argv);
	const load = readLoad({ ...values, 'no-ceiling': true });
	const rate = values.rate === undefined ? null : readRate(values.rate, load.payloadBytes);
	checkInflight({ ...load, rate });
	const { html = null, trace = null, hgrm = null, cost } = values;
	// Before anything is run: an hour's measuring is not to end in a path that can't be written.
	checkFiles({ html, trace, hgrm });
	return { ...load, rate, cost, html, trace, hgrm };
}

function parse(argv: readonly string[]) {
	const { 'no-ceiling': _, ...load } = LOAD_OPTIONS;
	try {
		return parseArgs({
			args: [...argv],
			allowPositionals: false,
			options: {
				...load,
				rate: { type: 'string' },
				cost: { type: 'boolean', default: false },
				html: { type: 'string' },
				trace: { type: 'string' },
				hgrm: { type: 'string' },
			},
		}).values;
	} catch (error) {
		throw badArguments(error);
	}
}

function readRate(text: string, payloadBytes: number): number {
	const rate = wholeNumber('rate', text, 1, RATE_MAX);
	if (rate * payloadBytes <= BYTES_PER_SECOND_MAX) return rate;
	throw new BadOption(
		`--rate ${rate} with --payload ${payloadBytes} is ${rate * payloadBytes} bytes a second; ` +
			`the most that is tried is ${BYTES_PER_SECOND_MAX}`,
	);
}

function checkFiles(files: Readonly<Record<string, string | null>>): void {
	const seen = new Set<string>();
	for (const [option, path] of Object.entries(files)) {
		if (path === null) continue;
		if (seen.has(path)) throw new BadOption(`two reports want the same file, ${path}`);
		seen.add(path);
		checkReportFile(option, path);
	}
}
