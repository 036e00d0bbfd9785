/** The simulation from the command line: `npm run sim -- --help`. */
import { resolve } from 'node:path';
import { type Result, Sum } from './sweep.js';
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

/** @returns what the process ends with */
async function sweep(options: SweepOptions): Promise<number> {
	const { seeds, steps, upgrades, hosts, plant, failuresMax, isVerbose, patienceSeconds } = options;
	const { historyPath } = options;
	const sum = new Sum();
	const told = (result: Result): void => {
		if ('story' in result) {
			sum.failures += 1;
			console.log(result.story);
			if (sum.failures >= failuresMax) jobs.stop();
			return;
		}
		const { seed, outcome } = result;
		sum.add(outcome);
		if (isVerbose) console.log(seed, outcome.hash, outcome.steps, JSON.stringify(outcome.seen));
	};
	const jobs = new Jobs({
		count: options.jobs,
		run: { steps, upgrades, hosts, ...(plant !== null && { plant }) },
		historyPath: historyPath && resolve(process.env['INIT_CWD'] ?? '.', historyPath),
		patienceSeconds,
		onResult: told,
	});
	const interrupted = (): never => {
		jobs.stop();
		console.log(`interrupted\n${sum}`);
		process.exit(EXIT_INTERRUPTED);
	};
	process.once('SIGINT', interrupted);
	process.once('SIGTERM', interrupted);
	await jobs.run(seeds);
	console.log(String(sum));
	return sum.failures === 0 ? 0 : EXIT_FAILED;
}

await main();
