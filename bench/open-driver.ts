import { Histogram } from '../src/profile/histogram.js';
import type { Load, LoadDriver, Target } from './driver.js';
import { LoadBatch } from './load.js';
import { Run, type RunOrder, type Slice } from './run.js';

/** Those that were due and never submitted are entered in so many steps at most. */
const MISSED_STEPS_MAX = 10_000;

/**
 * An open loop: a request is due every so often, whether earlier ones have come back or not, and its time counts from when
 * it was due. So a stall counts against every request that it delays, and not only against the one that met it.
 *
 * At most `depth` entries are in flight: what is due beyond that waits, and its time goes on.
 */
export class OpenDriver implements LoadDriver {
	readonly #load: Load;
	readonly #target: Target;
	/** Between two requests. */
	readonly #intervalMs: number;
	readonly #free: LoadBatch[] = [];
	readonly #latency = new Histogram();
	readonly #lateness = new Histogram();
	#nextNumber = 0;
	#acknowledged = 0;
	#inFlight = 0;
	#run: Run | null = null;
	#startedAt = 0;
	#msMax = 0;
	/** Requests of this run that were submitted. */
	#requests = 0;
	#timer: NodeJS.Timeout | null = null;

	/** @param rate entries a second */
	constructor(load: Load, rate: number, target: Target) {
		this.#load = load;
		this.#target = target;
		this.#intervalMs = (1000 * load.entriesPerBatch) / rate;
	}

	get acknowledged(): number {
		return this.#acknowledged;
	}

	run(order: RunOrder): Promise<Slice> {
		return new Promise((resolve, reject) => {
			this.#latency.take();
			this.#lateness.take();
			this.#requests = 0;
			this.#msMax = order.ms;
			this.#startedAt = performance.now();
			this.#run = new Run(order, resolve, reject);
			this.#submitDue(this.#run);
		});
	}

	stop(): void {
		if (this.#run === null) return;
		this.#msMax = Math.min(this.#msMax, performance.now() - this.#startedAt);
		this.#run.closed = true;
		this.#submitDue(this.#run);
	}

	/** Submits what is due, and comes back when more is. */
	#submitDue(run: Run): void {
		if (this.#run !== run) return;
		const now = performance.now();
		if (now - this.#startedAt >= this.#msMax) run.closed = true;
		while (!run.closed && run.entriesLeft > 0 && this.#nextDue <= now && this.#hasRoom) {
			this.#submit(run, this.#nextDue, now);
		}
		if (run.closed || run.entriesLeft === 0) return this.#endIfDone(run);
		// Without room the next acknowledgement goes on.
		if (!this.#hasRoom || this.#timer !== null) return;
		this.#timer = setTimeout(
			() => {
				this.#timer = null;
				this.#submitDue(run);
			},
			Math.min(this.#nextDue, this.#startedAt + this.#msMax) - now,
		);
	}

	get #nextDue(): number {
		return this.#startedAt + this.#requests * this.#intervalMs;
	}

	get #hasRoom(): boolean {
		return this.#inFlight + this.#load.entriesPerBatch <= this.#load.depth;
	}

	#submit(run: Run, due: number, now: number): void {
		const { payloadBytes, entriesPerBatch } = this.#load;
		const count = Math.min(entriesPerBatch, run.entriesLeft);
		const batch =
			this.#free.pop() ??
			new LoadBatch(payloadBytes, entriesPerBatch, (free) => void this.#free.push(free));
		run.entriesLeft -= count;
		run.outstanding += 1;
		this.#requests += 1;
		this.#inFlight += count;
		this.#lateness.record(now - due, count);
		batch.fill(this.#nextNumber, count);
		this.#nextNumber += count;
		this.#target.submit(batch).then(
			() => this.#acknowledge(run, batch, due),
			(error: unknown) => this.#fail(run, error as Error),
		);
	}

	#acknowledge(run: Run, batch: LoadBatch, due: number): void {
		const now = performance.now();
		const { count } = batch;
		run.outstanding -= 1;
		this.#inFlight -= count;
		this.#acknowledged += count;
		run.advance(now, count);
		this.#latency.record(now - due, count);
		batch.release();
		this.#submitDue(run);
	}

	#fail(run: Run, error: Error): void {
		this.#endTimer();
		this.#run = null;
		run.fail(error);
	}

	#endIfDone(run: Run): void {
		if (run.outstanding > 0) return;
		this.#endTimer();
		this.#run = null;
		const missed = run.entriesLeft === 0 ? 0 : this.#enterMissed();
		const lateness = this.#lateness.take();
		run.end(this.#latency.take(), { lateness, missed });
	}

	/** @returns entries that were due within the time and never submitted */
	#enterMissed(): number {
		const { entriesPerBatch } = this.#load;
		const requests = Math.max(0, Math.ceil(this.#msMax / this.#intervalMs) - this.#requests);
		const steps = Math.min(requests, MISSED_STEPS_MAX);
		const end = performance.now();
		for (let step = 0; step < steps; step++) {
			const [from, to] = [step, step + 1].map((i) => Math.floor((i * requests) / steps));
			const due = this.#nextDue + from! * this.#intervalMs;
			this.#latency.record(end - due, (to! - from!) * entriesPerBatch);
		}
		return requests * entriesPerBatch;
	}

	#endTimer(): void {
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
	}
}
