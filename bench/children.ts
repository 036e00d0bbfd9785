import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Calls, Reply, Request } from './messages.js';

/** A benchmark that could not be carried through, in one line. */
export class BenchFailed extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'BenchFailed';
	}
}

/** What a process may take to be gone: after it was asked to, and after it was killed. */
const EXIT_MS = 2_000;

/**
 * A process of the benchmark, and calls to it. It never outlives its parent: it exits when the channel to
 * it closes, however its parent ended.
 */
export class Child<C extends Calls<C>> {
	readonly name: string;
	readonly #process: ChildProcess;
	readonly #asked = new Map<number, (reply: Reply) => void>();
	readonly #exited: Promise<void>;
	/** Entries acknowledged so far, as the child last told. */
	acknowledged = 0;
	#lastId = 0;
	/** Why no further answer will come. */
	#gone: string | null = null;

	/** @param module a worker: its file name in this folder, or its URL */
	constructor(name: string, module: string, lost: (error: BenchFailed) => void) {
		this.name = name;
		const path = fileURLToPath(new URL(module, import.meta.url));
		// What a worker prints goes to stderr: stdout is the result's. `advanced` sends typed arrays as they are.
		this.#process = fork(path, [], {
			stdio: ['ignore', 2, 2, 'ipc'],
			serialization: 'advanced',
			// Who profiles the bench wants to see these processes.
			execArgv: profilingArguments(process.execArgv),
		});
		this.#process.on('message', (reply) => this.#answer(reply as Reply));
		this.#exited = new Promise((resolve) => {
			this.#process.once('exit', (code, signal) => {
				resolve();
				this.#end(signal === null ? `exited with code ${code}` : `was killed by ${signal}`, lost);
			});
			this.#process.once('error', (error) => {
				resolve();
				this.#end(`failed: ${error.message}`, lost);
			});
		});
	}

	/** Of its process; undefined if it could not be started. */
	get pid(): number | undefined {
		return this.#process.pid;
	}

	ask<K extends keyof C & string>(call: K, argument: C[K]['argument']): Promise<C[K]['result']> {
		return new Promise((resolve, reject) => {
			if (this.#gone !== null) {
				reject(new BenchFailed(`${this.name} ${this.#gone}`));
				return;
			}
			this.#lastId += 1;
			this.#asked.set(this.#lastId, (reply) => {
				if (reply.error === undefined) resolve(reply.result as C[K]['result']);
				else reject(new BenchFailed(`${this.name}: ${reply.error}`));
			});
			const request: Request = { id: this.#lastId, call, argument };
			// A channel that closed is noticed by `exit`, which answers what is open.
			this.#process.send(request, () => {});
		});
	}

	/** Ends the process, and resolves when it is gone. It gets a moment, so that a profiler can write. */
	async end(): Promise<void> {
		this.#gone ??= 'was stopped';
		if (this.#process.connected) this.#process.disconnect();
		await this.#exitWithin(EXIT_MS);
		this.kill();
		await this.#exitWithin(EXIT_MS);
	}

	/** Ends the process now. */
	kill(): void {
		this.#gone ??= 'was stopped';
		this.#process.kill('SIGKILL');
	}

	#exitWithin(ms: number): Promise<unknown> {
		const late = new Promise((resolve) => setTimeout(resolve, ms).unref());
		return Promise.race([this.#exited, late]);
	}

	#answer(reply: Reply): void {
		if (reply.id === 0) {
			this.acknowledged = reply.result as number;
			return;
		}
		const settle = this.#asked.get(reply.id);
		this.#asked.delete(reply.id);
		settle?.(reply);
	}

	#end(why: string, lost: (error: BenchFailed) => void): void {
		const unexpected = this.#gone === null;
		this.#gone ??= why;
		const asked = [...this.#asked];
		this.#asked.clear();
		for (const [id, settle] of asked) settle({ id, error: this.#gone });
		if (unexpected) lost(new BenchFailed(`${this.name} ${why}`));
	}
}

/** Those of a profiler, with their values: `--cpu-prof-interval 500` are two. */
export function profilingArguments(argv: readonly string[]): string[] {
	const isOption = (argument: string | undefined) => argument?.includes('-prof') === true;
	return argv.filter(
		(each, i) => isOption(each) || (!each.startsWith('-') && isOption(argv[i - 1])),
	);
}

/** All processes of one benchmark. */
export class Children {
	readonly #children: { readonly pid: number | undefined; end(): Promise<void>; kill(): void }[] =
		[];
	readonly #fail: (error: Error) => void;
	/** Rejects when one ends that should not. */
	readonly lost: Promise<never>;

	constructor() {
		let fail: (error: Error) => void = () => {};
		this.lost = new Promise((_, reject) => {
			fail = reject;
		});
		// Whether anybody is listening at that moment or not.
		this.lost.catch(() => {});
		this.#fail = fail;
	}

	fork<C extends Calls<C>>(name: string, module: string): Child<C> {
		const child = new Child<C>(name, module, this.#fail);
		this.#children.push(child);
		return child;
	}

	/** Of all processes. */
	get pids(): number[] {
		return this.#children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
	}

	/** Ends all; resolves when none is left. */
	async end(): Promise<void> {
		await Promise.all(this.#children.map((child) => child.end()));
	}

	/** Ends all now. */
	kill(): void {
		for (const child of this.#children) child.kill();
	}
}
