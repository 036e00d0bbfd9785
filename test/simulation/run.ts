/** The simulation from the command line: `npm run sim -- --help`. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeEdn } from '../history/edn.js';
import type { RunOptions } from './cluster-run.js';
import { makeErrorsCheap, type Result, runSeed, Sum } from './sweep.js';
import { Jobs } from './sweep-jobs.js';
import { parseOptions, type SweepOptions, UsageError, usage } from './sweep-options.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

async function main(): Promise<void> {
	try {
		const options = parseOptions(process.argv.slice(2));
		if (options === null) process.stdout.write(usage);
		else process.exitCode = await sweep(options);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		console.error(`sim: ${error.message} (--help tells more)`);
		process.exitCode = EXIT_USAGE;
	}
}

/** What writes the history of a run. */
function historyTo(path: string | null): Pick<RunOptions, 'onHistory'> {
	if (path === null) return {};
	const file = resolve(process.env['INIT_CWD'] ?? '.', path);
	return { onHistory: (events) => writeFileSync(file, writeEdn(events)) };
}

/** @returns what the process ends with */
async function sweep(options: SweepOptions): Promise<number> {
	const { seeds, isSingle, jobs: count, failuresMax, isVerbose, historyPath } = options;
	const { steps, upgrades } = options;
	const runOptions: RunOptions = { steps, upgrades, ...historyTo(historyPath) };
	const sum = new Sum();
	let isOver = false;
	let jobs: Jobs | null = null;
	const end = (): void => {
		isOver = true;
		jobs?.stop();
	};
	const told = (result: Result): void => {
		if ('story' in result) {
			sum.failures += 1;
			console.log(result.story);
			if (sum.failures >= failuresMax) end();
			return;
		}
		const { seed, outcome } = result;
		sum.add(outcome);
		if (isVerbose) console.log(seed, outcome.hash, outcome.steps, JSON.stringify(outcome.seen));
	};
	const interrupted = (): never => {
		end();
		console.log(`interrupted\n${sum}`);
		process.exit(EXIT_INTERRUPTED);
	};
	process.once('SIGINT', interrupted);
	process.once('SIGTERM', interrupted);
	if (count > 1 && !isSingle) {
		jobs = new Jobs(count, runOptions, told);
		await jobs.run(seeds);
	} else {
		if (!isSingle) makeErrorsCheap();
		for (const seed of seeds) {
			told(await runSeed(seed, runOptions));
			if (isOver) break;
		}
	}
	console.log(String(sum));
	return sum.failures === 0 ? 0 : EXIT_FAILED;
}

await main();
