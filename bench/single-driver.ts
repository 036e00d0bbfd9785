import { Histogram } from '../src/profile/histogram.js';
import type { LoadDriver, Target } from './driver.js';
import { type LoadBatch, makeEntry, writeNumber } from './load.js';
import type { Placement } from './placement.js';
import { Run, type RunOrder, type Slice } from './run.js';

/** Proposes one entry; resolves when it is acknowledged, to where it lies. */
export type ProposeOne = (entry: Uint8Array) => Promise<{ readonly index: number }>;

/** Batches of one entry, each proposed as an entry. */
export class OneByOne implements Target {
	readonly #propose: ProposeOne;
	readonly #placement: Placement;

	constructor(propose: ProposeOne, placement: Placement) {
		this.#propose = propose;
		this.#placement = placement;
	}

	async submit(batch: LoadBatch): Promise<void> {
		const number = batch.first;
		const { index } = await this.#propose(batch.payload);
		this.#placement.check(number, index);
	}
}

/** `depth` loops, each of which awaits its own proposal before it makes the next. */
export class SingleDriver implements LoadDriver {
	readonly #depth: number;
	readonly #payloadBytes: number;
	readonly #propose: ProposeOne;
	readonly #placement: Placement;
	readonly #entries: Uint8Array[] = [];
	readonly #latency = new Histogram();
	#nextNumber = 0;
	#acknowledged = 0;
	#run: Run | null = null;

	constructor(depth: number, payloadBytes: number, propose: ProposeOne, placement: Placement) {
		this.#depth = depth;
		this.#payloadBytes = payloadBytes;
		this.#propose = propose;
		this.#placement = placement;
		for (let i = 0; i < depth; i++) this.#entries.push(makeEntry(payloadBytes));
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
			const loops: Promise<void>[] = [];
			for (let i = 0; i < this.#depth; i++) loops.push(this.#loop(run, this.#entries[i]!));
			Promise.all(loops).then(
				() => this.#end(run),
				(error: unknown) => run.fail(error as Error),
			);
		});
	}

	/** Lets the run that goes on end now, as if its time were over. */
	stop(): void {
		if (this.#run !== null) this.#run.closed = true;
	}

	async #loop(run: Run, entry: Uint8Array): Promise<void> {
		const view = new DataView(entry.buffer);
		let startedAt = performance.now();
		while (!run.closed && run.entriesLeft > 0) {
			run.entriesLeft -= 1;
			const number = this.#nextNumber++;
			writeNumber(view, 0, this.#payloadBytes, number);
			const { index } = await this.#propose(entry);
			this.#placement.check(number, index);
			// One reading of the clock ends this entry's time and begins the next one's.
			const now = performance.now();
			this.#acknowledged += 1;
			run.advance(now, 1);
			this.#latency.record(now - startedAt, 1);
			startedAt = now;
		}
	}

	#end(run: Run): void {
		this.#run = null;
		run.end(this.#latency.take());
	}
}
