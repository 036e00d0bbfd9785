/** One of the processes of `--jobs`: runs the seeds that come, and ends with whoever sends them. */
import type { RunOptions } from './cluster-run.js';
import { makeErrorsCheap, runSeed } from './sweep.js';

/** What it is asked. */
export interface Request {
	readonly seed: string;
	readonly options: RunOptions;
}

makeErrorsCheap();
// An interrupt reaches every process of a terminal; the one that asks decides what it means.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.on('message', async ({ seed, options }: Request) => {
	const result = await runSeed(seed, options);
	if (process.connected) process.send!(result);
});
