/** The two local frames of a segment file: its header, and the mark that opens each flush. Both are 96 bytes:
 * the prologue and one struct of 64 at 32. */
import { crc32 } from './crc32.js';
import { hasPrologue, makePrologue, type Prologue, STRUCT_OFFSET, writePrologue } from './frame.js';
import { isSafeUint64, type Memory, readUint64, writeUint64 } from './memory.js';

export const SEGMENT_HEADER_BYTES = 96;
export const FLUSH_MARK_BYTES = 96;
const STRUCT_END = 96;

const SEGMENT_PROLOGUE = makePrologue('MRS1', 68, [4]);
const FLUSH_PROLOGUE = makePrologue('MRF1', 68, [4]);

export interface SegmentHeaderNumbers {
	group: number;
	cluster: number;
	replica: number;
	/** The log's end when the segment was begun: what a log whose first segment this is builds on. */
	baseChecksum: number;
	baseIndex: number;
	baseTerm: number;
	segment: number;
	/** Sequence of the first flush in this segment. */
	sequence: number;
	bytes: number;
	/** Chosen by chance for the log: what tells its marks from bytes that somebody put into a payload. */
	salt: number;
}

export interface FlushMarkNumbers {
	group: number;
	sequence: number;
	/** Hard state. */
	term: number;
	vote: number;
	/** The log's end before this flush's batches. */
	index: number;
	indexTerm: number;
	parent: number;
	committed: number;
	/** Bytes of batch frames that follow. */
	bytes: number;
	/** The log's. */
	salt: number;
}

const SEGMENT_WORD = {
	checksum: 8,
	group: 9,
	cluster: 10,
	replica: 12,
	baseChecksum: 13,
	segment: 14,
	baseIndex: 16,
	baseTerm: 18,
	sequence: 20,
	bytes: 22,
	salt: 23,
} as const;

const FLUSH_WORD = {
	checksum: 8,
	group: 9,
	sequence: 10,
	term: 12,
	index: 14,
	indexTerm: 16,
	committed: 18,
	vote: 20,
	parent: 21,
	bytes: 22,
	salt: 23,
} as const;

export function writeSegmentHeader(m: Memory, at: number, header: SegmentHeaderNumbers): void {
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, SEGMENT_HEADER_BYTES, SEGMENT_PROLOGUE);
	words[word + SEGMENT_WORD.group] = header.group;
	writeUint64(words, word + SEGMENT_WORD.cluster, header.cluster);
	words[word + SEGMENT_WORD.replica] = header.replica;
	words[word + SEGMENT_WORD.baseChecksum] = header.baseChecksum;
	writeUint64(words, word + SEGMENT_WORD.segment, header.segment);
	writeUint64(words, word + SEGMENT_WORD.baseIndex, header.baseIndex);
	writeUint64(words, word + SEGMENT_WORD.baseTerm, header.baseTerm);
	writeUint64(words, word + SEGMENT_WORD.sequence, header.sequence);
	words[word + SEGMENT_WORD.bytes] = header.bytes;
	words[word + SEGMENT_WORD.salt] = header.salt;
	words[word + SEGMENT_WORD.checksum] = structChecksum(m, at);
}

export function readSegmentHeader(m: Memory, at: number): SegmentHeaderNumbers {
	const words = m.words;
	const word = at >>> 2;
	return {
		group: words[word + SEGMENT_WORD.group]!,
		cluster: readUint64(words, word + SEGMENT_WORD.cluster),
		replica: words[word + SEGMENT_WORD.replica]!,
		baseChecksum: words[word + SEGMENT_WORD.baseChecksum]!,
		segment: readUint64(words, word + SEGMENT_WORD.segment),
		baseIndex: readUint64(words, word + SEGMENT_WORD.baseIndex),
		baseTerm: readUint64(words, word + SEGMENT_WORD.baseTerm),
		sequence: readUint64(words, word + SEGMENT_WORD.sequence),
		bytes: words[word + SEGMENT_WORD.bytes]!,
		salt: words[word + SEGMENT_WORD.salt]!,
	};
}

