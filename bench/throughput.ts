/**
 * `millrace bench`: the engine and the ceiling take turns on the same machine, in slices, so that whatever
 * else happens there happens to both. All their processes live throughout; the one whose turn it isn't is idle.
 *
 *     start both | warm up both | engine, ceiling, engine, ceiling, ... | settle | close | verify
 */
import { Ceiling } from './ceiling.js';
import { Children } from './children.js';
import type { Contender } from './contender.js';
import { BenchDirectory } from './directory.js';
import { Engine } from './engine.js';
import { Interrupted, Interruption } from './interruption.js';
import { BENCH_LIMITS, type BenchOptions, CEILING_SEGMENTS } from './options.js';
import type { Output } from './output.js';
import { Progress } from './progress.js';
import { formatReport, type Measurement, makeReport } from './report.js';
import type { RunOrder, Slice } from './run.js';
import { straddledBytesRatio } from './straddled.js';
import { Tally } from './tally.js';
import { type Verdict, verify } from './verify.js';

const SLICES = 5;
/** Slices of a run that ends after so many entries. */
const ENTRIES_SLICE_MS = 1_000;
const WARM_UP_MS_MAX = 3_000;
const ENTRIES_MAX = Number.MAX_SAFE_INTEGER;

interface Conclusion {
	readonly verdict: Verdict;
	readonly straddled: number | null;
}

const INTERRUPTED: Conclusion = {
	verdict: { verified: false, reason: 'interrupted', entriesCompared: 0 },
	straddled: null,
};

/** @returns the exit code */
export async function runBench(options: BenchOptions, output: Output): Promise<number> {
	const directory = await BenchDirectory.make(options);
	const bench = new Bench(options, output, directory);
	try {
		return await bench.run();
	} finally {
		await bench.end();
	}
}

class Bench {
	readonly #options: BenchOptions;
	readonly #output: Output;
	readonly #directory: BenchDirectory;
	readonly #children = new Children();
	readonly #progress: Progress;
	readonly #interruption: Interruption;
	readonly #engineTally = new Tally();
	readonly #ceilingTally = new Tally();
	#turns = 0;
	#running: Contender | null = null;

	constructor(options: BenchOptions, output: Output, directory: BenchDirectory) {
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
		let measured: Measurement | null = null;
		try {
			const { engine, ceiling } = await this.#start();
			measured = await this.#measure(engine, ceiling);
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
		}
		this.#progress.end();
		if (measured === null || measured.engine.entries === 0) {
			this.#output.progress('interrupted before anything was measured\n');
			return this.#interruption.exitCode;
		}
		this.#print(measured);
		if (this.#interruption.signal !== null) return this.#interruption.exitCode;
		return measured.verdict.verified ? 0 : 1;
	}

	/** Leaves no process, no file and no signal handler. */
	async end(): Promise<void> {
		this.#progress.end();
		await this.#children.end();
		await this.#directory.remove();
		this.#interruption.end();
	}

	async #start(): Promise<{ engine: Engine; ceiling: Ceiling | null }> {
		this.#progress.begin({ name: 'starting', done: () => 0, acknowledged: () => 0 });
		const { path } = this.#directory;
		const [engine, ceiling] = await this.#untilInterrupted(
			Promise.all([
				Engine.start(this.#children, this.#options, path),
				this.#options.ceiling ? Ceiling.start(this.#children, this.#options, path) : null,
			]),
		);
		return { engine, ceiling };
	}

	async #measure(engine: Engine, ceiling: Ceiling | null): Promise<Measurement> {
		try {
			await this.#warmUp(engine);
			if (ceiling !== null) await this.#warmUp(ceiling);
			while (this.#goesOn) await this.#takeTurns(engine, ceiling);
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
		}
		const { verdict, straddled } = await this.#conclude(engine, ceiling);
		return {
			engine: this.#engineTally,
			ceiling: ceiling === null ? null : this.#ceilingTally,
			followers: engine.followers,
			straddledBytesRatio: straddled,
			verdict,
		};
	}

