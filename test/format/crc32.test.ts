import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32, crc32BitOf, pureCrc32 } from '../../src/format/crc32.js';

describe('crc32', () => {
	const bytes = new Uint8Array(1024 + 64);
	for (let i = 0, state = 1; i < bytes.length; i++) {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		bytes[i] = state >>> 24;
	}

	it('knows the check value of the standard', () => {
		expect(crc32(new TextEncoder().encode('123456789'), 0, 9)).toBe(0xcbf43926);
	});

	it('is that of zlib for every length up to 1024 at offsets of every alignment', () => {
		const wrong: string[] = [];
		for (let length = 0; length <= 1024; length++) {
			for (const offset of [0, 1, 2, 3, 4, 5, 6, 7, 8, 33]) {
				const expected = zlib.crc32(bytes.subarray(offset, offset + length));
				if (crc32(bytes, offset, offset + length) !== expected) wrong.push(`${offset}+${length}`);
				if (pureCrc32(bytes, offset, offset + length) !== expected) wrong.push(`pure ${length}`);
			}
		}
		expect(wrong).toEqual([]);
	});

	it('tells which bit was flipped from how the checksum changed', () => {
		for (const length of [1, 24, 300]) {
			const copy = bytes.slice(0, length);
			const sum = crc32(copy, 0, length);
			for (let bit = 0; bit < 8 * length; bit++) {
				copy[bit >>> 3]! ^= 1 << (bit & 7);
				const difference = (crc32(copy, 0, length) ^ sum) >>> 0;
				if (crc32BitOf(difference, length) !== bit) expect.fail(`bit ${bit} of ${length} bytes`);
				copy[bit >>> 3]! ^= 1 << (bit & 7);
			}
			expect(crc32BitOf(0, length)).toBe(-1);
			copy[0]! ^= 3;
			expect(crc32BitOf((crc32(copy, 0, length) ^ sum) >>> 0, length)).toBe(-1);
		}
	});

	it('is that of zlib on bytes of all zeros and all ones', () => {
		for (const value of [0, 0xff]) {
			for (const length of [1, 7, 8, 60, 159, 160, 161, 1000]) {
				const same = new Uint8Array(length).fill(value);
				expect(crc32(same, 0, length)).toBe(zlib.crc32(same));
			}
		}
	});
});