export function writeFlushMark(m: Memory, at: number, mark: FlushMarkNumbers): void {
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, FLUSH_MARK_BYTES, FLUSH_PROLOGUE);
	words[word + FLUSH_WORD.group] = mark.group;
	writeUint64(words, word + FLUSH_WORD.sequence, mark.sequence);
	writeUint64(words, word + FLUSH_WORD.term, mark.term);
	writeUint64(words, word + FLUSH_WORD.index, mark.index);
	writeUint64(words, word + FLUSH_WORD.indexTerm, mark.indexTerm);
	writeUint64(words, word + FLUSH_WORD.committed, mark.committed);
	words[word + FLUSH_WORD.vote] = mark.vote;
	words[word + FLUSH_WORD.parent] = mark.parent;
	words[word + FLUSH_WORD.bytes] = mark.bytes;
	words[word + FLUSH_WORD.salt] = mark.salt;
	words[word + FLUSH_WORD.checksum] = structChecksum(m, at);
}

export function readFlushMark(m: Memory, at: number): FlushMarkNumbers {
	const words = m.words;
	const word = at >>> 2;
	return {
		group: words[word + FLUSH_WORD.group]!,
		sequence: readUint64(words, word + FLUSH_WORD.sequence),
		term: readUint64(words, word + FLUSH_WORD.term),
		vote: words[word + FLUSH_WORD.vote]!,
		index: readUint64(words, word + FLUSH_WORD.index),
		indexTerm: readUint64(words, word + FLUSH_WORD.indexTerm),
		committed: readUint64(words, word + FLUSH_WORD.committed),
		parent: words[word + FLUSH_WORD.parent]!,
		bytes: words[word + FLUSH_WORD.bytes]!,
		salt: words[word + FLUSH_WORD.salt]!,
	};
}

function structChecksum(m: Memory, at: number): number {
	return crc32(m.bytes, at + STRUCT_OFFSET + 4, at + STRUCT_END);
}

const SEGMENT_NUMBERS = [
	SEGMENT_WORD.cluster,
	SEGMENT_WORD.segment,
	SEGMENT_WORD.baseIndex,
	SEGMENT_WORD.baseTerm,
	SEGMENT_WORD.sequence,
];
const FLUSH_NUMBERS = [
	FLUSH_WORD.sequence,
	FLUSH_WORD.term,
	FLUSH_WORD.index,
	FLUSH_WORD.indexTerm,
	FLUSH_WORD.committed,
];

/** Both kinds: as long as they must be, the right prologue, undamaged, every number in range. */
function frameFault(
	m: Memory,
	at: number,
	length: number,
	prologue: Prologue,
	numbers: readonly number[],
): string | null {
	const word = at >>> 2;
	if (length !== STRUCT_END || m.words[word] !== STRUCT_END - 4) return 'the length is not its own';
	if (!hasPrologue(m, at, prologue)) return 'the prologue is not the one of its identifier';
	if (m.words[word + 8] !== structChecksum(m, at)) return 'checksum';
	for (const number of numbers) {
		if (!isSafeUint64(m.words, word + number)) return 'a number is out of range';
	}
	return null;
}

/** The door for a segment header. @returns what is wrong with it, or `null` */
export function segmentHeaderFault(m: Memory, at: number, length: number): string | null {
	return frameFault(m, at, length, SEGMENT_PROLOGUE, SEGMENT_NUMBERS);
}

/** The door for a flush mark. @returns what is wrong with it, or `null` */
export function flushMarkFault(m: Memory, at: number, length: number): string | null {
	return frameFault(m, at, length, FLUSH_PROLOGUE, FLUSH_NUMBERS);
}

/** Whether a whole and undamaged segment header lies at `at` (96 bytes are there). */
export function isSegmentHeader(m: Memory, at: number): boolean {
	return segmentHeaderFault(m, at, SEGMENT_HEADER_BYTES) === null;
}

/** Whether a whole and undamaged flush mark lies at `at` (96 bytes are there). */
export function isFlushMark(m: Memory, at: number): boolean {
	return flushMarkFault(m, at, FLUSH_MARK_BYTES) === null;
}
