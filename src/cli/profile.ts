import { BenchFailed } from '../../bench/children.js';
import { processOutput } from '../../bench/output.js';
import { parseProfileOptions } from '../../bench/profile/options.js';
import { runProfile } from '../../bench/profile/run.js';
import { MillraceError } from '../errors.js';
import { oneLine } from './one-line.js';

export const help = `millrace profile: shows where the time of a commit goes, from its acceptance to its answer

Usage: millrace profile [options]

  --replicas N       replica processes, all on this machine (3)
  --payload BYTES    size of an entry (256)
  --depth N          entries in flight (16384)
  --mode MODE        batch: proposeBatch in the leader's process (default)
                     single: each entry is its own awaited propose
                     client: a remote client process, over TCP
                     client-single: the same, each entry its own awaited propose
  --rate N           an open loop: N entries a second are due, whether earlier ones have come back or not, and each
                     counts from when it was due; at most --depth are in flight
  --seconds S        measured time (10)
  --entries N        measure until N entries are acknowledged, however long it takes
  --durability D     sync: acknowledged is on disk on a majority (default)
                     os: it is in the memory of a majority's kernels
  --dir DIR          where to put the logs; on the disk to be measured (./millrace-data)
  --cost             measure first what recording costs, in as much time again
  --json             print one JSON object
  --html FILE        a page with charts and the slowest commits' timelines; it needs no network
  --trace FILE       the slowest and the last commits for ui.perfetto.dev or chrome://tracing
  --hgrm FILE        the latency's percentiles, as HdrHistogram prints them

All files and processes of the run but the reports are removed when it ends, also on Ctrl-C, which prints what was
measured so far.

Exit codes: 0 measured, 1 failed, 2 bad options or directory, 130 interrupted.
`;

/** @returns the exit code */
export async function run(argv: string[]): Promise<number> {
	try {
		return await runProfile(parseProfileOptions(argv), processOutput);
	} catch (error) {
		if (error instanceof MillraceError) return complain(error.message, 2);
		if (error instanceof BenchFailed) return complain(error.message, 1);
		throw error;
	}
}

function complain(message: string, exitCode: number): number {
	process.stderr.write(`millrace profile: ${oneLine(message)}\n`);
	return exitCode;
}
