import { assert } from '../assert.js';
import { BATCH_PAYLOAD_OFFSET, type BatchLabel, batchLength, finishBatch } from './batch.js';
import { assertPlace, type Memory } from './memory.js';
import { type Slab, SlabPool } from './slab.js';

/** Entries that already lie one behind the other: entry i is `payload[ends[i-1] .. ends[i])`. */
export interface PackedEntries {
	readonly payload: Uint8Array;
	/** Never going back; the last one is `payload.length`. */
	readonly ends: Uint32Array;
}

/**
 * What is wrong with a caller's packed entries, or `null`. The question for before `addPacked`: what is
 * wrong with them would be wrong with the frame, and every replica would refuse it.
 */
export function packedFault(packed: PackedEntries): string | null {
	const { payload, ends } = packed;
	if (ends.length === 0) return 'there is no entry';
	let before = 0;
	for (let i = 0; i < ends.length; i++) {
		const end = ends[i]!;
		// Written so that NaN, if the caller's array isn't what it should be, is refused too.
		if (!(end >= before)) return 'ends go back';
		before = end;
	}
	return before === payload.length ? null : 'ends do not cover the payload';
}

/** Fills one batch after the other, in place. The only copy of a proposal's bytes happens here. */
export class BatchWriter {
	/** Ends of the open batch's entries; as many as the largest batch may have. */
	readonly #ends: Uint32Array;
	#memory: Memory | null = null;
	#offset = 0;
	/** What payload and ends may take together; below 0 while no batch is open. */
	#room = -1;
	#payloadBytes = 0;
	#count = 0;

	constructor(entriesMax: number) {
		this.#ends = new Uint32Array(entriesMax);
	}

	get count(): number {
		return this.#count;
	}

	get payloadBytes(): number {
		return this.#payloadBytes;
	}

	/** Begins a batch at `offset` (a multiple of 8), at most `bytesMax` long as a frame. */
	begin(memory: Memory, offset: number, bytesMax: number): void {
		assertPlace(memory, offset, bytesMax);
		this.#memory = memory;
		this.#offset = offset;
		// What `batchLength(p, c) <= bytesMax` comes down to, once: the padding is in the rounding.
		this.#room = Math.floor(bytesMax / 8) * 8 - (BATCH_PAYLOAD_OFFSET + 4);
		this.#payloadBytes = 0;
		this.#count = 0;
	}

	/** Whether `count` more entries of `bytes` altogether fit in. */
	fits(bytes: number, count: number): boolean {
		const countThen = this.#count + count;
		return (
			this.#payloadBytes + bytes + 4 * countThen <= this.#room && countThen <= this.#ends.length
		);
	}

	/** Appends an entry that `fits`. */
	add(entry: Uint8Array): void {
		const start = this.#payloadBytes;
		const bytes = entry.length;
		assert(this.fits(bytes, 1), 'an entry is added where it fits');
		this.#memory!.bytes.set(entry, this.#offset + BATCH_PAYLOAD_OFFSET + start);
		this.#payloadBytes = start + bytes;
		this.#ends[this.#count] = start + bytes;
		this.#count += 1;
	}

	/** Appends entries that `fit`, with one copy; `packedFault` has found nothing wrong with them. */
	addPacked(packed: PackedEntries): void {
		const { payload, ends } = packed;
		assert(this.fits(payload.length, ends.length), 'entries are added where they fit');
		assert(ends[ends.length - 1] === payload.length, 'the last end is the end of the payload');
		const start = this.#payloadBytes;
		this.#memory!.bytes.set(payload, this.#offset + BATCH_PAYLOAD_OFFSET + start);
		if (start === 0) this.#ends.set(ends, this.#count);
		else for (let i = 0; i < ends.length; i++) this.#ends[this.#count + i] = start + ends[i]!;
		this.#payloadBytes = start + payload.length;
		this.#count += ends.length;
	}

	/** Drops the open batch: none is open then, and `count` is 0. */
	abandon(): void {
		this.#memory = null;
		this.#room = -1;
		this.#payloadBytes = 0;
		this.#count = 0;
	}

	/** Makes the frame. @returns its length */
	finish(label: BatchLabel): number {
		assert(this.#memory !== null, 'a batch is begun before it is finished');
		const length = finishBatch(
			this.#memory,
			this.#offset,
			this.#payloadBytes,
			this.#ends,
			this.#count,
			label,
		);
		this.abandon();
		return length;
	}
}

/** A batch of one entry in memory of its own, held once by the caller. */
export function loneBatch(entry: Uint8Array, label: BatchLabel): { slab: Slab; length: number } {
	const slab = new SlabPool(batchLength(entry.length, 1), 1).acquire()!;
	const writer = new BatchWriter(1);
	writer.begin(slab, 0, slab.size);
	writer.add(entry);
	return { slab, length: writer.finish(label) };
}
