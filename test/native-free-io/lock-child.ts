import { type ChildProcess, fork } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/**
 * A real process that locks directories on request. Node 20 doesn't run TypeScript, so the few files it
 * needs are turned into JavaScript first.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));

const script = `
import { lockDirectory } from './native-free-io/lock.js';
const locks = new Map();
process.on('message', async ({ order, directory }) => {
	try {
		if (order === 'lock') locks.set(directory, await lockDirectory(directory));
		else await locks.get(directory).release();
		process.send({ directory, error: null });
	} catch (error) {
		process.send({ directory, error: { code: error.code, message: error.message } });
	}
});
process.send('ready');
`;

/** Puts the program into this directory; gives the path to run. */
export async function buildLockProgram(directory: string): Promise<string> {
	for (const file of ['native-free-io/lock.ts', 'src/errors.ts']) {
		const source = await readFile(join(root, file), 'utf8');
		const { outputText } = ts.transpileModule(source, {
			compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
		});
		const target = join(directory, file.replace(/\.ts$/, '.js'));
		await mkdir(dirname(target), { recursive: true });
		await writeFile(target, outputText);
	}
	await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
	await writeFile(join(directory, 'main.js'), script);
	return join(directory, 'main.js');
}

export interface Refusal {
	readonly code: string;
	readonly message: string;
}

export class LockChild {
	readonly #process: ChildProcess;
	readonly #answers = new Map<string, (refusal: Refusal | null) => void>();

	private constructor(process: ChildProcess) {
		this.#process = process;
		process.on('message', ({ directory, error }: { directory: string; error: Refusal | null }) => {
			this.#answers.get(directory)!(error);
		});
	}

	static start(program: string): Promise<LockChild> {
		const process = fork(program, { execArgv: [] });
		return new Promise((resolve, reject) => {
			process.once('message', () => resolve(new LockChild(process)));
			process.once('error', reject);
			process.once('exit', () => reject(new Error('the lock program ended')));
		});
	}

	get pid(): number {
		return this.#process.pid!;
	}

	/** Null when it has the lock. */
	lock(directory: string): Promise<Refusal | null> {
		return this.#ask('lock', directory);
	}

	release(directory: string): Promise<Refusal | null> {
		return this.#ask('release', directory);
	}

	kill(): Promise<void> {
		return new Promise((resolve) => {
			this.#process.once('exit', () => resolve());
			this.#process.kill('SIGKILL');
		});
	}

	#ask(order: string, directory: string): Promise<Refusal | null> {
		return new Promise((resolve) => {
			this.#answers.set(directory, resolve);
			this.#process.send({ order, directory });
		});
	}
}
