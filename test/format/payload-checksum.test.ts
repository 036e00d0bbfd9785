/** The payload checksum against a GHASH written as the standard's text has it, bit by bit. */
import { createCipheriv, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { GMAC_FROM_BYTES, payloadChecksum } from '../../src/format/payload-checksum.js';
import { pureGmac } from '../../src/format/pure-gmac.js';

const POLYNOMIAL = 0xe1n << 120n;
const ONES = (1n << 128n) - 1n;

function toNumber(bytes: Uint8Array): bigint {
	return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Multiplication in GF(2^128), SP 800-38D section 6.3. */
function multiply(x: bigint, y: bigint): bigint {
	let z = 0n;
	let v = y;
	for (let bit = 127n; bit >= 0n; bit -= 1n) {
		if ((x >> bit) & 1n) z ^= v;
		v = v & 1n ? (v >> 1n) ^ POLYNOMIAL : v >> 1n;
	}
	return z & ONES;
}

function encryptBlock(block: Uint8Array): bigint {
	const cipher = createCipheriv('aes-128-ecb', new Uint8Array(16), null).setAutoPadding(false);
	return toNumber(Buffer.concat([cipher.update(block), cipher.final()]));
}

/** The first four bytes of the tag for additional data alone, as a little-endian number. */
function gmac(bytes: Uint8Array): number {
	const key = encryptBlock(new Uint8Array(16));
	let hash = 0n;
	for (let at = 0; at < bytes.length; at += 16) {
		const block = new Uint8Array(16);
		block.set(bytes.subarray(at, at + 16));
		hash = multiply(hash ^ toNumber(block), key);
	}
	hash = multiply(hash ^ (BigInt(bytes.length * 8) << 64n), key);
	const counter = new Uint8Array(16);
	counter[15] = 1;
	const tag = hash ^ encryptBlock(counter);
	const first = Number(tag >> 96n);
	return Buffer.from(Uint32Array.of(first).buffer).readUInt32BE(0);
}

function someBytes(length: number): Uint8Array {
	return Uint8Array.from({ length }, (_, i) => (i * 167 + (i >>> 8) * 13) & 0xff);
}

describe('the payload checksum', () => {
	it.each([GMAC_FROM_BYTES, GMAC_FROM_BYTES + 1, GMAC_FROM_BYTES + 24])(
		'of %i bytes is the GMAC of the standard',
		(length) => {
			const bytes = someBytes(length + 8);
			expect(payloadChecksum(bytes, 8, length + 8)).toBe(gmac(bytes.subarray(8)));
		},
	);

	it.each([0, 1, 159, 160, 4096, GMAC_FROM_BYTES - 1])('of %i bytes is the CRC-32', (length) => {
		const bytes = someBytes(length + 8);
		expect(payloadChecksum(bytes, 8, length + 8)).toBe(zlib.crc32(bytes.subarray(8)));
	});

	it('of a large payload sees each single bit that flips', () => {
		const bytes = someBytes(GMAC_FROM_BYTES);
		const whole = payloadChecksum(bytes, 0, bytes.length);
		for (let bit = 0; bit < bytes.length * 8; bit += 509) {
			bytes[bit >>> 3]! ^= 1 << (bit & 7);
			expect(payloadChecksum(bytes, 0, bytes.length)).not.toBe(whole);
			bytes[bit >>> 3]! ^= 1 << (bit & 7);
		}
	});

	it('is the same without Node, for any length, place and bytes', () => {
		const bytes = randomBytes(GMAC_FROM_BYTES + 300);
		for (let i = 0; i < 200; i++) {
			const start = i % 17;
			const end = start + GMAC_FROM_BYTES + i;
			if (pureGmac(bytes, start, end) !== payloadChecksum(bytes, start, end)) {
				expect.fail(`${end - start} bytes at ${start} of ${bytes.toString('base64')}`);
			}
			bytes[i * 150] = i;
		}
		expect(pureGmac(someBytes(16), 0, 0)).toBe(gmac(new Uint8Array(0)));
		expect(pureGmac(someBytes(16), 0, 15)).toBe(gmac(someBytes(15)));
	});

	it('of a large payload does not change with the format: these are its values', () => {
		const bytes = someBytes(128 * 1024);
		expect(payloadChecksum(bytes, 0, 32 * 1024)).toMatchInlineSnapshot(`3076865674`);
		expect(payloadChecksum(bytes, 0, 128 * 1024)).toMatchInlineSnapshot(`2570638520`);
	});
});
