// Builds the fuzzer, with sources that tell which of their blocks were reached, and runs it. The arguments are those of
// test/fuzz/run.ts; with --planted it plants each bug of scripts/fuzz-planted.mjs instead and tells which are caught.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { PLANTED } from './fuzz-planted.mjs';
import { instrument } from './instrument.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = [
	'schema',
	'src',
	'bench',
	'native-free-io',
	'test/simulation',
	'test/format',
	'test/fuzz',
];
/** Loops over every byte: counting would cost more than they do. */
const NOT_COUNTED = new Set(['src/format/crc32.ts']);

const isCounted = (path) => /^(?:src\/|bench\/options)/.test(path) && !NOT_COUNTED.has(path);
const outOf = (directory, path) => join(directory, path.replace(/\.ts$/, '.js'));

function sources() {
	return SOURCES.flatMap((folder) =>
		readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile() && /(?<!\.test|\.d)\.ts$/.test(entry.name))
			.map((entry) => relative(root, join(entry.parentPath, entry.name))),
	);
}

/** Compiles one file. `change` is given its text. */
function compile(path, directory, names, change = (text) => text) {
	const before = isCounted(path) ? [instrument((line) => names.push(`${path}:${line}`) - 1)] : [];
	const { outputText } = ts.transpileModule(change(readFileSync(join(root, path), 'utf8')), {
		fileName: path,
		compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ES2022 },
		transformers: { before },
	});
	const out = outOf(directory, path);
	const runtime = relative(dirname(out), join(directory, 'blocks.js'));
	const head = isCounted(path)
		? `import { seen as $seen, first as $first } from './${runtime}';\n`
		: '';
	mkdirSync(dirname(out), { recursive: true });
	// What its first line says must stay the first.
	const [, shebang, code] = /^(#!.*\n)?([\s\S]*)$/.exec(outputText);
	writeFileSync(out, `${shebang ?? ''}${head}${code}`);
}

function build(directory, planted = null) {
	rmSync(directory, { recursive: true, force: true });
	const names = [];
	for (const path of sources()) {
		compile(path, directory, names, (text) =>
			planted?.file === path ? plant(text, planted) : text,
		);
	}
	const runtime = `export const seen = new Uint8Array(${names.length});
const names = ${JSON.stringify(names)};
const blocks = { seen, names, count: 0 };
globalThis.millraceBlocks = blocks;
export function first(number) {
	seen[number] = 1;
	blocks.count += 1;
}
`;
	writeFileSync(join(directory, 'blocks.js'), runtime);
}

function plant(text, { find, put }) {
	if (text.split(find).length !== 2) throw new Error(`not there once: ${find}`);
	return text.replace(find, () => put);
}

/** Runs a built fuzzer. @returns its exit code and what it printed, if that wasn't shown */
function run(directory, args, stdio) {
	const main = join(directory, 'test/fuzz/run.js');
	const child = spawn(process.execPath, [main, ...args], { cwd: root, stdio });
	let output = '';
	child.stdout?.on('data', (bytes) => {
		output += bytes;
	});
	return new Promise((resolve) => {
		child.on('close', (code) => resolve({ code: code ?? 1, output }));
	});
}

async function runPlanted(args) {
	const directory = join(root, 'dist/fuzz-planted');
	const only = args.find((arg) => !arg.startsWith('-'));
	const isWanted = ({ name, target }) =>
		only === undefined || target === only || name.includes(only);
	let survivors = 0;
	for (const bug of PLANTED.filter(isWanted)) {
		build(directory, bug);
		const args = [
			'--target',
			bug.target,
			'--cases',
			String(bug.cases),
			'--seed',
			'1',
			'--no-corpus',
			'--no-save',
		];
		const { code, output } = await run(directory, args, ['ignore', 'pipe', 'inherit']);
		const [, number, why] = /case (\d+) failed: (.*)/.exec(output) ?? [];
		const isCaught = code === 1 && number !== undefined;
		if (!isCaught) survivors += 1;
		const how = isCaught ? `case ${number}: ${why}` : `NOT CAUGHT in ${bug.cases} cases`;
		console.log(`${bug.target.padEnd(10)} ${bug.name.padEnd(52)} ${how}`);
	}
	rmSync(directory, { recursive: true, force: true });
	console.log(survivors === 0 ? 'all are caught' : `${survivors} not caught`);
	return survivors === 0 ? 0 : 1;
}

// A Ctrl-C reaches the child too, which ends in order; this process waits for it.
process.on('SIGINT', () => {});

const args = process.argv.slice(2);
if (args[0] === '--planted') process.exitCode = await runPlanted(args.slice(1));
else {
	const directory = join(root, 'dist/fuzz');
	build(directory);
	process.exitCode = (await run(directory, args, 'inherit')).code;
}
