/** One of the processes of a sweep: runs the seeds that come, and ends with whoever sends them. */
import { writeFileSync } from 'node:fs';
import { writeEdn } from '../history/edn.js';
import type { RunOptions } from './cluster-run.js';
import { makeErrorsCheap, type Progress, type Result, runSeed } from './sweep.js';

/** What it is asked. */
export interface Request {
	readonly seed: string;
	readonly options: RunOptions;
	/** Where the history goes. */
	readonly historyPath: string | null;
}

/** What it says: where it is, now and then, and at last what the seed came to. */
export type Report = Progress | Result;

function tell(report: Report): void {
	// A pipe that has room takes this at once, so that it is out even if no turn follows.
	if (process.connected) process.send!(report);
}

makeErrorsCheap();
// An interrupt reaches every process of a terminal; the one that asks decides what it means.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.on('message', async ({ seed, options, historyPath }: Request) => {
	const history = historyPath !== null && {
		onHistory: (events: Parameters<typeof writeEdn>[0]) =>
			writeFileSync(historyPath, writeEdn(events)),
	};
	tell(await runSeed(seed, { ...options, ...history, onProgress: tell }));
});
