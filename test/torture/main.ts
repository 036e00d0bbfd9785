/**
 * Real processes, real signals, a network that breaks: see docs/TESTING.md.
 *
 *     npm run torture -- --minutes M [--replicas 5] [--seed S] ...
 *
 * Exit codes: 0 nothing was lost and all calls agree; 1 something is wrong; 2 bad options; 130 interrupted.
 */
import { join } from 'node:path';
import { launch, type Surroundings, surroundings } from './launch.js';
import { parseOptions, type TortureOptions, USAGE } from './options.js';
import { describeRun } from './report.js';
import { Interrupted, TortureRun } from './run.js';

const EXIT_BAD_OPTIONS = 2;
const EXIT_INTERRUPTED = 130;

async function torture(options: TortureOptions, around: Surroundings): Promise<number> {
	if (around.lacks !== '') process.stdout.write(`no network namespaces: ${around.lacks}\n`);
	const run = await TortureRun.make(options, around);
	let isInterrupted = false;
	const interrupt = () => {
		if (isInterrupted) process.exit(EXIT_INTERRUPTED);
		isInterrupted = true;
		run.interrupt();
	};
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
	// Whoever started this is gone.
	process.on('disconnect', interrupt);
	process.on('exit', () => run.killNow());
	let isKept = options.isKept;
	try {
		const summary = await run.run();
		process.stdout.write(`${describeRun(summary)}\n`);
		return 0;
	} catch (error) {
		if (error instanceof Interrupted) return EXIT_INTERRUPTED;
		isKept = true;
		run.say(`FAILED: ${error instanceof Error ? error.stack : error}`);
		return 1;
	} finally {
		if (options.historyFile !== null) run.writeHistory(options.historyFile);
		if (isKept) run.writeHistory(join(run.directory, 'history.edn'));
		await run.close(isKept);
		if (isKept) run.say(`directories, logs and history: ${run.directory}; seed ${options.seed}`);
	}
}

async function main(): Promise<number> {
	if (process.argv.includes('--help')) {
		process.stdout.write(USAGE);
		return 0;
	}
	let options: TortureOptions;
	try {
		options = parseOptions(process.argv.slice(2));
	} catch (error) {
		process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
		return EXIT_BAD_OPTIONS;
	}
	const around = surroundings();
	if (around === null) return launch(options.network, process.argv.slice(2));
	return torture(options, around);
}

process.exit(await main());
