// Builds the checker and runs it; the arguments are those of test/history/check-history.ts.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const BAD_INPUT = 2;
if (run(['node_modules/typescript/bin/tsc', '-p', 'test/history']) !== 0) process.exit(BAD_INPUT);
const parts = process.argv.slice(2).map(absolute);
process.exitCode = run(['dist/sim/test/history/check-history.js', ...parts]);

/** npm runs this from the root, whatever folder it was called in. */
function absolute(part) {
	const from = process.env.INIT_CWD ?? process.cwd();
	return part.startsWith('-') || /^\d+$/.test(part) ? part : resolve(from, part);
}

function run(parts) {
	return spawnSync(process.execPath, parts, { cwd: root, stdio: 'inherit' }).status ?? BAD_INPUT;
}
