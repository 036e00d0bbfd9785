import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** What no compiler holds: who may know whom, what may be called where, and that nothing is left lying about. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDERS = ['schema', 'src', 'native-free-io', 'bench', 'test', 'examples'];
const LINES_MAX = 450;

interface Source {
	/** From the root, with `/`. */
	readonly path: string;
	readonly text: string;
	/** The text without comments. */
	readonly code: string;
	readonly imports: readonly Import[];
}

interface Import {
	/** A path from the root, or the name of a package. */
	readonly target: string;
	readonly isTypeOnly: boolean;
}

function withoutComments(text: string): string {
	return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;{(,])\/\/.*$/gm, '$1');
}

function importsOf(path: string, code: string): Import[] {
	const statement =
		/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;
	// Programs within templates are of other processes.
	const own = code.replace(/`[^`]*`/g, '``');
	return [...own.matchAll(statement)].map(([, type, fixed, late]) => {
		const specifier = fixed ?? late!;
		const target = specifier.startsWith('.')
			? join(dirname(path), specifier).replace(/\.js$/, '.ts')
			: specifier;
		return { target, isTypeOnly: type !== undefined };
	});
}

function readSource(path: string): Source {
	const text = readFileSync(join(root, path), 'utf8');
	const code = withoutComments(text);
	return { path, text, code, imports: importsOf(path, code) };
}

const sources: Source[] = FOLDERS.filter((folder) => existsSync(join(root, folder)))
	.flatMap((folder) =>
		readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
			.map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/')),
	)
	.sort()
	.map(readSource);

const written = sources.filter(({ path }) => !path.startsWith('schema/generated/'));

function inside(folder: string): Source[] {
	return sources.filter(({ path }) => path.startsWith(`${folder}/`));
}

/** What all may import. */
const SHARED = ['src/errors.ts', 'src/assert.ts', 'src/limits.ts'];
/** The doors' shapes; whoever does I/O needs them. */
const DOORS = 'src/io.ts';
/** Shapes that a client of the engine sees too. */
const PUBLIC_SHAPES = 'src/replica/types.ts';

/** The table of docs/ARCHITECTURE.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
	'src/raft': [],
	'src/format': [],
	'src/profile': [DOORS],
	'src/log': ['src/format/', 'src/profile/', DOORS],
	'src/transport': ['src/format/', DOORS],
	'src/replica': ['src/format/', 'src/log/', 'src/profile/', 'src/raft/', 'src/transport/', DOORS],
	'src/host': ['src/format/', 'src/transport/', 'src/replica/', DOORS],
	'src/client': ['src/format/', 'src/transport/', DOORS],
	'src/browser': ['src/client/', 'src/transport/', DOORS],
	'src/gateway': ['src/format/', 'src/transport/', 'src/replica/', DOORS],
	'src/kv': ['src/format/', 'src/client/', DOORS],
	'native-free-io': [DOORS],
	'test/simulation': [DOORS],
	'test/history': [],
};

/** The files that hand Node's own doors to the engine. */
const ENTRIES = [
	'src/index.ts',
	'src/client/index.ts',
	'src/kv/index.ts',
	'src/gateway/index.ts',
	'src/browser/index.ts',
];

function mayImport(folder: string, source: Source, { target, isTypeOnly }: Import): boolean {
	const isOwn = target.startsWith(`${folder}/`);
	const isAllowed = MAY_IMPORT[folder]!.some((prefix) => target.startsWith(prefix));
	const door =
		source.path === 'src/browser/index.ts' ? 'native-free-io/web/' : 'native-free-io/index.ts';
	const isDoor = ENTRIES.includes(source.path) && target.startsWith(door);
	const seesShapes = folder === 'src/client' || folder === 'src/kv';
	const isShape = seesShapes && target === PUBLIC_SHAPES && isTypeOnly;
	return isOwn || isAllowed || isDoor || isShape || SHARED.includes(target);
}

/** What `path` needs of its own folder, itself included. */
function closure(path: string, found = new Set<string>()): Set<string> {
	found.add(path);
	for (const { target } of sources.find((source) => source.path === path)?.imports ?? []) {
		if (dirname(target) === dirname(path) && !found.has(target)) closure(target, found);
	}
	return found;
}

/** The simulated doors lie beside the clusters that are run on them. */
const simulatedDoors = closure('test/simulation/world.ts');

function belongs({ path }: Source): boolean {
	if (path.startsWith('test/history/')) return true;
	return !path.startsWith('test/') || simulatedDoors.has(path);
}

describe.each(Object.keys(MAY_IMPORT))('%s', (folder) => {
	it('imports nothing of ours but what docs/ARCHITECTURE.md says', () => {
		const strangers = inside(folder)
			.filter(belongs)
			.flatMap((source) =>
				source.imports
					.filter(({ target }) => target.includes('/') && !target.startsWith('node:'))
					.filter((imported) => !mayImport(folder, source, imported))
					.map(({ target }) => `${source.path} imports ${target}`),
			);
		expect(strangers).toEqual([]);
	});
});

describe('src', () => {
	/** Written into the dashboard: they run in a browser. */
	const isOfPage = ({ path }: Source) =>
		/^src\/gateway\/dashboard\/(?:watch|show)ing\.ts$/.test(path);
	const engine = inside('src')
		.filter(({ path }) => !path.startsWith('src/cli/'))
		.filter((source) => !isOfPage(source));

	it('has programs of a page as text, and nothing beside them', () => {
		const pages = inside('src').filter(isOfPage);
		expect(pages).toHaveLength(2);
		for (const { code } of pages) expect(code).toMatch(/^\s*export const [A-Z_]+ = `[\s\S]*`;\s*$/);
	});

	it('reaches the world through the doors alone', () => {
		const banned =
			/'node:(?:fs|net|timers|child_process|os|dns|perf_hooks)\b|\bDate\b|\bMath\.random\b|\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bqueueMicrotask\b|\bperformance\b|\bprocess\.|\bconsole\./g;
		const calls = engine.flatMap(({ path, code }) =>
			(code.match(banned) ?? []).map((call) => `${path}: ${call}`),
		);
		expect(calls).toEqual([]);
	});

	it('takes from node:crypto the comparing of tokens alone: chance comes through its door', () => {
		const users = engine.filter(({ imports }) =>
			imports.some(({ target }) => target === 'node:crypto'),
		);
		expect(
			users.map(({ path, code }) => [path, /import (.*) from 'node:crypto'/.exec(code)?.[1]]),
		).toEqual([['src/gateway/tokens.ts', '{ createHash, timingSafeEqual }']]);
	});

	it('takes from Node, without importing it, the two checksums', () => {
		const users = engine.filter(({ code }) => /\bgetBuiltinModule\b/.test(code));
		expect(
			users.map(({ path, code }) => [path, /getBuiltinModule(.*) \?\?/.exec(code)?.[1]]),
		).toEqual([
			['src/format/crc32.ts', "?.('node:zlib')?.crc32"],
			['src/format/payload-checksum.ts', "?.('node:crypto')?.createCipheriv"],
		]);
	});

	/** None reaches anything outside this process's memory. */
	const pure = ['node:crypto', 'node:events', 'node:zlib'];

	it('imports no package but the gateway’s: the bytes are read by our own accessors', () => {
		const packages = engine.flatMap(({ path, imports }) =>
			imports
				.filter(({ target }) => !target.startsWith('src/') && !target.startsWith('native-free-io/'))
				.filter(({ target }) => !pure.includes(target))
				.filter(({ target }) => path !== 'src/gateway/uws.ts' || target !== 'uWebSockets.js')
				.map(({ target }) => `${path} imports ${target}`),
		);
		expect(packages).toEqual([]);
	});
});

/** Files that a script names by their path from the root. */
function startedByScripts(): string[] {
	return readdirSync(join(root, 'scripts')).flatMap((name) => {
		const code = withoutComments(readFileSync(join(root, 'scripts', name), 'utf8'));
		return [...code.matchAll(/'([^'\s]+\.[jt]s)'/g)].map(([, path]) =>
			path!
				.replace(/^(?:\.\.?\/)*(?:dist\/(?:(?:sim|torture|explore|mutants)\/)?)?/, '')
				.replace(/\.js$/, '.ts'),
		);
	});
}

describe('the tree', () => {
	it('uses generated code to compare with, in tests and microbenchmarks alone', () => {
		const users = sources
			.filter(({ path }) => !/^(?:test|schema|bench\/micro)\//.test(path))
			.filter(({ imports }) => imports.some(({ target }) => target.startsWith('schema/')));
		expect(users.map(({ path }) => path)).toEqual([]);
	});

	it('imports files that are there, by their whole name', () => {
		const lost = sources.flatMap(({ path, imports }) =>
			imports
				.filter(({ target }) => /^(?:schema|src|native-free-io|bench|test|examples)\//.test(target))
				.filter(({ target }) => !existsSync(join(root, target)))
				.map(({ target }) => `${path} imports ${target}`),
		);
		expect(lost).toEqual([]);
	});

	it('has no file that nobody imports', () => {
		/** Run by their path: the command, what it starts, and tests. */
		const isRoot = (path: string) =>
			ENTRIES.includes(path) ||
			path === 'src/cli/main.ts' ||
			path === 'examples/maelstrom/main.ts' ||
			/^bench\/micro\/|\.test\.ts$|\.d\.ts$/.test(path);
		const used = new Set(written.flatMap(({ imports }) => imports.map(({ target }) => target)));
		// A process is started by the path of its program.
		const named = written.flatMap(({ path, code }) =>
			[...code.matchAll(/'([^'\s]+)\.js'/g)].map(([, name]) => `${join(dirname(path), name!)}.ts`),
		);
		for (const path of [...named, ...startedByScripts()]) used.add(path);
		const dead = written.filter(({ path }) => !isRoot(path) && !used.has(path));
		expect(dead.map(({ path }) => path)).toEqual([]);
	});

	it('holds no leftovers', () => {
		const marker = new RegExp(
			`\\b(?:${['TO', 'FIX'].map((start) => `${start}${start === 'TO' ? 'DO' : 'ME'}`).join('|')}|X{3})\\b`,
		);
		const leftover = /\bas any\b|: any\b|<any>|@ts-(?:ignore|nocheck)|\bdebugger\b|\.only\(/;
		const found = written
			.filter(({ path }) => path !== 'test/imports.test.ts')
			.filter(({ text, code }) => marker.test(text) || leftover.test(code));
		expect(found.map(({ path }) => path)).toEqual([]);
	});

	it(`has no file of more than ${LINES_MAX} lines`, () => {
		const long = written.filter(({ text }) => text.split('\n').length > LINES_MAX + 1);
		expect(long.map(({ path }) => path)).toEqual([]);
	});
});
