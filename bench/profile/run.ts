/**
 * `millrace profile`: a load on replicas in processes of their own, each of which records when what happened to each batch.
 * At the end their recordings are put together by the clock that they share.
 *
 *     start | warm up | (what does recording cost?) | record | collect | report
 */
import { Children } from '../children.js';
import { BenchDirectory } from '../directory.js';
import { Engine } from '../engine.js';
import { Interrupted, Interruption } from '../interruption.js';
import type { Output } from '../output.js';
import { Progress } from '../progress.js';
import type { RunOrder, Slice } from '../run.js';
import { type Cost, costOf } from './cost.js';
import type { ProfileRunOptions } from './options.js';
import { type Profile, profileOf } from './profile.js';
import { formatProfile } from './text.js';

const WARM_UP_MS = 1_500;
/** Pairs of slices, without and with recording. */
const COST_PAIRS = 8;
const ENTRIES_MAX = Number.MAX_SAFE_INTEGER;
/** The latest are kept. About 60 MB in each replica's process, and as much again when they are collected. */
const BATCHES_MAX = 262_144;

/** @returns the exit code */
export async function runProfile(options: ProfileRunOptions, output: Output): Promise<number> {
	const directory = await BenchDirectory.make(options);
	const run = new ProfileRun(options, output, directory);
	try {
		return await run.run();
	} finally {
		await run.end();
	}
}

class ProfileRun {
	readonly #options: ProfileRunOptions;
	readonly #output: Output;
	readonly #directory: BenchDirectory;
	readonly #children = new Children();
	readonly #progress: Progress;
	readonly #interruption: Interruption;
	#running: Engine | null = null;

	constructor(options: ProfileRunOptions, output: Output, directory: BenchDirectory) {
		this.#options = options;
		this.#output = output;
		this.#directory = directory;
		this.#progress = new Progress(output, options.json);
		this.#interruption = new Interruption(
			() => void this.#running?.stop().catch(() => {}),
			(exitCode) => this.#exitNow(exitCode),
		);
	}

	async run(): Promise<number> {
		if (this.#directory.isInMemory && this.#options.durability === 'sync') {
			this.#output.progress('this directory is in memory: durability sync costs nothing here\n');
		}
		let profile: Profile | null = null;
		try {
			profile = await this.#measure();
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
		}
		this.#progress.end();
		if (profile === null || profile.report.commits === 0) {
			this.#output.progress('interrupted before anything was measured\n');
			return this.#interruption.exitCode;
		}
		await this.#print(profile);
		return this.#interruption.signal === null ? 0 : this.#interruption.exitCode;
	}

	/** Leaves no process, no file and no signal handler. */
	async end(): Promise<void> {
		this.#progress.end();
		await this.#children.end();
		await this.#directory.remove();
		this.#interruption.end();
	}

	async #measure(): Promise<Profile> {
		const { seconds, entries } = this.#options;
		this.#progress.begin({ name: 'starting', done: () => 0, acknowledged: () => 0 });
		const engine = await this.#untilInterrupted(
			Engine.start(this.#children, this.#options, this.#directory.path),
		);
		await this.#slice(engine, { ms: WARM_UP_MS, entriesMax: ENTRIES_MAX }, 'warming up');
		const cost = this.#options.cost ? await this.#cost(engine) : null;
		await engine.profile(BATCHES_MAX);
		const ms = entries === null ? seconds * 1000 : Number.POSITIVE_INFINITY;
		const order = { ms, entriesMax: entries ?? ENTRIES_MAX };
		const slice = await this.#slice(engine, order, 'measuring');
		this.#progress.begin({ name: 'collecting', done: () => 1, acknowledged: () => slice.entries });
		const recordings = await this.#within(engine.recordings());
		if (this.#interruption.signal === null) await this.#untilInterrupted(engine.close());
		return profileOf(this.#options, slice, recordings, cost);
	}

	/** The load without and with recording, in turns, so that whatever else happens happens to both. */
	async #cost(engine: Engine): Promise<Cost> {
		const ms = (this.#options.seconds * 1000) / (2 * COST_PAIRS);
		const pairs: [number, number][] = [];
		for (let i = 0; i < COST_PAIRS; i++) {
			const off = await this.#rate(engine, ms);
			await engine.profile(BATCHES_MAX);
			const on = await this.#rate(engine, ms);
			await this.#within(engine.recordings());
			pairs.push([off, on]);
		}
		return costOf(pairs);
	}

	async #rate(engine: Engine, ms: number): Promise<number> {
		const slice = await this.#slice(
			engine,
			{ ms, entriesMax: ENTRIES_MAX },
			'what recording costs:',
		);
		return slice.entries / slice.ms;
	}

	async #slice(engine: Engine, order: RunOrder, what: string): Promise<Slice> {
		if (this.#interruption.signal !== null) throw new Interrupted();
		const startedAt = performance.now();
		const before = engine.acknowledged;
		this.#progress.begin({
			name: `${what} the engine`,
			done: () => {
				const { ms, entriesMax } = order;
				const byTime = (performance.now() - startedAt) / ms;
				return Math.max(byTime, (engine.acknowledged - before) / entriesMax);
			},
			acknowledged: () => engine.acknowledged,
		});
		this.#running = engine;
		try {
			return await this.#within(engine.run(order));
		} finally {
			this.#running = null;
		}
	}

	/** What is to be had after an interruption too, but not for long. */
	#within<T>(work: Promise<T>): Promise<T> {
		return Promise.race([work, this.#children.lost, this.#interruption.expired]);
	}

	#untilInterrupted<T>(work: Promise<T>): Promise<T> {
		return Promise.race([work, this.#children.lost, this.#interruption.requested]);
	}

	async #print(profile: Profile): Promise<void> {
		this.#output.result(
			this.#options.json ? `${JSON.stringify(profile)}\n` : formatProfile(this.#options, profile),
		);
	}

	#exitNow(exitCode: number): void {
		this.#children.kill();
		this.#directory.removeNow();
		process.exit(exitCode);
	}
}
