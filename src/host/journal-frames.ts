import * as zlib from 'node:zlib';
import { assert } from '../assert.js';
import { alignUp8, Memory, readUint64, writeUint64 } from '../format/memory.js';

/**
 * The bytes of a journal: flushes, each a header, the heads of its records, and the records' bytes one behind the other.
 *
 *     0  'MRJ1'   4  checksum of what follows in the header   8  salt   12  records
 *    16  sequence   24  keepFrom   32  bytes behind the header   36  their checksum   40  zeros up to 64
 *
 *     a record's head:  0  kind, length of the path   4  bytes   8  position   16  path, padded to 8
 *
 * Flushes begin at multiples of 64, so that whoever looks for one behind damage finds it.
 */
export const FLUSH_HEADER_BYTES = 64;
const RECORD_HEAD_BYTES = 16;
const PATH_BYTES_MAX = 0xffff;
const MAGIC = 0x314a524d;

export const RecordKind = {
	/** These bytes were written there. */
	write: 1,
	/** What earlier records say of this path is void. */
	forget: 2,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** What a record says. */
export interface JournalRecord {
	readonly kind: RecordKind;
	/** Relative to the host's directory. */
	readonly path: Uint8Array;
	readonly position: number;
	readonly bytes: number;
}

export interface FlushHead {
	readonly salt: number;
	/** One higher than that of the flush before. */
	readonly sequence: number;
	/** What flushes below this one say is in the files, durably. */
	readonly keepFrom: number;
}

/** A flush that was found whole. */
export interface FoundFlush extends FlushHead {
	readonly position: number;
	/** Behind it: where the next one begins. */
	readonly end: number;
	readonly records: readonly (JournalRecord & { readonly content: Uint8Array })[];
}

export function alignFlush(position: number): number {
	return Math.ceil(position / FLUSH_HEADER_BYTES) * FLUSH_HEADER_BYTES;
}

export function recordHeadBytes(path: Uint8Array): number {
	return RECORD_HEAD_BYTES + alignUp8(path.length);
}

/** Header and record heads, in memory that grows with what it was asked for. */
export class FlushHeads {
	#memory = new Memory(4096);

	/** Writes all that comes before the records' bytes, which are `slices`. Valid until the next call. */
	write(
		head: FlushHead,
		records: readonly JournalRecord[],
		slices: readonly Uint8Array[],
	): Uint8Array {
		let end = FLUSH_HEADER_BYTES;
		for (const { path } of records) end += recordHeadBytes(path);
		if (end > this.#memory.size) this.#memory = new Memory(2 * end);
		const { bytes, words } = this.#memory;
		bytes.fill(0, 0, end);
		let at = FLUSH_HEADER_BYTES;
		for (const record of records) at = this.#record(record, at);
		const heads = bytes.subarray(FLUSH_HEADER_BYTES, end);
		let length = heads.length;
		let checksum = zlib.crc32(heads);
		for (const slice of slices) {
			length += slice.length;
			checksum = zlib.crc32(slice, checksum);
		}
		words[0] = MAGIC;
		words[2] = head.salt;
		words[3] = records.length;
		writeUint64(words, 4, head.sequence);
		writeUint64(words, 6, head.keepFrom);
		words[8] = length;
		words[9] = checksum;
		words[1] = zlib.crc32(bytes.subarray(8, FLUSH_HEADER_BYTES));
		return bytes.subarray(0, end);
	}

	#record({ kind, path, position, bytes: length }: JournalRecord, at: number): number {
		assert(path.length <= PATH_BYTES_MAX, 'a path is not that long');
		const { bytes, words } = this.#memory;
		words[at >>> 2] = kind | (path.length << 16);
		words[(at >>> 2) + 1] = length;
		writeUint64(words, (at >>> 2) + 2, position);
		bytes.set(path, at + RECORD_HEAD_BYTES);
		return at + recordHeadBytes(path);
	}
}

/** All whole flushes of a file with this salt, wherever they lie, old ones included. */
export function findFlushes(memory: Memory, salt: number): FoundFlush[] {
	const found: FoundFlush[] = [];
	for (let at = 0; at + FLUSH_HEADER_BYTES <= memory.size; ) {
		const flush = memory.words[at >>> 2] === MAGIC ? readFlush(memory, at, salt) : null;
		if (flush !== null) found.push(flush);
		at = flush === null ? at + FLUSH_HEADER_BYTES : flush.end;
	}
	return found;
}

function readFlush(memory: Memory, at: number, salt: number): FoundFlush | null {
	const { bytes, words } = memory;
	const word = at >>> 2;
	const body = at + FLUSH_HEADER_BYTES;
	if (words[word + 2] !== salt || words[word + 1] !== zlib.crc32(bytes.subarray(at + 8, body))) {
		return null;
	}
	const end = body + words[word + 8]!;
	if (end > memory.size || zlib.crc32(bytes.subarray(body, end)) !== words[word + 9]) return null;
	return {
		salt,
		sequence: readUint64(words, word + 4),
		keepFrom: readUint64(words, word + 6),
		position: at,
		end: alignFlush(end),
		records: readRecords(memory, body, words[word + 3]!),
	};
}

/** Of a flush whose checksums were right: what it says is what was written. */
function readRecords(memory: Memory, start: number, count: number): FoundFlush['records'] {
	const { bytes, words } = memory;
	const heads: JournalRecord[] = [];
	let at = start;
	for (let i = 0; i < count; i++) {
		const kindAndPath = words[at >>> 2]!;
		const pathStart = at + RECORD_HEAD_BYTES;
		const path = bytes.subarray(pathStart, pathStart + (kindAndPath >>> 16));
		heads.push({
			kind: (kindAndPath & 0xffff) as RecordKind,
			path,
			position: readUint64(words, (at >>> 2) + 2),
			bytes: words[(at >>> 2) + 1]!,
		});
		at += recordHeadBytes(path);
	}
	return heads.map((head) => {
		const content = bytes.subarray(at, at + head.bytes);
		at += head.bytes;
		return { ...head, content };
	});
}
