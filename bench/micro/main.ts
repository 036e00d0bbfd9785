/** `npm run bench:micro`. */
import { EXIT_INTERRUPTED, interruptible } from '../../src/cli/interrupt.js';
import { oneLine } from '../../src/cli/one-line.js';
import { parse, wholeNumber } from '../../src/cli/options.js';
import { BadOption } from '../../src/errors.js';
import { thisMachine } from '../machine.js';
import { measurePair, type Pair, type Result } from './pair.js';
import { PAIRS } from './pairs.js';

const HELP = `What each function of the data path costs, beside the obvious way to do the same.

    npm run bench:micro [-- OPTIONS]

    --only TEXT  only those with this in their names
    --rounds N   how often the two take turns (7)
    --ms N       how long a turn takes (20)
    --json       print one JSON object

Nanoseconds a call, medians of the rounds; the ratio is taken within each round, and stands beside its lowest and highest.
Exit codes: 0 measured, 2 bad options, 130 interrupted (what was measured so far is printed).
`;

/** @returns the exit code */
export async function run(argv: readonly string[]): Promise<number> {
	if (argv.includes('--help') || argv.includes('-h')) {
		process.stdout.write(HELP);
		return 0;
	}
	try {
		const { values } = parse(argv, {
			only: { type: 'string', default: '' },
			rounds: { type: 'string', default: '7' },
			ms: { type: 'string', default: '20' },
			json: { type: 'boolean', default: false },
		});
		const rounds = wholeNumber('rounds', values.rounds, 1, 1000);
		const ms = wholeNumber('ms', values.ms, 1, 10_000);
		const pairs = PAIRS.filter(({ name }) => name.includes(values.only));
		if (pairs.length === 0) throw new BadOption(`--only '${values.only}' is in no name`);
		return await interruptible((signal) => runAll(pairs, rounds, ms, values.json, signal));
	} catch (error) {
		if (!(error instanceof BadOption)) throw error;
		process.stderr.write(`bench:micro: ${oneLine(error.message)}\n`);
		return 2;
	}
}

async function runAll(
	pairs: readonly Pair[],
	rounds: number,
	ms: number,
	isJson: boolean,
	signal: AbortSignal,
): Promise<number> {
	const width = Math.max(...pairs.map(({ name }) => name.length));
	const results: Result[] = [];
	if (!isJson)
		print([['what', 'ns', 'naive ns', 'ratio', '(low to high)', '  the naive way']], width);
	for (const pair of pairs) {
		// A turn holds the event loop: without this no signal would ever be heard.
		await new Promise((resolve) => setImmediate(resolve));
		if (signal.aborted) break;
		const result = await measurePair(pair, rounds, ms);
		results.push(result);
		if (isJson) process.stderr.write(`${results.length} of ${pairs.length}: ${pair.name}\n`);
		else print([rowOf(result)], width);
	}
	if (isJson) process.stdout.write(`${JSON.stringify({ machine: thisMachine(), results })}\n`);
	return signal.aborted ? EXIT_INTERRUPTED : 0;
}

function rowOf({ name, ns, naiveNs, naiveHow, ratio }: Result): string[] {
	const spread = `(${ratio.low.toFixed(1)} to ${ratio.high.toFixed(1)})`;
	return [
		name,
		number(ns),
		number(naiveNs),
		`${ratio.median.toFixed(1)}x`,
		spread,
		`  ${naiveHow}`,
	];
}

function number(ns: number): string {
	return ns.toFixed(ns < 100 ? 1 : 0);
}

function print(rows: readonly string[][], width: number): void {
	for (const [name, ns, naiveNs, ratio, spread, how] of rows) {
		const columns = [
			ns!.padStart(10),
			naiveNs!.padStart(10),
			ratio!.padStart(8),
			spread!.padStart(18),
		];
		process.stdout.write(`${name!.padEnd(width)}${columns.join('')}${how}\n`);
	}
}
