import { BatchKind, batchLength, relabelBatch } from '../format/batch.js';
import { BatchWriter } from '../format/batch-writer.js';
import { decodeResults, type EntryResult } from '../format/results.js';
import { type Slab, SlabPool } from '../format/slab.js';
import { DEFAULT_LIMITS } from '../limits.js';
import type { Call } from './call.js';

/** A finished batch, until it is acknowledged. */
export interface Frame {
	/** Held once until it is acknowledged. */
	readonly slab: Slab;
	readonly offset: number;
	readonly length: number;
	sequence: number;
	readonly calls: readonly Call[];
	/** How often it was sent. */
	attempts: number;
	/** Whether it was sent on the connection of now. */
	isSent: boolean;
	isDone: boolean;
}

/** What a reply says that the state machine returned for the entries: null = no bytes; undefined = it makes no sense. */
export function resultsOf(
	{ calls }: Frame,
	body: Uint8Array,
): readonly EntryResult[] | null | undefined {
	if (body.length === 0) return null;
	const count = calls.reduce((sum, call) => sum + call.count, 0);
	return decodeResults(body, count) ?? undefined;
}

/** Tells each call its own. `index`: of the first entry; 0 = that isn't known any more. */
export function succeed(
	{ calls }: Frame,
	index: number,
	term: number,
	results: readonly EntryResult[] | null | 'lost',
): void {
	let position = 0;
	for (const call of calls) {
		const end = position + call.count;
		const own = Array.isArray(results) ? results.slice(position, end) : (results as null | 'lost');
		call.succeed(index === 0 ? 0 : index + position, term, own);
		position = end;
	}
}

/** Copies calls into the open batch, and makes frames of it. */
export class Gatherer {
	readonly #group: number;
	readonly #pool: SlabPool;
	readonly #writer = new BatchWriter(DEFAULT_LIMITS.batchEntriesMax);
	#calls: Call[] = [];
	/** Where frames are made; held once. */
	#slab: Slab | null = null;
	/** First free byte of it: where the open batch begins. */
	#free = 0;

	constructor(group: number, windowBytes: number) {
		this.#group = group;
		const { slabBytes } = DEFAULT_LIMITS;
		// No frame is longer than half a slab, so every slab but the first and the last is at least half full.
		this.#pool = new SlabPool(slabBytes, Math.ceil(windowBytes / (slabBytes / 2)) + 2);
	}

	/** Length the open batch would have now; 0 if there is none. */
	get openBytes(): number {
		const { count, payloadBytes } = this.#writer;
		return count === 0 ? 0 : batchLength(payloadBytes, count);
	}

	fits(call: Call): boolean {
		return this.#writer.fits(call.bytes, call.count);
	}

	/** Begins a batch in which the call fits; none is open. @returns false while there is no memory for it */
	begin(call: Call): boolean {
		const length = call.frameBytes;
		if (this.#slab === null || this.#slab.size - this.#free < length) {
			const next = this.#pool.acquire();
			if (next === null) return false;
			this.#slab?.release();
			this.#slab = next;
			this.#free = 0;
		}
		const room = this.#slab.size - this.#free;
		const bytesMax = Math.min(room, Math.max(length, DEFAULT_LIMITS.batchBytes));
		this.#writer.begin(this.#slab, this.#free, bytesMax);
		return true;
	}

	/** Calls back once, when `begin` may succeed again. */
	whenMemory(callback: () => void): void {
		this.#pool.whenAvailable(callback);
	}

	add(call: Call): void {
		call.copyTo(this.#writer);
		this.#calls.push(call);
	}

	/** Makes a frame of the open batch, which has an entry. `waits`: see `batchWaits`; without a session it is absent. */
	finish(session: number, sequence: number, waits?: number): Frame {
		const slab = this.#slab!;
		const offset = this.#free;
		const label = { group: this.#group, session, sequence, kind: BatchKind.entries };
		const length = this.#writer.finish(waits === undefined ? label : { ...label, waits });
		const calls = this.#calls;
		this.#calls = [];
		this.#free = offset + length;
		slab.retain();
		return { slab, offset, length, sequence, calls, attempts: 0, isSent: false, isDone: false };
	}

	/** Puts a frame that no leader has taken into another session. */
	relabel(frame: Frame, session: number, sequence: number, waits: number): void {
		relabelBatch(frame.slab, frame.offset, session, sequence, waits);
		frame.sequence = sequence;
	}

	/** Drops the open batch. @returns who waits for it */
	abandon(): readonly Call[] {
		const calls = this.#calls;
		this.#calls = [];
		this.#writer.abandon();
		return calls;
	}

	close(): void {
		this.#slab?.release();
		this.#slab = null;
	}
}
