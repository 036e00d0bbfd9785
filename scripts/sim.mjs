// Builds the simulation and runs it; the arguments are those of test/simulation/run.ts.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const built = spawnSync(
	process.execPath,
	['node_modules/typescript/bin/tsc', '-p', 'test/simulation'],
	{
		cwd,
		stdio: 'inherit',
	},
);
if (built.status !== 0) process.exit(built.status ?? 1);

// Most of what a run makes is garbage at once: few and large collections, on the one core that a job has.
const collection = ['--max-semi-space-size=64', '--single-threaded-gc'];
const child = spawn(
	process.execPath,
	[...collection, 'dist/sim/test/simulation/run.js', ...process.argv.slice(2)],
	{
		cwd,
		stdio: 'inherit',
	},
);
// A terminal interrupts both; the child says what it came to before it ends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => process.exit(code ?? 1));
