import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import type { Edit, Mutant } from './mutant.js';

const COPIED = [
	'src',
	'native-free-io',
	'schema',
	'bench',
	'examples',
	'docs',
	'test',
	'package.json',
	'tsconfig.json',
	'vitest.config.ts',
];
/** What a run of the simulation is made of. */
const COMPILED = ['src', 'native-free-io', 'test'];
/** Where the compiled files of a copy lie. */
const COMPILED_TO = 'compiled';

/** A mutant that can't be planted: the source has changed since it was written. */
export class Misfit extends Error {}

/** @returns the text with the edit made. Errors: `Misfit` */
export function edited(text: string, { file, find, replace }: Edit): string {
	const places = text.split(find).length - 1;
	if (places !== 1) throw new Misfit(`${file} has ${places} places, not one, with: ${find}`);
	// As a function: in a string, `$` would mean something.
	return text.replace(find, () => replace);
}

/** @returns the files that the mutant changes, as it leaves them. Errors: `Misfit` */
export function mutated(root: string, { name, edits }: Mutant): Map<string, string> {
	const files = new Map<string, string>();
	try {
		for (const edit of edits) {
			const text = files.get(edit.file) ?? readFileSync(join(root, edit.file), 'utf8');
			files.set(edit.file, edited(text, edit));
		}
	} catch (error) {
		throw new Misfit(`mutant ${name} can't be planted: ${(error as Error).message}`);
	}
	return files;
}

/** What makes this text no program; null if it is one. Types are not looked at: some mutants leave a name unused. */
export function syntaxFault(file: string, text: string): string | null {
	const { diagnostics } = compiled(file, text);
	const first = diagnostics?.[0];
	if (first === undefined) return null;
	return `${file}: ${ts.flattenDiagnosticMessageText(first.messageText, '\n')}`;
}

function compiled(file: string, text: string): ts.TranspileOutput {
	return ts.transpileModule(text, {
		fileName: file,
		reportDiagnostics: true,
		compilerOptions: {
			target: ts.ScriptTarget.ES2023,
			module: ts.ModuleKind.ESNext,
			verbatimModuleSyntax: true,
		},
	});
}

/** A copy of the tree, in which mutants are planted one after the other. Cheap: packages are linked, not copied. */
export class Tree {
	readonly root: string;
	#isCompiled = false;
	/** The files of the mutant that is planted now, as they were before. */
	#originals = new Map<string, string>();

	/** The copy lies in `scratch`. */
	constructor(source: string, scratch: string) {
		this.root = mkdtempSync(join(scratch, 'millrace-mutants-'));
		for (const name of COPIED)
			cpSync(join(source, name), join(this.root, name), { recursive: true });
		// One link for each: what vitest keeps among the packages is the copy's own.
		mkdirSync(join(this.root, 'node_modules'));
		for (const name of readdirSync(join(source, 'node_modules'))) {
			if (name.startsWith('.vite')) continue;
			symlinkSync(join(source, 'node_modules', name), join(this.root, 'node_modules', name));
		}
	}

	/** Errors: `Misfit`. */
	plant(mutant: Mutant): void {
		this.undo();
		for (const [file, text] of mutated(this.root, mutant)) {
			this.#originals.set(file, readFileSync(join(this.root, file), 'utf8'));
			this.#write(file, text);
		}
	}

	/** The tree is as it was copied. */
	undo(): void {
		for (const [file, text] of this.#originals) this.#write(file, text);
		this.#originals.clear();
	}

	#write(file: string, text: string): void {
		writeFileSync(join(this.root, file), text);
		if (this.#isCompiled) this.#compile(file, text);
	}

	/** Makes JavaScript of everything, once; from then on, of what a mutant changes. @returns the path of `file`'s */
	compiledPath(file: string): string {
		if (!this.#isCompiled) {
			for (const path of this.#sources()) {
				this.#compile(path, readFileSync(join(this.root, path), 'utf8'));
			}
			this.#isCompiled = true;
		}
		return join(this.root, COMPILED_TO, file.replace(/\.ts$/, '.js'));
	}

	#sources(): string[] {
		return COMPILED.flatMap((folder) =>
			readdirSync(join(this.root, folder), { recursive: true, encoding: 'utf8' })
				.filter((path) => path.endsWith('.ts') && !/\.(test|d)\.ts$/.test(path))
				.map((path) => join(folder, path)),
		);
	}

	#compile(file: string, text: string): void {
		const path = join(this.root, COMPILED_TO, file.replace(/\.ts$/, '.js'));
		mkdirSync(dirname(path), { recursive: true });
		writeFileSync(path, compiled(file, text).outputText);
	}

	remove(): void {
		rmSync(this.root, { recursive: true, force: true });
	}
}
