import { parseArgs } from 'node:util';
import { BadOption } from '../../src/errors.js';
import { type BenchOptions, parseOptions } from '../options.js';
import { checkReportFile } from '../report-file.js';

export interface ProfileRunOptions extends BenchOptions {
	/** Entries a second in an open loop; null: as many as come back with `depth` in flight. */
	readonly rate: number | null;
	/** Measure first what recording costs. */
	readonly cost: boolean;
	/** Files to be written; null: not wanted. */
	readonly html: string | null;
	readonly trace: string | null;
	readonly hgrm: string | null;
}

const TEXTS = ['replicas', 'payload', 'depth', 'mode', 'seconds', 'entries', 'durability', 'dir'];
const FILES = ['html', 'trace', 'hgrm'] as const;
const RATE_MAX = 20_000_000;
/** No machine that this runs on takes more payload than this. */
const BYTES_PER_SECOND_MAX = 8e9;

/** @throws BadOption, in one line */
export function parseProfileOptions(argv: readonly string[]): ProfileRunOptions {
	const values = parse(argv);
	const forBench = TEXTS.flatMap((name) => {
		const value = values[name];
		return value === undefined ? [] : [`--${name}=${value}`];
	});
	if (values['json'] === true) forBench.push('--json');
	const options = parseOptions([...forBench, '--no-ceiling']);
	const [html, trace, hgrm] = FILES.map((name) => fileOf(name, values[name]));
	checkDistinct([html!, trace!, hgrm!]);
	const rate = rateOf(values['rate'] as string | undefined, options);
	return {
		...options,
		rate,
		cost: values['cost'] === true,
		html: html!,
		trace: trace!,
		hgrm: hgrm!,
	};
}

function parse(argv: readonly string[]): Readonly<Record<string, string | boolean | undefined>> {
	const text = { type: 'string' } as const;
	const flag = { type: 'boolean' } as const;
	const names = [...TEXTS, ...FILES, 'rate'];
	try {
		const { values } = parseArgs({
			args: [...argv],
			allowPositionals: false,
			options: {
				...Object.fromEntries(names.map((name) => [name, text])),
				json: flag,
				cost: flag,
			},
		});
		return values as Record<string, string | boolean | undefined>;
	} catch (error) {
		// Node appends advice about positionals to what is wrong.
		throw new BadOption((error as Error).message.split(/\.\s/)[0]!);
	}
}

/** Before anything is run: an hour's measuring is not to end in a path that can't be written. */
function fileOf(name: string, value: string | boolean | undefined): string | null {
	if (value === undefined) return null;
	if (value === '') throw new BadOption(`--${name} wants the name of a file`);
	checkReportFile(name, value as string);
	return value as string;
}

function checkDistinct(paths: readonly (string | null)[]): void {
	const wanted = paths.filter((path) => path !== null);
	if (new Set(wanted).size < wanted.length) throw new BadOption('two reports want the same file');
}

function rateOf(text: string | undefined, { payloadBytes }: BenchOptions): number | null {
	if (text === undefined) return null;
	const rate = Number(text);
	if (!/^\d+$/.test(text) || rate < 1 || rate > RATE_MAX) {
		throw new BadOption(`--rate is a whole number from 1 to ${RATE_MAX}, not '${text}'`);
	}
	if (rate * payloadBytes > BYTES_PER_SECOND_MAX) {
		throw new BadOption(
			`--rate ${rate} with --payload ${payloadBytes} is ${rate * payloadBytes} bytes a second; ` +
				`the most that is tried is ${BYTES_PER_SECOND_MAX}`,
		);
	}
	return rate;
}
