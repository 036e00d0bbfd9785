/**
 * Checks a recorded history; see docs/TESTING.md.
 *
 *     npm run check-history -- FILE [--configurations N]
 *
 * FILE holds Jepsen's operation maps in EDN, or JSON with one event a line. Exit codes: 0 linearizable, 1 not,
 * 2 the file can't be judged, 3 undecided within the limit.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkHistory, type Verdict } from './checker.js';
import { readHistory } from './history-file.js';
import { BadHistory } from './operations.js';

const EXIT_CODES = { linearizable: 0, 'not linearizable': 1, undecided: 3 };
const BAD_INPUT = 2;
const FAILURES_SHOWN = 5;
const USAGE = 'npm run check-history -- FILE [--configurations N]';

function main(): number {
	if (process.argv.includes('--help')) {
		console.log(USAGE);
		return 0;
	}
	const startedAt = performance.now();
	let verdict: Verdict;
	try {
		const { values, positionals } = parseArgs({
			options: { configurations: { type: 'string', default: '1000000' } },
			allowPositionals: true,
		});
		const configurationsMax = Number(values.configurations);
		if (positionals.length !== 1 || !(configurationsMax > 0)) throw new Error(`usage: ${USAGE}`);
		const events = readHistory(readFileSync(positionals[0]!, 'utf8'));
		if (events.length === 0) throw new Error('the file has no events');
		verdict = checkHistory(events, { configurationsMax });
	} catch (error) {
		const place = error instanceof BadHistory ? `event ${error.position}: ` : '';
		console.error(`${place}${(error as Error).message}`);
		return BAD_INPUT;
	}
	const { outcome, keys, operations, configurations, failures, undecided } = verdict;
	for (const { explanation } of failures.slice(0, FAILURES_SHOWN)) console.log(explanation);
	if (failures.length > FAILURES_SHOWN)
		console.log(`and ${failures.length - FAILURES_SHOWN} more keys`);
	if (undecided.length > 0)
		console.log(`undecided: ${undecided.length} keys: ${undecided.join(' ')}`);
	const seconds = (performance.now() - startedAt) / 1000;
	console.log(
		`${outcome}: ${operations} operations on ${keys} keys, ${configurations} configurations, ${seconds.toFixed(1)} s`,
	);
	return EXIT_CODES[outcome];
}

process.exitCode = main();
