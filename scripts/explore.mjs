// Builds the exploration and runs it; the arguments are those of test/exhaustive/run.ts.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const build = ['node_modules/typescript/bin/tsc', '-p', 'test/exhaustive'];
const { status } = spawnSync(process.execPath, build, { cwd, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const run = ['dist/explore/test/exhaustive/run.js', ...process.argv.slice(2)];
const child = spawn(process.execPath, run, { cwd, stdio: 'inherit' });
// Ctrl-C reaches both; this one waits for what the other has to say.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
	process.exitCode = code ?? 1;
});
