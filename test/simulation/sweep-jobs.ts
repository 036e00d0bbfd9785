import { type ChildProcess, fork } from 'node:child_process';
import type { RunOptions } from './cluster-run.js';
import type { Progress, Result } from './sweep.js';
import type { Report, Request } from './sweep-worker.js';

const LOOK_MS = 1000;

export interface JobOptions {
	readonly count: number;
	readonly run: RunOptions;
	/** Where the history of a seed goes. */
	readonly historyPath: string | null;
	/** Seconds that a seed may take. */
	readonly patienceSeconds: number;
	readonly onResult: (result: Result) => void;
}

/**
 * Runs seeds in processes of their own. Each gets the next seed when it has done one, so which process runs which is
 * chance; what a seed comes to is not. A seed that never ends can't say so itself: it is killed from here, is a failure,
 * and another process goes on with the next one.
 */
export class Jobs {
	readonly #options: JobOptions;
	readonly #jobs = new Set<Job>();
	#seeds: Iterator<string> = [][Symbol.iterator]();

	constructor(options: JobOptions) {
		this.#options = options;
	}

	/** Done when all seeds are, or after `stop`. */
	async run(seeds: Iterable<string>): Promise<void> {
		this.#seeds = seeds[Symbol.iterator]();
		const looks = setInterval(() => {
			for (const job of this.#jobs) job.look();
		}, LOOK_MS);
		try {
			await Promise.all(Array.from({ length: this.#options.count }, () => this.#feed()));
		} finally {
			clearInterval(looks);
			this.stop();
		}
	}

	/** What is under way is lost. */
	stop(): void {
		this.#seeds = [][Symbol.iterator]();
		for (const job of this.#jobs) job.kill();
	}

	/** One process after the other, while there are seeds. */
	async #feed(): Promise<void> {
		let job: Job | null = null;
		for (;;) {
			const { value: seed, done } = this.#seeds.next();
			if (done) break;
			if (job?.hasEnded !== false) job = this.#start();
			const result = await job.run(seed);
			if (result !== null) this.#options.onResult(result);
		}
		job?.kill();
	}

	#start(): Job {
		const job: Job = new Job(this.#options, () => this.#jobs.delete(job));
		this.#jobs.add(job);
		return job;
	}
}

/** A process, and the seed that it runs. */
class Job {
	readonly #options: JobOptions;
	readonly #child: ChildProcess;
	hasEnded = false;
	#isKilled = false;
	#seed = '';
	#settle: (result: Result | null) => void = () => {};
	#progress: Progress = { phase: 'its start', events: 0, virtualMs: 0 };
	/** Looks since the seed began, so that the time for which all of us were suspended doesn't count. */
	#looks = 0;

	constructor(options: JobOptions, onEnd: () => void) {
		this.#options = options;
		const worker = new URL('./sweep-worker.js', import.meta.url);
		// Not JSON, which has no infinity.
		this.#child = fork(worker, { serialization: 'advanced' });
		this.#child.on('message', (report: Report) => {
			if ('phase' in report) this.#progress = report;
			else this.#settle(report);
		});
		const ended = (how: string): void => {
			if (this.hasEnded) return;
			this.hasEnded = true;
			onEnd();
			this.#settle(this.#isKilled ? null : this.#failure(`its process ended: ${how}`));
		};
		this.#child.on('error', (error) => ended(error.message));
		this.#child.on('exit', (code, signal) => ended(String(signal ?? code)));
	}

	/** @returns null if it was killed meanwhile */
	run(seed: string): Promise<Result | null> {
		this.#seed = seed;
		this.#looks = 0;
		this.#progress = { phase: 'its start', events: 0, virtualMs: 0 };
		const { run: options, historyPath } = this.#options;
		const request: Request = { seed, options, historyPath };
		return new Promise((resolve) => {
			this.#settle = resolve;
			// If it can't be sent, the process is about to end, which settles this.
			this.#child.send(request, () => {});
		});
	}

	kill(): void {
		this.#isKilled = true;
		this.#child.kill('SIGKILL');
	}

	look(): void {
		this.#looks += 1;
		if (this.#isKilled || this.#looks * LOOK_MS <= this.#options.patienceSeconds * 1000) return;
		this.#settle(this.#failure(`not ended after ${this.#options.patienceSeconds} s, and killed`));
		this.kill();
		this.hasEnded = true;
	}

	#failure(what: string): Result {
		const { phase, events, virtualMs } = this.#progress;
		const { run } = this.#options;
		const upgrades = `${run.upgrades === true ? ' --upgrades' : ''}${run.hosts === true ? ' --hosts' : ''}`;
		const story =
			`seed ${this.#seed}: ${what}\nlast heard of in ${phase}, after ${events} events, at ${virtualMs.toFixed(3)} ms\n` +
			`again: npm run sim -- --seed ${this.#seed}${upgrades}`;
		return { seed: this.#seed, story };
	}
}
