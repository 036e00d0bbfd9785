import type { HistogramState } from './histogram.js';

/** How long to drive: until the first of the two is reached. */
export interface RunOrder {
	readonly ms: number;
	/** Entries to submit in this run at most. */
	readonly entriesMax: number;
}

/** One run. What was still in flight at its end was waited for, but counts only in `entriesAcknowledged`. */
export interface Slice {
	/** Acknowledged within `ms`. */
	readonly entries: number;
	readonly ms: number;
	readonly entriesAcknowledged: number;
	readonly latency: HistogramState;
	/** Pairs: ms since the start, entries acknowledged until then. */
	readonly course: Float64Array;
}

/** A point of the course is kept this often. */
const COURSE_INTERVAL_MS = 2;
/** Without any acknowledgement for so long the run has failed. */
const STALL_MS = 20_000;

/** The bookkeeping of one run. It is closed once its time is over, and ends when nothing is in flight. */
export class Run {
	entriesLeft: number;
	outstanding = 0;
	readonly #startedAt = performance.now();
	readonly #msMax: number;
	readonly #acknowledgedBefore: number;
	readonly #course: number[] = [];
	readonly #resolve: (slice: Slice) => void;
	readonly #reject: (error: Error) => void;
	readonly #watch: NodeJS.Timeout;
	/** When it was closed, and what was acknowledged until then. */
	#end: { ms: number; entries: number } | null = null;
	#lastPointAt = 0;
	#watched = -1;
	#acknowledged: number;

	constructor(
		order: RunOrder,
		acknowledgedBefore: number,
		resolve: (slice: Slice) => void,
		reject: (error: Error) => void,
	) {
		this.entriesLeft = order.entriesMax;
		this.#msMax = order.ms;
		this.#acknowledgedBefore = acknowledgedBefore;
		this.#acknowledged = acknowledgedBefore;
		this.#resolve = resolve;
		this.#reject = reject;
		this.#watch = setInterval(() => this.#look(), STALL_MS);
	}

	get closed(): boolean {
		return this.#end !== null;
	}

	/** Entries were acknowledged, `acknowledged` since the driver was made. Closes the run when its time is over. */
	advance(now: number, acknowledged: number): void {
		this.#acknowledged = acknowledged;
		const ms = now - this.#startedAt;
		if (this.#end !== null) return;
		if (ms >= this.#lastPointAt + COURSE_INTERVAL_MS) {
			this.#lastPointAt = ms;
			this.#course.push(ms, acknowledged - this.#acknowledgedBefore);
		}
		if (ms >= this.#msMax) this.close(now, acknowledged);
	}

	close(now: number, acknowledged: number): void {
		if (this.#end !== null) return;
		const entries = acknowledged - this.#acknowledgedBefore;
		this.#end = { ms: now - this.#startedAt, entries };
		this.#course.push(this.#end.ms, entries);
	}

	finish(acknowledged: number, latency: HistogramState): void {
		clearInterval(this.#watch);
		const { ms, entries } = this.#end!;
		this.#resolve({
			entries,
			ms,
			entriesAcknowledged: acknowledged - this.#acknowledgedBefore,
			latency,
			course: Float64Array.from(this.#course),
		});
	}

	fail(error: Error): void {
		clearInterval(this.#watch);
		this.close(performance.now(), this.#acknowledged);
		this.#reject(error);
	}

	#look(): void {
		if (this.#watched === this.#acknowledged) {
			this.fail(new Error(`no entry was acknowledged for ${STALL_MS / 1000} s`));
		}
		this.#watched = this.#acknowledged;
	}
}
