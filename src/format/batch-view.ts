import {
	BATCH_PAYLOAD_OFFSET,
	type BatchKind,
	batchCount,
	batchEndsWord,
	batchHeaderChecksum,
	batchIndex,
	batchIsRegistered,
	batchKind,
	batchPayloadLength,
	batchSequence,
	batchSession,
	batchTerm,
	batchTime,
	batchWaits,
} from './batch.js';
import { Memory } from './memory.js';

const NOWHERE = new Memory(0);

/**
 * A batch, read lazily where it lies: nothing is decoded before it is asked for, and nothing is copied.
 *
 * One view is used for many batches, so neither the view nor an entry it returned may be kept after the call
 * that handed it out: copy what must last (`entry(i).slice()`).
 */
export class BatchView {
	#memory: Memory = NOWHERE;
	#offset = 0;
	#length = 0;
	#endsWord = 0;

	/** For the engine: points the view at a frame that has passed the door. */
	moveTo(memory: Memory, offset: number, length: number): this {
		this.#memory = memory;
		this.#offset = offset;
		this.#length = length;
		this.#endsWord = batchEndsWord(memory, offset);
		return this;
	}

	/** Log index of the first entry; entry `i` has `index + i`. */
	get index(): number {
		return batchIndex(this.#memory, this.#offset);
	}

	/** The term of the leader that appended it. */
	get term(): number {
		return batchTerm(this.#memory, this.#offset);
	}

	/** Entries in the batch, at least 1. */
	get count(): number {
		return batchCount(this.#memory, this.#offset);
	}

	/** Log index of the last entry. */
	get lastIndex(): number {
		return this.index + this.count - 1;
	}

	/** The leader's clock in ms since 1970 when it was appended; never goes back along the log. */
	get time(): number {
		return batchTime(this.#memory, this.#offset);
	}

	/** The producer's session, 0 = none, and the batch's number in it. */
	get session(): number {
		return batchSession(this.#memory, this.#offset);
	}

	get sequence(): number {
		return batchSequence(this.#memory, this.#offset);
	}

	/** Was the session registered in the log? */
	get isRegistered(): boolean {
		return batchIsRegistered(this.#memory, this.#offset);
	}

	/** For how many batches of its session before this one the producer still waited. */
	get waits(): number {
		return batchWaits(this.#memory, this.#offset);
	}

	get kind(): BatchKind {
		return batchKind(this.#memory, this.#offset);
	}

	/** The header checksum: it covers the one of the batch before, so that it stands for the log up to here. */
	get checksum(): number {
		return batchHeaderChecksum(this.#memory, this.#offset);
	}

	/** Bytes of all entries together. */
	get payloadBytes(): number {
		return batchPayloadLength(this.#memory, this.#offset);
	}

	/** Where entry `i` ends in the payload; it begins where the one before ends, the first at 0. */
	entryEnd(i: number): number {
		return this.#memory.words[this.#endsWord + this.#check(i)]!;
	}

	entryStart(i: number): number {
		return i === 0 ? 0 : this.entryEnd(i - 1);
	}

	/** Entry `i` as a view on the engine's memory. */
	entry(i: number): Uint8Array {
		const { words, bytes } = this.#memory;
		const word = this.#endsWord + this.#check(i);
		const payload = this.#offset + BATCH_PAYLOAD_OFFSET;
		const start = i === 0 ? 0 : words[word - 1]!;
		return bytes.subarray(payload + start, payload + words[word]!);
	}

	/** All entries as one view, one behind the other. */
	payload(): Uint8Array {
		return this.#memory.slice(this.#offset + BATCH_PAYLOAD_OFFSET, this.payloadBytes);
	}

	/** The whole frame: the bytes that lie on every replica's disk. */
	frame(): Uint8Array {
		return this.#memory.slice(this.#offset, this.#length);
	}

	#check(i: number): number {
		// Written so that a fraction and NaN are refused too.
		if (i >>> 0 !== i || !(i < this.count))
			throw new RangeError(`entry ${i} of a batch of ${this.count}`);
		return i;
	}
}
