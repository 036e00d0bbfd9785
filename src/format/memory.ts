import { assert } from '../assert.js';

// Frames are read and written through word views: the format is little-endian, and so is every machine
// that Node runs on today. A big-endian one must fail here, not corrupt a log.
assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'the machine is little-endian');

/** A piece of memory that holds frames: one ArrayBuffer and the views on it, made once. Inside the engine
 * a frame is (memory, offset, length); a `subarray` is made only at the edges. */
export class Memory {
	readonly bytes: Uint8Array;
	readonly words: Uint32Array;
	/** `size` is a multiple of 8, and so is where it begins in `buffer`. */
	constructor(size: number, buffer: ArrayBufferLike | null = null, start = 0) {
		assert(size >= 0 && size % 8 === 0, 'memory is a multiple of 8 bytes');
		buffer ??= new ArrayBuffer(size);
		this.bytes = new Uint8Array(buffer, start, size);
		this.words = new Uint32Array(buffer, start, size / 4);
	}

	get size(): number {
		return this.bytes.length;
	}

	/** A view on `length` bytes at `offset`. Allocates: for the edges. */
	slice(offset: number, length: number): Uint8Array {
		return this.bytes.subarray(offset, offset + length);
	}
}

const TWO_TO_32 = 0x1_0000_0000;
/** Numbers from outside stay below 2^52, so that a sum of two is still exact. */
const HIGH_WORD_MAX = 0xf_ffff;

/** Reads a uint64 at a word index. The frame has passed the door, so it fits. */
export function readUint64(words: Uint32Array, word: number): number {
	return words[word]! + words[word + 1]! * TWO_TO_32;
}

/** Writes a whole number below 2^52. */
export function writeUint64(words: Uint32Array, word: number, value: number): void {
	const high = Math.floor(value / TWO_TO_32);
	const low = value - high * TWO_TO_32;
	// Written here means accepted at every door: a frame that followers refuse must not come into being.
	assert(low >>> 0 === low && high >= 0 && high <= HIGH_WORD_MAX, 'a uint64 is whole, below 2^52');
	words[word] = low;
	words[word + 1] = high;
}

/** Whether the uint64 at a word index is below 2^52: the first question to an untrusted one. */
export function isSafeUint64(words: Uint32Array, word: number): boolean {
	return words[word + 1]! <= HIGH_WORD_MAX;
}

/** States where a frame is about to be written: out of range, typed arrays would drop bytes silently. */
export function assertPlace(memory: Memory, offset: number, length: number): void {
	assert(offset >= 0 && offset % 8 === 0, 'a frame lies at a multiple of 8');
	assert(offset + length <= memory.bytes.length, 'a frame lies inside its memory');
}

// `-bytes & 7` is what is missing to the next multiple of 8, also beyond 2^32.
export function alignUp8(bytes: number): number {
	return bytes + (-bytes & 7);
}

export function alignUp4(bytes: number): number {
	return bytes + (-bytes & 3);
}
