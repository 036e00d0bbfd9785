import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailed } from '../../src/assert.js';
import {
	alignUp4,
	alignUp8,
	isSafeUint64,
	Memory,
	readUint64,
	writeUint64,
} from '../../src/format/memory.js';
import { FLUSH_MARK_BYTES, writeFlushMark } from '../../src/format/segment-frames.js';
import { MARK } from './frames.js';

describe('Memory', () => {
	it('is one buffer under both views', () => {
		const memory = new Memory(16);
		memory.words[1] = 0x04030201;
		expect([...memory.slice(4, 4)]).toEqual([1, 2, 3, 4]);
		expect(memory.size).toBe(16);
	});

	it.each([1, 4, 12, -8, Number.NaN])('refuses a size of %d', (size) => {
		expect(() => new Memory(size)).toThrow(AssertionFailed);
	});
});

describe('uint64', () => {
	it('comes back as it was written, in little-endian order', () => {
		fc.assert(
			fc.property(fc.nat({ max: 2 ** 52 - 1 }), (value) => {
				const memory = new Memory(16);
				writeUint64(memory.words, 2, value);
				expect(readUint64(memory.words, 2)).toBe(value);
				expect(new DataView(memory.bytes.buffer).getBigUint64(8, true)).toBe(BigInt(value));
				expect(isSafeUint64(memory.words, 2)).toBe(true);
			}),
		);
	});

	it.each([
		-1,
		-(2 ** 40),
		0.5,
		2 ** 32 + 0.5,
		2 ** 52,
		Number.MAX_SAFE_INTEGER,
		2 ** 64,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		Number.NEGATIVE_INFINITY,
	])('is not written from %d: what is written must be accepted at every door', (value) => {
		const { words } = new Memory(8);
		expect(() => writeUint64(words, 0, value)).toThrow(AssertionFailed);
		expect([...words]).toEqual([0, 0]);
	});

	it('is safe below 2^52', () => {
		const words = Uint32Array.of(0xffff_ffff, 0xf_ffff, 0, 0x10_0000, 0, 0xffff_ffff);
		expect([0, 2, 4].map((word) => isSafeUint64(words, word))).toEqual([true, false, false]);
	});
});

describe('alignUp', () => {
	it('goes to the next multiple, also beyond 2^32', () => {
		fc.assert(
			fc.property(fc.nat({ max: 2 ** 40 }), (bytes) => {
				expect(alignUp4(bytes)).toBe(Math.ceil(bytes / 4) * 4);
				expect(alignUp8(bytes)).toBe(Math.ceil(bytes / 8) * 8);
			}),
		);
	});
});

describe('a frame', () => {
	it.each([4, 1, -8, 40, 1e9])('is not written at %d: bytes would be lost silently', (offset) => {
		const memory = new Memory(FLUSH_MARK_BYTES + 32);
		expect(() => writeFlushMark(memory, offset, MARK)).toThrow(AssertionFailed);
		expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
	});

	it('is written up to the last byte of its memory', () => {
		const memory = new Memory(FLUSH_MARK_BYTES + 32);
		expect(() => writeFlushMark(memory, 32, MARK)).not.toThrow();
	});
});
