import { BenchFailed } from '../../bench/children.js';
import { processOutput } from '../../bench/output.js';
import { parsePlan } from '../../bench/plan.js';
import { runBench } from '../../bench/throughput.js';
import { MillraceError } from '../errors.js';
import { oneLine } from './one-line.js';

export const help = `millrace bench: measures durable replication on this machine, beside what bare sockets and files reach

Usage: millrace bench [options]

  --replicas N       replica processes, all on this machine (3)
  --payload BYTES    size of an entry (256)
  --depth N          entries in flight (16384)
  --mode MODE        batch: proposeBatch in the leader's process (default)
                     single: each entry is its own awaited propose
                     client: a remote client process, over TCP
                     client-single: the same, each entry its own awaited propose
  --seconds S        measured time of the engine; the ceiling gets as much again (10)
  --entries N        measure until N entries are acknowledged, however long it takes
  --durability D     sync: acknowledged is on disk on a majority (default)
                     os: it is in the memory of a majority's kernels
  --dir DIR          where to put the logs; on the disk to be measured (./millrace-data)
  --no-ceiling       leave out the ceiling
  --runs N           measure N times, in fresh processes: medians, and how far apart they are (1)
  --sweep AXIS=V,V,...  [AXIS=V,V,...]
                     measure all combinations; an axis is payload, depth, mode, durability or replicas. Those beyond
                     a limit are named and left out
  --compare FILE     beside an earlier --json of the same loads on the same machine: better, worse, or no difference
                     found, with a 95 % interval. By efficiency if both have the ceiling, else by throughput
  --html FILE        write a page with tables and charts, which needs no network
  --json             print one JSON object

The ceiling is the same number of processes with the same payloads, batches and depth on node:net and node:fs
alone, measured in turns with the engine. At the end the logs of all replicas are read back and compared.
All files and processes of the run are removed when it ends, also on Ctrl-C, which prints what was measured so far.

Exit codes: 0 measured and verified, 1 failed or not verified, 2 bad options or directory, 130 interrupted.
`;

/** @returns the exit code */
export async function run(argv: string[]): Promise<number> {
	if (argv.includes('--help') || argv.includes('-h')) {
		process.stdout.write(help);
		return 0;
	}
	try {
		return await runBench(parsePlan(argv), processOutput);
	} catch (error) {
		if (error instanceof MillraceError) return complain(error.message, 2);
		if (error instanceof BenchFailed) return complain(error.message, 1);
		throw error;
	}
}

function complain(message: string, exitCode: number): number {
	process.stderr.write(`millrace bench: ${oneLine(message)}\n`);
	return exitCode;
}
