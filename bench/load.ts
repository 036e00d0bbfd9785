import type { PackedEntries } from '../src/format/batch-writer.js';

/**
 * What is replicated in a benchmark. Entry `n` begins with `n` as a little-endian uint64 (as many bytes of it
 * as the entry has), and the rest is the same for all entries: so the verification knows each entry by its
 * number, and making one costs a few nanoseconds.
 */
const NUMBER_BYTES = 8;
const TWO_TO_32 = 0x1_0000_0000;

/** What follows the number. Not one repeated byte, so that nothing on the way can compress it or shift it unseen. */
function fillerByte(position: number): number {
	return (Math.imul(position + 1, 0x9e37_79b1) >>> 24) & 0xff;
}

export function makeEntry(entryBytes: number): Uint8Array {
	return Uint8Array.from({ length: entryBytes }, (_, position) => fillerByte(position));
}

/** Writes `number` where an entry of `entryBytes` begins. */
export function writeNumber(view: DataView, at: number, entryBytes: number, number: number): void {
	if (entryBytes >= NUMBER_BYTES) {
		view.setUint32(at, number % TWO_TO_32, true);
		view.setUint32(at + 4, Math.floor(number / TWO_TO_32), true);
		return;
	}
	for (let i = 0; i < entryBytes; i++) view.setUint8(at + i, Math.floor(number / 256 ** i) % 256);
}

/** Knows what each entry must look like. */
export class EntryChecker {
	readonly entryBytes: number;
	readonly #expected: Uint8Array;
	readonly #view: DataView;

	constructor(entryBytes: number) {
		this.entryBytes = entryBytes;
		this.#expected = makeEntry(entryBytes);
		this.#view = new DataView(this.#expected.buffer);
	}

	/** Whether the entry that lies at `start` is entry `number`, byte by byte. */
	matches(bytes: Uint8Array, start: number, number: number): boolean {
		writeNumber(this.#view, 0, this.entryBytes, number);
		const expected = this.#expected;
		for (let i = 0; i < expected.length; i++) {
			if (bytes[start + i] !== expected[i]) return false;
		}
		return true;
	}
}

/**
 * A batch of numbered entries. It may be filled anew when nobody holds it: whoever needs its bytes beyond
 * the acknowledgement (the ceiling, which sends them without a copy) retains it.
 */
export class LoadBatch implements PackedEntries {
	payload: Uint8Array;
	ends: Uint32Array;
	/** Number of its first entry. */
	first = 0;
	readonly #entryBytes: number;
	readonly #allPayload: Uint8Array;
	readonly #allEnds: Uint32Array;
	readonly #free: (batch: LoadBatch) => void;
	#holds = 0;

	/** `free` is called when the last who held it has let go. */
	constructor(entryBytes: number, countMax: number, free: (batch: LoadBatch) => void) {
		this.#entryBytes = entryBytes;
		// Memory of its own, not a piece of Node's pool: `payload.byteOffset` is 0.
		this.#allPayload = new Uint8Array(entryBytes * countMax);
		this.#allEnds = Uint32Array.from({ length: countMax }, (_, i) => (i + 1) * entryBytes);
		const entry = makeEntry(entryBytes);
		for (let i = 0; i < countMax; i++) this.#allPayload.set(entry, i * entryBytes);
		this.payload = this.#allPayload;
		this.ends = this.#allEnds;
		this.#free = free;
	}

	get count(): number {
		return this.ends.length;
	}

	/** Makes these the entries `first` to `first + count - 1`, held once. */
	fill(first: number, count: number): void {
		this.#holds = 1;
		this.first = first;
		if (count !== this.count) {
			this.payload = this.#allPayload.subarray(0, count * this.#entryBytes);
			this.ends = this.#allEnds.subarray(0, count);
		}
		if (this.#entryBytes % 4 === 0 && this.#entryBytes >= NUMBER_BYTES) this.#numberWords();
		else this.#numberBytes();
	}

	retain(): void {
		this.#holds += 1;
	}

	release(): void {
		this.#holds -= 1;
		if (this.#holds === 0) this.#free(this);
	}

	#numberWords(): void {
		const words = new Uint32Array(this.payload.buffer);
		const stride = this.#entryBytes >>> 2;
		const end = this.count * stride;
		let low = (this.first % TWO_TO_32) | 0;
		let high = Math.floor(this.first / TWO_TO_32);
		for (let word = 0; word < end; word += stride) {
			words[word] = low;
			words[word + 1] = high;
			low = (low + 1) | 0;
			if (low === 0) high += 1;
		}
	}

	#numberBytes(): void {
		const view = new DataView(this.payload.buffer);
		for (let i = 0; i < this.count; i++) {
			writeNumber(view, i * this.#entryBytes, this.#entryBytes, this.first + i);
		}
	}
}
