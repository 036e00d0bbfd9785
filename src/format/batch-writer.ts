import { assert } from '../assert.js';
import { BATCH_PAYLOAD_OFFSET, type BatchLabel, batchLength, finishBatch } from './batch.js';
import { assertPlace, type Memory } from './memory.js';

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
	#bytesMax = 0;
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
		this.#bytesMax = bytesMax;
		this.#payloadBytes = 0;
		this.#count = 0;
	}

	/** Whether `count` more entries of `bytes` altogether fit in. */
	fits(bytes: number, count: number): boolean {
		return (
			this.#memory !== null &&
			this.#count + count <= this.#ends.length &&
			batchLength(this.#payloadBytes + bytes, this.#count + count) <= this.#bytesMax
		);
	}

	/** Appends an entry that `fits`. */
	add(entry: Uint8Array): void {
		assert(this.fits(entry.length, 1), 'an entry is added where it fits');
		this.#memory!.bytes.set(entry, this.#offset + BATCH_PAYLOAD_OFFSET + this.#payloadBytes);
		this.#payloadBytes += entry.length;
		this.#ends[this.#count] = this.#payloadBytes;
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
		this.#memory = null;
		return length;
	}
}
