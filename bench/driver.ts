import { Histogram } from '../src/profile/histogram.js';
import { LoadBatch } from './load.js';
import { Run, type RunOrder, type Slice } from './run.js';

/** Where the load goes: the engine or the ceiling. Both are driven by the same loop and pay the same for it. */
export interface Target {
	/** Replicates the batch; resolves when all its entries are acknowledged. */
	submit(batch: LoadBatch): Promise<unknown>;
}

/** What a driver keeps in flight. */
export interface Load {
	readonly payloadBytes: number;
	/** Entries per submission. */
	readonly entriesPerBatch: number;
	/** Entries in flight, all together; in an open loop at most. */
	readonly depth: number;
	/** Entries a second that are due, whether earlier ones have come back or not. Absent: a closed loop. */
	readonly rate?: number;
}

/** Drives a load, over and over. */
export interface LoadDriver {
	/** Entries acknowledged since it was made. */
	readonly acknowledged: number;
	/** Resolves when everything submitted is acknowledged, rejects when anything fails. */
	run(order: RunOrder): Promise<Slice>;
	/** Lets the run that goes on end now, as if its time were over. */
	stop(): void;
}

/** Batches beyond twice those in flight, for whoever holds one longer than until its acknowledgement. */
const BATCHES_SPARE = 16;

/** One submission after the other; as many of these work at a time as batches are in flight. */
interface Slot {
	readonly count: number;
	batch: LoadBatch | null;
	startedAt: number;
}

/** Keeps `depth` entries in flight and takes the time of each submission from the call to its resolution. */
export class Driver implements LoadDriver {
	readonly #load: Load;
	readonly #target: Target;
	readonly #slots: Slot[] = [];
	/** More batches than slots: the ceiling may still be sending one that is acknowledged by a majority. */
	readonly #free: LoadBatch[] = [];
	#batchesToMake: number;
	readonly #waiting: Slot[] = [];
	readonly #latency = new Histogram();
	#nextNumber = 0;
	#acknowledged = 0;
	#run: Run | null = null;

	constructor(load: Load, target: Target) {
		this.#load = load;
		this.#target = target;
		for (let rest = load.depth; rest > 0; rest -= load.entriesPerBatch) {
			const count = Math.min(rest, load.entriesPerBatch);
			this.#slots.push({ count, batch: null, startedAt: 0 });
		}
		this.#batchesToMake = this.#slots.length * 2 + BATCHES_SPARE;
	}

	/** Entries acknowledged since the driver was made. */
	get acknowledged(): number {
		return this.#acknowledged;
	}

	/** Drives the load; resolves when everything submitted is acknowledged, rejects when anything fails. */
	run(order: RunOrder): Promise<Slice> {
		return new Promise((resolve, reject) => {
			this.#latency.take();
			const run = new Run(order, resolve, reject);
			this.#run = run;
			for (const slot of this.#slots) this.#submit(run, slot);
			this.#endIfDone(run);
		});
	}

	/** Lets the run that goes on end now, as if its time were over. */
	stop(): void {
		if (this.#run === null) return;
		this.#run.closed = true;
		this.#endIfDone(this.#run);
	}

	#submit(run: Run, slot: Slot): void {
		const count = Math.min(slot.count, run.entriesLeft);
		if (run.closed || count === 0) return;
		const batch = this.#takeBatch();
		if (batch === null) {
			this.#waiting.push(slot);
			return;
		}
		run.entriesLeft -= count;
		run.outstanding += 1;
		slot.batch = batch;
		batch.fill(this.#nextNumber, count);
		this.#nextNumber += count;
		slot.startedAt = performance.now();
		this.#target.submit(batch).then(
			() => this.#acknowledge(run, slot),
			(error: unknown) => run.fail(error as Error),
		);
	}

	#acknowledge(run: Run, slot: Slot): void {
		const now = performance.now();
		const batch = slot.batch!;
		const count = batch.count;
		run.outstanding -= 1;
		this.#acknowledged += count;
		run.advance(now, count);
		this.#latency.record(now - slot.startedAt, count);
		batch.release();
		this.#submit(run, slot);
		this.#endIfDone(run);
	}

	#endIfDone(run: Run): void {
		if (run.outstanding > 0 || (this.#waiting.length > 0 && !run.closed)) return;
		this.#waiting.length = 0;
		this.#run = null;
		run.end(this.#latency.take());
	}

	#takeBatch(): LoadBatch | null {
		const batch = this.#free.pop();
		if (batch !== undefined) return batch;
		if (this.#batchesToMake === 0) return null;
		this.#batchesToMake -= 1;
		const { payloadBytes, entriesPerBatch } = this.#load;
		return new LoadBatch(payloadBytes, entriesPerBatch, (free) => {
			this.#free.push(free);
			const slot = this.#waiting.pop();
			if (slot !== undefined && this.#run !== null) this.#submit(this.#run, slot);
		});
	}
}
