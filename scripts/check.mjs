// Everything that can be said about the tree without running it. Writes nothing in the tree.
//   node scripts/check.mjs    one line for each step; exit code 1 if any failed
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');

/** Runs a Node program. @returns what it said, if it failed; else null */
function run(program, ...args) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
		cwd: root,
		encoding: 'utf8',
	});
	return status === 0 ? null : `${stdout}${stderr}`.trim() || `exit code ${status}`;
}

/** Packs what would be published, in a directory of its own, and judges that. */
async function packageFaults() {
	const directory = mkdtempSync(join(tmpdir(), 'millrace-package-'));
	try {
		const outDir = join(directory, 'dist');
		const buildFault = run(tsc, '-p', 'tsconfig.build.json', '--outDir', outDir);
		if (buildFault !== null) return buildFault;
		for (const name of ['package.json', 'README.md', 'LICENSE', 'schema']) {
			if (!existsSync(join(root, name))) return `${name} is missing`;
			cpSync(join(root, name), join(directory, name), { recursive: true });
		}
		symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
		const { messages, pkg } = await publint({ pkgDir: directory, pack: 'npm', strict: true });
		return messages.map((message) => formatMessage(message, pkg)).join('\n') || null;
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

const steps = [
	['types', () => run(tsc, '--noEmit')],
	['lint and format', () => run(biome, 'check', '.')],
	['generated code', () => run(join(root, 'scripts/generate-schema.mjs'), '--check')],
	['package', packageFaults],
];

let failures = 0;
for (const [name, step] of steps) {
	const fault = await step();
	if (fault !== null) {
		failures += 1;
		console.error(fault);
	}
	console.log(`${fault === null ? 'ok    ' : 'failed'}  ${name}`);
}
process.exitCode = failures === 0 ? 0 : 1;
