/**
 * Which single bit, if it were the other one, would make a damaged frame whole? There is none in a frame of which a
 * sector wasn't written, but for chance; one that rotted has it.
 */

import {
	BATCH_BYTES_MIN,
	batchFault,
	batchPayloadChecksum,
	isBatch,
	isBatchHeader,
} from '../format/batch.js';
import { crc32, crc32BitOf } from '../format/crc32.js';
import {
	FRAME_BYTES_MIN,
	FRAME_PREFIX_BYTES,
	frameLength,
	isPlausibleLength,
} from '../format/frame.js';
import type { Memory } from '../format/memory.js';
import { GMAC_FROM_BYTES } from '../format/payload-checksum.js';

/** Tries every bit of `bytes` bytes at `offset`. The memory is the same afterwards.
 * @returns the first one (from 0, eight to a byte) with which `isWhole` is true, or -1 */
export function findBit(
	memory: Memory,
	offset: number,
	bytes: number,
	isWhole: () => boolean,
): number {
	for (let bit = 0; bit < 8 * bytes; bit++) if (holdsWith(memory, offset, bit, isWhole)) return bit;
	return -1;
}

function holdsWith(memory: Memory, offset: number, bit: number, isWhole: () => boolean): boolean {
	const at = offset + (bit >>> 3);
	memory.bytes[at]! ^= 1 << (bit & 7);
	const holds = isWhole();
	memory.bytes[at]! ^= 1 << (bit & 7);
	return holds;
}

/**
 * The bit of the batch at `offset` that is wrong; -1 if it isn't one bit. `room` bytes are there; `isNext`: it would
 * be the next one of the log.
 *
 * A payload from 32 KiB on is left out: among its millions of bits, one that fits the four bytes of its checksum is
 * found by chance in too many torn writes.
 */
export function findBatchBit(
	memory: Memory,
	offset: number,
	room: number,
	isNext: () => boolean,
): number {
	if (room < BATCH_BYTES_MIN) return -1;
	const isHeader = () => {
		const length = frameLength(memory, offset);
		return (
			isPlausibleLength(length, room) &&
			length >= BATCH_BYTES_MIN &&
			isBatch(memory, offset) &&
			isBatchHeader(memory, offset)
		);
	};
	const isWhole = () =>
		isHeader() && isNext() && batchFault(memory, offset, frameLength(memory, offset)) === null;
	if (!isHeader()) return findBit(memory, offset, FRAME_BYTES_MIN, isWhole);
	const bit = findPayloadBit(memory, offset, isWhole);
	// The header's checksum doesn't cover the length.
	return bit < 0 ? findBit(memory, offset, FRAME_PREFIX_BYTES, isWhole) : bit;
}

function findPayloadBit(memory: Memory, offset: number, isWhole: () => boolean): number {
	const end = frameLength(memory, offset);
	const bytes = end - FRAME_BYTES_MIN;
	if (bytes >= GMAC_FROM_BYTES) return -1;
	const from = offset + FRAME_BYTES_MIN;
	const sum = crc32(memory.bytes, from, offset + end);
	const bit = crc32BitOf((sum ^ batchPayloadChecksum(memory, offset)) >>> 0, bytes);
	if (bit < 0 || !holdsWith(memory, from, bit, isWhole)) return -1;
	return bit + 8 * FRAME_BYTES_MIN;
}
