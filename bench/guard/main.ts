import { oneLine } from '../../src/cli/one-line.js';
import { MillraceError } from '../../src/errors.js';
import { BenchFailed } from '../children.js';
import { processOutput } from '../output.js';
import { runGuard } from './guard.js';
import { HELP, parseGuardOptions } from './options.js';

/** @returns the exit code */
export async function run(argv: readonly string[]): Promise<number> {
	if (argv.includes('--help') || argv.includes('-h')) {
		process.stdout.write(HELP);
		return 0;
	}
	try {
		return await runGuard(parseGuardOptions(argv), processOutput);
	} catch (error) {
		if (error instanceof MillraceError) return complain(error.message, 2);
		if (error instanceof BenchFailed) return complain(error.message, 1);
		throw error;
	}
}

function complain(message: string, exitCode: number): number {
	process.stderr.write(`bench:guard: ${oneLine(message)}\n`);
	return exitCode;
}
