import { type ChildProcess, fork } from 'node:child_process';
import type { RunOptions } from './cluster-run.js';
import type { Result } from './sweep.js';
import type { Request } from './sweep-worker.js';

/**
 * Runs seeds in processes of their own. Each gets the next seed when it has done one, so which process runs which is
 * chance; what a seed comes to is not.
 */
export class Jobs {
	readonly #options: RunOptions;
	readonly #workers: readonly ChildProcess[];
	readonly #onResult: (result: Result) => void;
	#seeds: Iterator<string> = [][Symbol.iterator]();

	constructor(count: number, options: RunOptions, onResult: (result: Result) => void) {
		this.#options = options;
		this.#onResult = onResult;
		const worker = new URL('./sweep-worker.js', import.meta.url);
		this.#workers = Array.from({ length: count }, () =>
			// Not JSON, which has no infinity.
			fork(worker, { serialization: 'advanced' }),
		);
	}

	/** Done when all seeds are, or after `stop`. Rejects if a process dies. */
	async run(seeds: Iterable<string>): Promise<void> {
		this.#seeds = seeds[Symbol.iterator]();
		try {
			await Promise.all(this.#workers.map((worker) => this.#feed(worker)));
		} finally {
			this.stop();
		}
	}

	/** What is under way is lost. */
	stop(): void {
		this.#seeds = [][Symbol.iterator]();
		for (const worker of this.#workers) if (worker.connected) worker.disconnect();
	}

	#feed(worker: ChildProcess): Promise<void> {
		return new Promise((resolve, reject) => {
			let seed = '';
			const next = (): void => {
				const { value, done } = this.#seeds.next();
				if (done) return resolve();
				seed = value;
				const request: Request = { seed, options: this.#options };
				if (worker.connected) worker.send(request);
			};
			worker.on('message', (result: Result) => {
				this.#onResult(result);
				next();
			});
			worker.on('error', reject);
			worker.on('exit', (code, signal) => {
				if (code === 0) resolve();
				else reject(new Error(`the process that ran seed ${seed} ended with ${signal ?? code}`));
			});
			next();
		});
	}
}
