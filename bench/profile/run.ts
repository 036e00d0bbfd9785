/**
 * `millrace profile`: a load on replicas in processes of their own, each of which records when what happened to each batch.
 * At the end their recordings are put together by the clock that they share.
 *
 *     start | warm up | (what does recording cost?) | record | collect | report
 */
import { writeFile } from 'node:fs/promises';
import { Children } from '../children.js';
import { BenchDirectory } from '../directory.js';
import { Engine } from '../engine.js';
import { Interrupted, Interruption } from '../interruption.js';
import type { Output } from '../output.js';
import { renderPage } from '../page/page.js';
import { Progress } from '../progress.js';
import type { RunOrder, Slice } from '../run.js';
import { type Cost, costOf, type Rate } from './cost.js';
import { formatHgrm } from './hgrm.js';
import type { ProfileRunOptions } from './options.js';
import { type Measured, pageOf } from './page.js';
import { profileOf } from './profile.js';
import { formatProfile } from './text.js';
import { traceOf } from './trace.js';

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
	/** A report could not be written. */
	#isIncomplete = false;

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
		let measured: Measured | null = null;
		try {
			measured = await this.#measure();
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
		}
		this.#progress.end();
		if (measured === null || measured.profile.report.commits === 0) {
			this.#output.progress('interrupted before anything was measured\n');
			return this.#interruption.exitCode;
		}
		await this.#print(measured);
		if (this.#interruption.signal !== null) return this.#interruption.exitCode;
		return this.#isIncomplete ? 1 : 0;
	}

	/** Leaves no process, no file and no signal handler. */
	async end(): Promise<void> {
		this.#progress.end();
		await this.#children.end();
		await this.#directory.remove();
		this.#interruption.end();
	}

	async #measure(): Promise<Measured> {
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
		const profile = profileOf(this.#options, slice, recordings, cost);
		return { options: this.#options, profile, slice, recordings };
	}

	/** The load without and with recording, in turns, so that whatever else happens happens to both. */
	async #cost(engine: Engine): Promise<Cost> {
		const ms = (this.#options.seconds * 1000) / (2 * COST_PAIRS);
		const pairs: [Rate, Rate][] = [];
		for (let i = 0; i < COST_PAIRS; i++) {
			const off = await this.#rate(engine, ms);
			await engine.profile(BATCHES_MAX);
			const on = await this.#rate(engine, ms);
			await this.#within(engine.recordings());
			pairs.push([off, on]);
		}
		return costOf(pairs);
	}

	async #rate(engine: Engine, ms: number): Promise<Rate> {
		const before = await cpuOf(engine);
		const slice = await this.#slice(
			engine,
			{ ms, entriesMax: ENTRIES_MAX },
			'what recording costs:',
		);
		const cpu = (await cpuOf(engine)) - before;
		return { entriesPerMs: slice.entries / slice.ms, cpuPerEntry: cpu / slice.entries };
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

	/** The reports in files first: who reads the last line may open them. */
	async #print(measured: Measured): Promise<void> {
		const { html, trace, hgrm, json } = this.#options;
		const { profile, slice, recordings } = measured;
		if (html !== null) await this.#write(html, await renderPage(pageOf(measured)));
		if (trace !== null) await this.#write(trace, JSON.stringify(traceOf(recordings)));
		if (hgrm !== null) await this.#write(hgrm, formatHgrm(slice.latency));
		this.#output.result(
			json ? `${JSON.stringify(profile)}\n` : formatProfile(this.#options, profile),
		);
	}

	/** What can't be written is said, and the rest is told all the same. */
	async #write(path: string, text: string): Promise<void> {
		try {
			await writeFile(path, text);
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			this.#output.progress(`${path} could not be written: ${code}\n`);
			this.#isIncomplete = true;
		}
	}

	#exitNow(exitCode: number): void {
		this.#children.kill();
		this.#directory.removeNow();
		process.exit(exitCode);
	}
}

/** Of all replicas' processes, so far. */
async function cpuOf(engine: Engine): Promise<number> {
	const samples = await engine.samples();
	return samples.reduce((sum, { cpuMicroseconds }) => sum + cpuMicroseconds, 0);
}
