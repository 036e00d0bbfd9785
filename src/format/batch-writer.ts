import { BATCH_PAYLOAD_OFFSET, type BatchLabel, batchLength, finishBatch } from './batch.js';
import type { Memory } from './memory.js';

/** Entries that already lie one behind the other: entry i is `payload[ends[i-1] .. ends[i])`. */
export interface PackedEntries {
	readonly payload: Uint8Array;
	/** Never going back; the last one is `payload.length`. */
	readonly ends: Uint32Array;
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
		this.#memory!.bytes.set(entry, this.#offset + BATCH_PAYLOAD_OFFSET + this.#payloadBytes);
		this.#payloadBytes += entry.length;
		this.#ends[this.#count] = this.#payloadBytes;
		this.#count += 1;
	}

	/** Appends entries that `fit`, with one copy. */
	addPacked(packed: PackedEntries): void {
		const { payload, ends } = packed;
		const start = this.#payloadBytes;
		this.#memory!.bytes.set(payload, this.#offset + BATCH_PAYLOAD_OFFSET + start);
		if (start === 0) this.#ends.set(ends, this.#count);
		else for (let i = 0; i < ends.length; i++) this.#ends[this.#count + i] = start + ends[i]!;
		this.#payloadBytes = start + payload.length;
		this.#count += ends.length;
	}

	/** Makes the frame. @returns its length */
	finish(label: BatchLabel): number {
		const length = finishBatch(
			this.#memory!,
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
