// Builds the simulation and runs it; the arguments are those of test/simulation/run.ts.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
run(['node_modules/typescript/bin/tsc', '-p', 'test/simulation']);
run(['dist/sim/test/simulation/run.js', ...process.argv.slice(2)]);

function run(parts) {
	const { status } = spawnSync(process.execPath, parts, { cwd: root, stdio: 'inherit' });
	if (status !== 0) process.exit(status ?? 1);
}
