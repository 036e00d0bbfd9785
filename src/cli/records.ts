import { TooLarge } from '../errors.js';
import type { PackedEntries } from '../format/batch-writer.js';
import { DEFAULT_LIMITS } from '../limits.js';

const NEWLINE = 0x0a;
const ENTRY_BYTES_MAX = DEFAULT_LIMITS.entryBytesMax;
/** A batch is handed on at this size. */
const BATCH_BYTES = 256 * 1024;
const BATCH_ENTRIES_MAX = 16_384;

/** Cuts a stream of bytes into entries and packs them into batches, with one copy. */
export abstract class Records {
	/** The beginning of an entry whose end hasn't come yet. */
	#rest: Uint8Array = new Uint8Array(0);
	protected readonly ends = new Uint32Array(BATCH_ENTRIES_MAX);
	/** Of the batch being packed. */
	protected count = 0;
	protected payloadBytes = 0;
	/** Entries handed on. */
	entries = 0;

	/** The batches that these bytes complete. Each is the caller's own. */
	*push(chunk: Uint8Array): Generator<PackedEntries, void, undefined> {
		let at = 0;
		let bytes = new Uint8Array(this.#rest.length + chunk.length);
		bytes.set(this.#rest);
		bytes.set(chunk, this.#rest.length);
		// Each round packs a batch in place, at the front of what is left.
		for (;;) {
			at = this.pack(bytes, BATCH_BYTES);
			if (this.count === 0) break;
			yield this.#take(bytes);
			bytes = bytes.subarray(at);
		}
		if (bytes.length > ENTRY_BYTES_MAX) {
			throw new TooLarge(`entry ${this.entries + 1}`, bytes.length, ENTRY_BYTES_MAX);
		}
		this.#rest = bytes;
	}

	/** What is left at the end of the stream: an entry without an end of its own. */
	*end(): Generator<PackedEntries, void, undefined> {
		const payload = this.#rest;
		if (payload.length === 0) return;
		this.entries += 1;
		yield { payload, ends: Uint32Array.of(payload.length) };
	}

	/** Packs whole entries at the front of `bytes`, until there are `bytesMax`. @returns where the rest begins */
	protected abstract pack(bytes: Uint8Array, bytesMax: number): number;

	#take(bytes: Uint8Array): PackedEntries {
		const packed = {
			payload: bytes.subarray(0, this.payloadBytes),
			ends: this.ends.slice(0, this.count),
		};
		this.entries += this.count;
		this.count = 0;
		this.payloadBytes = 0;
		return packed;
	}

	protected add(end: number): void {
		this.payloadBytes = end;
		this.ends[this.count] = end;
		this.count += 1;
	}

	protected get isFull(): boolean {
		return this.count === BATCH_ENTRIES_MAX;
	}
}

/** Lines, without the newline that ends them. */
export class Lines extends Records {
	protected override pack(bytes: Uint8Array, bytesMax: number): number {
		let at = 0;
		while (!this.isFull && this.payloadBytes < bytesMax) {
			const end = bytes.indexOf(NEWLINE, at);
			if (end < 0) break;
			const length = end - at;
			// A long line after others gets a batch of its own.
			const frameBytes = this.payloadBytes + length + 4 * this.count;
			if (this.count > 0 && frameBytes > ENTRY_BYTES_MAX) break;
			if (length > ENTRY_BYTES_MAX) {
				throw new TooLarge(`line ${this.entries + 1}`, length, ENTRY_BYTES_MAX);
			}
			bytes.copyWithin(this.payloadBytes, at, end);
			this.add(this.payloadBytes + length);
			at = end + 1;
		}
		return at;
	}
}

/** Records of one size; the last one may be shorter. */
export class FixedSize extends Records {
	readonly #size: number;

	constructor(size: number) {
		super();
		this.#size = size;
	}

	protected override pack(bytes: Uint8Array, bytesMax: number): number {
		let at = 0;
		while (
			!this.isFull &&
			at + this.#size <= Math.min(bytes.length, Math.max(bytesMax, this.#size))
		) {
			at += this.#size;
			this.add(at);
		}
		return at;
	}
}
