import {
	BATCH_PAYLOAD_OFFSET,
	batchCount,
	batchEndsWord,
	batchIndex,
	batchPayloadLength,
	batchTerm,
	batchTime,
} from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import type { Entry } from '../replica/types.js';

/** A committed batch, copied out of the receiver's memory: two copies, whatever the number of entries. */
export class TailBatch {
	readonly index: number;
	readonly count: number;
	readonly bytes: number;
	readonly #term: number;
	readonly #time: number;
	readonly #payload: Uint8Array;
	readonly #ends: Uint32Array;

	constructor(memory: Memory, offset: number) {
		const payload = offset + BATCH_PAYLOAD_OFFSET;
		const endsWord = batchEndsWord(memory, offset);
		this.index = batchIndex(memory, offset);
		this.count = batchCount(memory, offset);
		this.bytes = batchPayloadLength(memory, offset) + 4 * this.count;
		this.#term = batchTerm(memory, offset);
		this.#time = batchTime(memory, offset);
		this.#payload = memory.bytes.slice(payload, payload + batchPayloadLength(memory, offset));
		this.#ends = memory.words.slice(endsWord, endsWord + this.count);
	}

	/** The entries from an index on. */
	*entriesFrom(index: number): Generator<Entry, void, undefined> {
		for (let i = Math.max(0, index - this.index); i < this.count; i++) {
			const start = i === 0 ? 0 : this.#ends[i - 1]!;
			yield {
				index: this.index + i,
				term: this.#term,
				time: this.#time,
				data: this.#payload.subarray(start, this.#ends[i]!),
			};
		}
	}
}
