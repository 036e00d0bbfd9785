/** Checksums, by length. */
import * as zlib from 'node:zlib';
import { crc32 } from '../../src/format/crc32.js';
import { payloadChecksum } from '../../src/format/payload-checksum.js';
import type { Pair, Way } from './pair.js';

function crcPair(bytes: number): Pair {
	const data = new Uint8Array(bytes).fill(9);
	return {
		name: `checksum: crc32 of ${bytes} B`,
		ours: { how: 'crc32: by table below 160 B', call: () => crc32(data, 0, bytes) },
		naive: { how: 'zlib.crc32(subarray)', call: () => zlib.crc32(data.subarray(0, bytes)) },
	};
}

/** Two algorithms: what they have in common is that each notices a bit. */
function payloadPair(bytes: number): Pair {
	const data = new Uint8Array(bytes).fill(9);
	const way = (how: string, call: () => number): Way => {
		const made = () => {
			const before = call();
			data[bytes >>> 1]! ^= 1;
			const after = call();
			data[bytes >>> 1]! ^= 1;
			return { isNoticed: before !== after, isRepeated: call() === before };
		};
		return { how, call, made };
	};
	return {
		name: `checksum: payload of ${bytes} B`,
		ours: way('payloadChecksum: GMAC from 32 KiB on', () => payloadChecksum(data, 0, bytes)),
		naive: way('zlib.crc32(subarray)', () => zlib.crc32(data.subarray(0, bytes))),
	};
}

export const checksumPairs: readonly Pair[] = [
	...[60, 128, 200, 256, 4096].map(crcPair),
	...[32 * 1024, 128 * 1024].map(payloadPair),
];
