// Builds the hunt for planted bugs and starts it; the arguments are those of test/mutants/run.ts.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = ['node_modules/typescript/bin/tsc', '-p', 'test/mutants'];
const { status } = spawnSync(process.execPath, compiler, { cwd: root, stdio: 'inherit' });
if (status === 0) await import('../dist/mutants/test/mutants/run.js');
else process.exitCode = status ?? 1;
