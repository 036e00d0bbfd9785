/**
 * One load, measured: the engine and the ceiling take turns on the same machine, in slices, so that whatever
 * else happens there happens to both. All their processes live throughout; the one whose turn it isn't is idle.
 *
 *     start both | warm up both | engine, ceiling, engine, ceiling, ... | settle | close | verify
 */
import { Ceiling } from './ceiling.js';
import { Children } from './children.js';
import type { Contender } from './contender.js';
import { Engine } from './engine.js';
import { Interrupted, type Interruption } from './interruption.js';
import { BENCH_LIMITS, type BenchOptions, CEILING_SEGMENTS } from './options.js';
import type { Progress } from './progress.js';
import type { Measurement } from './report.js';
import type { RunOrder, Slice } from './run.js';
import { untilSteady } from './steady.js';
import { straddledBytesRatio } from './straddled.js';
import { Tally } from './tally.js';
import { type Verdict, verify } from './verify.js';

const SLICES = 5;
/** Slices of a run that ends after so many entries. */
const ENTRIES_SLICE_MS = 1_000;
const WARM_UP_MS_MAX = 3_000;
/** Who measures for so long waits until it is steady: this much longer at most, by the second. */
const STEADY_FROM_SECONDS = 10;
const STEADY_SLICES_MAX = 6;
const ENTRIES_MAX = Number.MAX_SAFE_INTEGER;

interface Conclusion {
	readonly verdict: Verdict;
	readonly straddled: number | null;
}

const INTERRUPTED: Conclusion = {
	verdict: { verified: false, reason: 'interrupted', entriesCompared: 0 },
	straddled: null,
};

export class Measuring {
	readonly #options: BenchOptions;
	readonly #path: string;
	readonly #children = new Children();
	readonly #progress: Progress;
	readonly #interruption: Interruption;
	readonly #engineTally = new Tally();
	readonly #ceilingTally = new Tally();
	#turns = 0;
	#running: Contender | null = null;

	/** @param path a directory of its own, which is made */
	constructor(options: BenchOptions, path: string, progress: Progress, interruption: Interruption) {
		this.#options = options;
		this.#path = path;
		this.#progress = progress;
		this.#interruption = interruption;
	}

	/** What was measured, also if that was interrupted; null if it was before there was anything. */
	async run(): Promise<Measurement | null> {
		try {
			const { engine, ceiling } = await this.#start();
			const measured = await this.#measure(engine, ceiling);
			return measured.engine.entries === 0 ? null : measured;
		} catch (error) {
			if (error instanceof Interrupted) return null;
			throw error;
		} finally {
			await this.#children.end();
		}
	}

	/** Lets the slice that is under way end now. */
	stop(): void {
		this.#running?.stop().catch(() => {});
	}

	/** Ends all processes now. */
	kill(): void {
		this.#children.kill();
	}

	async #start(): Promise<{ engine: Engine; ceiling: Ceiling | null }> {
		this.#progress.begin({ name: 'starting', done: () => 0, acknowledged: () => 0 });
		const [engine, ceiling] = await this.#untilInterrupted(
			Promise.all([
				Engine.start(this.#children, this.#options, this.#path),
				this.#options.ceiling ? Ceiling.start(this.#children, this.#options, this.#path) : null,
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

	/** Until all segments have been written once, for from then on they are recycled; and for a third of the time to be measured,
	 * for V8 compiles what runs a thousand times a second only after a while: without it a run of ten seconds is 5 % slower. A long run
	 * is warmed up until it gets no quicker: in single mode that takes 6 to 9 seconds, and it is a third quicker then. */
	async #warmUp(contender: Contender): Promise<void> {
		const { payloadBytes, seconds } = this.#options;
		const endsAt = performance.now() + Math.min(WARM_UP_MS_MAX, (seconds * 1000) / 3);
		const logBytes = CEILING_SEGMENTS * BENCH_LIMITS.segmentBytes;
		const entriesMax = Math.ceil(logBytes / payloadBytes);
		await this.#slice(contender, { ms: WARM_UP_MS_MAX, entriesMax }, 'warming up');
		const ms = endsAt - performance.now();
		const order = { ms, entriesMax: ENTRIES_MAX };
		if (ms > 0) await this.#slice(contender, order, 'warming up');
		if (seconds < STEADY_FROM_SECONDS || this.#options.entries !== null) return;
		const second = { ...order, ms: 1_000 };
		await untilSteady(() => this.#slice(contender, second, 'warming up'), STEADY_SLICES_MAX);
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
}
