import type { HistogramState } from '../src/profile/histogram.js';

/** How long to drive: until the first of the two is reached. */
export interface RunOrder {
	readonly ms: number;
	/** Entries to submit in this run at most. */
	readonly entriesMax: number;
}

/**
 * One run, from an empty pipeline to an empty pipeline: what is in flight when its time is over is waited for,
 * and counts, with the time that it takes.
 */
export interface Slice {
	/** All were acknowledged. */
	readonly entries: number;
	readonly ms: number;
	readonly latency: HistogramState;
	/** Pairs: ms since the start, entries acknowledged until then. */
	readonly course: Float64Array;
	/** Of an open loop. */
	readonly open?: OpenLoop;
}

export interface OpenLoop {
	/** How long after it was due an entry was submitted. */
	readonly lateness: HistogramState;
	/** Entries that were due and never submitted, because too many were in flight. In `latency` they count as if they had
	 * been answered when the run ended: they would have taken longer. */
	readonly missed: number;
}

/** A point of the course is kept this often. */
const COURSE_INTERVAL_MS = 2;
/** Without any acknowledgement for so long the run has failed. */
const STALL_MS = 20_000;

/** The bookkeeping of one run. Once it is closed nothing more is submitted. */
export class Run {
	entriesLeft: number;
	outstanding = 0;
	closed = false;
	#entries = 0;
	readonly #startedAt = performance.now();
	readonly #msMax: number;
	readonly #course: number[] = [];
	#lastPointMs = 0;
	readonly #resolve: (slice: Slice) => void;
	readonly #reject: (error: Error) => void;
	readonly #watch: NodeJS.Timeout;
	#watchedEntries = 0;

	constructor(order: RunOrder, resolve: (slice: Slice) => void, reject: (error: Error) => void) {
		this.entriesLeft = order.entriesMax;
		this.#msMax = order.ms;
		this.#resolve = resolve;
		this.#reject = reject;
		this.#watch = setInterval(() => this.#look(), STALL_MS);
	}

	/** `count` more entries were acknowledged. Closes the run when its time is over. */
	advance(now: number, count: number): void {
		this.#entries += count;
		const ms = now - this.#startedAt;
		if (ms >= this.#msMax) this.closed = true;
		if (ms < this.#lastPointMs + COURSE_INTERVAL_MS) return;
		this.#lastPointMs = ms;
		this.#course.push(ms, this.#entries);
	}

	/** Everything submitted is acknowledged. */
	end(latency: HistogramState, open?: OpenLoop): void {
		this.closed = true;
		clearInterval(this.#watch);
		const ms = performance.now() - this.#startedAt;
		this.#course.push(ms, this.#entries);
		const course = Float64Array.from(this.#course);
		this.#resolve({ entries: this.#entries, ms, latency, course, ...(open && { open }) });
	}

	fail(error: Error): void {
		this.closed = true;
		clearInterval(this.#watch);
		this.#reject(error);
	}

	#look(): void {
		if (this.#watchedEntries === this.#entries) {
			this.fail(new Error(`no entry was acknowledged for ${STALL_MS / 1000} s`));
		}
		this.#watchedEntries = this.#entries;
	}
}
