import { assert } from '../assert.js';

// Frames are read and written through word views: the format is little-endian, and so is every machine
// that Node runs on today. A big-endian one must fail here, not corrupt a log.
assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'the machine is little-endian');

/** A piece of memory that holds frames: one ArrayBuffer and the views on it, made once. Inside the engine
 * a frame is (memory, offset, length); a `subarray` is made only at the edges. */
export class Memory {
	readonly bytes: Uint8Array;
	readonly words: Uint32Array;
	/** `size` is a multiple of 8. */
	constructor(size: number) {
		assert(size % 8 === 0, 'memory is a multiple of 8 bytes');
		const buffer = new ArrayBuffer(size);
		this.bytes = new Uint8Array(buffer);
		this.words = new Uint32Array(buffer);
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

export function writeUint64(words: Uint32Array, word: number, value: number): void {
	assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'a uint64 fits a number');
	words[word] = value % TWO_TO_32;
	words[word + 1] = Math.floor(value / TWO_TO_32);
}

/** Whether the uint64 at a word index is below 2^52: the first question to an untrusted one. */
export function isSafeUint64(words: Uint32Array, word: number): boolean {
	return words[word + 1]! <= HIGH_WORD_MAX;
}

export function alignUp8(bytes: number): number {
	return Math.ceil(bytes / 8) * 8;
}

export function alignUp4(bytes: number): number {
	return Math.ceil(bytes / 4) * 4;
}
