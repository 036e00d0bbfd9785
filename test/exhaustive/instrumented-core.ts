import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** A small change of the core's source: a bug to plant. `find` stands in the file exactly once. */
export interface Edit {
	/** Within `src/raft`. */
	readonly file: string;
	readonly find: string;
	readonly replace: string;
}

/** What the explorer needs of the core. */
export type CoreModule = typeof import('../../src/raft/raft.js') &
	typeof import('../../src/raft/types.js');

type Exports = Record<string, unknown>;

/**
 * The shipping core from its source files, with one difference: private fields (`#term`) have readable names
 * (`$term`). An exploration must copy a state and tell two states apart, whatever fields there are; the language hides
 * private ones even from reflection.
 */
export function loadCore(edits: readonly Edit[] = []): CoreModule {
	const root = rootDirectory();
	const modules = new Map<string, string>();
	for (const name of readdirSync(join(root, 'src/raft'))) {
		modules.set(`src/raft/${name}`, readFileSync(join(root, 'src/raft', name), 'utf8'));
	}
	modules.set('src/assert.ts', readFileSync(join(root, 'src/assert.ts'), 'utf8'));
	for (const edit of edits) plant(modules, edit);
	const loaded = new Map<string, Exports>();
	const load = (path: string): Exports => {
		const known = loaded.get(path);
		if (known !== undefined) return known;
		const exports: Exports = {};
		loaded.set(path, exports);
		const source = modules.get(path);
		if (source === undefined) throw new Error(`the core imports ${path}`);
		const run = new Function('exports', 'require', compiled(path, source));
		run(exports, (target: string) => load(join(dirname(path), target).replace(/\.js$/, '.ts')));
		return exports;
	};
	return { ...load('src/raft/types.ts'), ...load('src/raft/raft.ts') } as unknown as CoreModule;
}

function rootDirectory(): string {
	let at = dirname(fileURLToPath(import.meta.url));
	// The compiled explorer lies deeper than its source.
	while (!readdirSync(at).includes('package.json')) at = dirname(at);
	return at;
}

function plant(modules: Map<string, string>, { file, find, replace }: Edit): void {
	const path = `src/raft/${file}`;
	const parts = (modules.get(path) ?? '').split(find);
	if (parts.length !== 2) throw new Error(`${path} has ${parts.length - 1} times: ${find}`);
	modules.set(path, parts.join(replace));
}

function compiled(fileName: string, source: string): string {
	const { outputText } = ts.transpileModule(source, {
		fileName,
		compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS },
		transformers: { before: [readableFields] },
	});
	return outputText;
}

const readableFields: ts.TransformerFactory<ts.SourceFile> = (context) => (file) => {
	const visit = (node: ts.Node): ts.Node =>
		ts.isPrivateIdentifier(node)
			? context.factory.createIdentifier(`$${node.text.slice(1)}`)
			: ts.visitEachChild(node, visit, context);
	return ts.visitEachChild(file, visit, context);
};