	/** Until all segments have been written once: from then on they are recycled. */
	async #warmUp(contender: Contender): Promise<void> {
		const logBytes = CEILING_SEGMENTS * BENCH_LIMITS.segmentBytes;
		const entriesMax = Math.ceil(logBytes / this.#options.payloadBytes);
		await this.#slice(contender, { ms: WARM_UP_MS_MAX, entriesMax }, 'warming up');
	}

	get #goesOn(): boolean {
		if (this.#interruption.signal !== null) return false;
		const { entries } = this.#options;
		return entries === null ? this.#turns < SLICES : this.#engineTally.entries < entries;
	}

	async #takeTurns(engine: Engine, ceiling: Ceiling | null): Promise<void> {
		this.#turns += 1;
		const { entries, seconds } = this.#options;
		const ms = entries === null ? (seconds * 1000) / SLICES : ENTRIES_SLICE_MS;
		const left = entries === null ? ENTRIES_MAX : entries - this.#engineTally.entries;
		const { ms: tookMs } = await this.#turn(engine, this.#engineTally, { ms, entriesMax: left });
		if (ceiling === null || this.#interruption.signal !== null) return;
		await this.#turn(ceiling, this.#ceilingTally, { ms: tookMs, entriesMax: ENTRIES_MAX });
	}

	async #turn(contender: Contender, tally: Tally, order: RunOrder): Promise<Slice> {
		const before = await contender.samples();
		const slice = await this.#slice(contender, order, 'measuring');
		tally.add(slice);
		tally.addUsed(before, await contender.samples());
		return slice;
	}

	async #slice(contender: Contender, order: RunOrder, what: string): Promise<Slice> {
		if (this.#interruption.signal !== null) throw new Interrupted();
		const startedAt = performance.now();
		this.#progress.begin({
			name: `${what} the ${contender.name}`,
			done: () => (what === 'measuring' ? this.#done(performance.now() - startedAt) : 0),
			acknowledged: () => contender.acknowledged,
		});
		this.#running = contender;
		try {
			const { lost } = this.#children;
			return await Promise.race([contender.run(order), lost, this.#interruption.expired]);
		} finally {
			this.#running = null;
		}
	}

	/** How much of the measuring is done, `ms` into a slice. */
	#done(ms: number): number {
		const { entries, seconds, ceiling } = this.#options;
		if (entries !== null) return this.#engineTally.entries / entries;
		const measuredMs = this.#engineTally.ms + this.#ceilingTally.ms + ms;
		return measuredMs / (seconds * 1000 * (ceiling ? 2 : 1));
	}

	async #conclude(engine: Engine, ceiling: Ceiling | null): Promise<Conclusion> {
		if (this.#interruption.signal !== null) return INTERRUPTED;
		try {
			return await this.#untilInterrupted(this.#verify(engine, ceiling));
		} catch (error) {
			if (error instanceof Interrupted) return INTERRUPTED;
			throw error;
		}
	}

	async #verify(engine: Engine, ceiling: Ceiling | null): Promise<Conclusion> {
		const { acknowledged } = engine;
		this.#progress.begin({ name: 'verifying', done: () => 1, acknowledged: () => acknowledged });
		const { committed, states } = await engine.settle();
		const driven = await engine.driven();
		await Promise.all([engine.close(), ceiling?.close()]);
		const { replicas } = engine;
		const { payloadBytes } = this.#options;
		const verdict = await verify({ replicas, committed, payloadBytes, ...driven });
		const followers = engine.followers.map((i) => states[i]!.counters);
		return { verdict, straddled: straddledBytesRatio(followers) };
	}

	#untilInterrupted<T>(work: Promise<T>): Promise<T> {
		return Promise.race([work, this.#children.lost, this.#interruption.requested]);
	}

	#print(measured: Measurement): void {
		const report = makeReport(this.#options, measured);
		this.#output.result(
			this.#options.json
				? `${JSON.stringify(report)}\n`
				: formatReport(this.#options, report, measured.verdict),
		);
	}

	#exitNow(exitCode: number): void {
		this.#children.kill();
		this.#directory.removeNow();
		process.exit(exitCode);
	}
}
