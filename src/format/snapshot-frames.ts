/**
 * The frames of a snapshot file: one header, chunks in the order of their sections, one end.
 *
 *     header  32  SnapshotHead (64 bytes)
 *     chunk   32  ChunkHead (56 bytes)   88  offset of the payload   92  its length   96  payload, padded to 8
 *     end     32  EndHead (64 bytes)
 *
 * Each names the file it is of, its place in it and the frame before, so that frames of two files are never mixed.
 */
import { assert } from '../assert.js';
import { crc32 } from './crc32.js';
import {
	frameLength,
	hasPrologue,
	makePrologue,
	type Prologue,
	STRUCT_OFFSET,
	writePrologue,
} from './frame.js';
import { alignUp8, isSafeUint64, type Memory, readUint64, writeUint64 } from './memory.js';
import { payloadChecksum } from './payload-checksum.js';

export const SNAPSHOT_HEADER_BYTES = 96;
export const SNAPSHOT_END_BYTES = 96;
/** No chunk frame is longer. Part of the format: whoever reads a file must have room for its frames. */
export const CHUNK_FRAME_BYTES_MAX = 128 * 1024;
const CHUNK_PAYLOAD_OFFSET = 96;
const CHUNK_STRUCT_END = 88;
export const CHUNK_PAYLOAD_BYTES_MAX = CHUNK_FRAME_BYTES_MAX - CHUNK_PAYLOAD_OFFSET;

const HEADER_PROLOGUE = makePrologue('MRH1', 68, [4]);
const CHUNK_PROLOGUE = makePrologue('MRC1', 64, [4, 60]);
const END_PROLOGUE = makePrologue('MRE1', 68, [4]);

/** What a chunk is part of; in a file they come in this order. */
export const SnapshotSection = { members: 1, sessions: 2, state: 3 } as const;
export type SnapshotSection = (typeof SnapshotSection)[keyof typeof SnapshotSection];

export interface SnapshotHeaderNumbers {
	group: number;
	cluster: number;
	index: number;
	term: number;
	identity: number;
	time: number;
	baseChecksum: number;
	isFull: boolean;
	membersBytes: number;
	sessionsBytes: number;
}

export interface SnapshotChunkNumbers {
	identity: number;
	index: number;
	position: number;
	number: number;
	offset: number;
	parent: number;
	section: SnapshotSection;
	/** The chunk that the state machine gave goes on in the next frame. */
	isContinued: boolean;
}

export interface SnapshotEndNumbers {
	parent: number;
	identity: number;
	index: number;
	term: number;
	position: number;
	chunks: number;
	stateBytes: number;
}

const HEADER_WORD = {
	checksum: 8,
	group: 9,
	cluster: 10,
	index: 12,
	term: 14,
	identity: 16,
	time: 18,
	baseChecksum: 20,
	isFull: 21,
	membersBytes: 22,
	sessionsBytes: 23,
} as const;

const CHUNK_WORD = {
	checksum: 8,
	payloadChecksum: 9,
	identity: 10,
	index: 12,
	position: 14,
	number: 16,
	offset: 18,
	parent: 20,
	sectionAndFlags: 21,
	payloadOffset: 22,
	payloadLength: 23,
} as const;

const END_WORD = {
	checksum: 8,
	parent: 9,
	identity: 10,
	index: 12,
	term: 14,
	position: 16,
	chunks: 18,
	stateBytes: 20,
	reserved: 22,
} as const;

const CONTINUED_FLAG = 1 << 8;

/** The checksum of any of these frames: the `parent` of the one behind it. */
export const snapshotFrameChecksum = (m: Memory, at: number) => m.words[(at >>> 2) + 8]!;

export function writeSnapshotHeader(m: Memory, at: number, header: SnapshotHeaderNumbers): void {
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, SNAPSHOT_HEADER_BYTES, HEADER_PROLOGUE);
	words[word + HEADER_WORD.group] = header.group;
	writeUint64(words, word + HEADER_WORD.cluster, header.cluster);
	writeUint64(words, word + HEADER_WORD.index, header.index);
	writeUint64(words, word + HEADER_WORD.term, header.term);
	writeUint64(words, word + HEADER_WORD.identity, header.identity);
	writeUint64(words, word + HEADER_WORD.time, header.time);
	words[word + HEADER_WORD.baseChecksum] = header.baseChecksum;
	words[word + HEADER_WORD.isFull] = header.isFull ? 1 : 0;
	words[word + HEADER_WORD.membersBytes] = header.membersBytes;
	words[word + HEADER_WORD.sessionsBytes] = header.sessionsBytes;
	words[word + HEADER_WORD.checksum] = structChecksum(m, at, SNAPSHOT_HEADER_BYTES);
}

export function readSnapshotHeader(m: Memory, at: number): SnapshotHeaderNumbers {
	const words = m.words;
	const word = at >>> 2;
	return {
		group: words[word + HEADER_WORD.group]!,
		cluster: readUint64(words, word + HEADER_WORD.cluster),
		index: readUint64(words, word + HEADER_WORD.index),
		term: readUint64(words, word + HEADER_WORD.term),
		identity: readUint64(words, word + HEADER_WORD.identity),
		time: readUint64(words, word + HEADER_WORD.time),
		baseChecksum: words[word + HEADER_WORD.baseChecksum]!,
		isFull: words[word + HEADER_WORD.isFull] === 1,
		membersBytes: words[word + HEADER_WORD.membersBytes]!,
		sessionsBytes: words[word + HEADER_WORD.sessionsBytes]!,
	};
}

export function snapshotChunkLength(payloadBytes: number): number {
	return CHUNK_PAYLOAD_OFFSET + alignUp8(payloadBytes);
}

/** Writes a chunk frame at `at` (a multiple of 8). @returns its length */
export function writeSnapshotChunk(
	m: Memory,
	at: number,
	chunk: SnapshotChunkNumbers,
	payload: Uint8Array,
): number {
	assert(payload.length <= CHUNK_PAYLOAD_BYTES_MAX, 'a chunk frame holds no more');
	const length = snapshotChunkLength(payload.length);
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, length, CHUNK_PROLOGUE);
	writeUint64(words, word + CHUNK_WORD.identity, chunk.identity);
	writeUint64(words, word + CHUNK_WORD.index, chunk.index);
	writeUint64(words, word + CHUNK_WORD.position, chunk.position);
	writeUint64(words, word + CHUNK_WORD.number, chunk.number);
	writeUint64(words, word + CHUNK_WORD.offset, chunk.offset);
	words[word + CHUNK_WORD.parent] = chunk.parent;
	words[word + CHUNK_WORD.sectionAndFlags] =
		chunk.section | (chunk.isContinued ? CONTINUED_FLAG : 0);
	words[word + CHUNK_WORD.payloadOffset] = 4;
	words[word + CHUNK_WORD.payloadLength] = payload.length;
	m.bytes.set(payload, at + CHUNK_PAYLOAD_OFFSET);
	m.bytes.fill(0, at + CHUNK_PAYLOAD_OFFSET + payload.length, at + length);
	words[word + CHUNK_WORD.payloadChecksum] = payloadChecksum(
		m.bytes,
		at + CHUNK_STRUCT_END,
		at + length,
	);
	words[word + CHUNK_WORD.checksum] = structChecksum(m, at, CHUNK_STRUCT_END);
	return length;
}

export function readSnapshotChunk(m: Memory, at: number): SnapshotChunkNumbers {
	const words = m.words;
	const word = at >>> 2;
	const sectionAndFlags = words[word + CHUNK_WORD.sectionAndFlags]!;
	return {
		identity: readUint64(words, word + CHUNK_WORD.identity),
		index: readUint64(words, word + CHUNK_WORD.index),
		position: readUint64(words, word + CHUNK_WORD.position),
		number: readUint64(words, word + CHUNK_WORD.number),
		offset: readUint64(words, word + CHUNK_WORD.offset),
		parent: words[word + CHUNK_WORD.parent]!,
		section: (sectionAndFlags & 0xff) as SnapshotSection,
		isContinued: (sectionAndFlags & CONTINUED_FLAG) !== 0,
	};
}

/** A view on the payload of a chunk frame. */
export function snapshotChunkPayload(m: Memory, at: number): Uint8Array {
	return m.slice(at + CHUNK_PAYLOAD_OFFSET, m.words[(at >>> 2) + CHUNK_WORD.payloadLength]!);
}

export function writeSnapshotEnd(m: Memory, at: number, end: SnapshotEndNumbers): void {
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, SNAPSHOT_END_BYTES, END_PROLOGUE);
	words[word + END_WORD.parent] = end.parent;
	writeUint64(words, word + END_WORD.identity, end.identity);
	writeUint64(words, word + END_WORD.index, end.index);
	writeUint64(words, word + END_WORD.term, end.term);
	writeUint64(words, word + END_WORD.position, end.position);
	writeUint64(words, word + END_WORD.chunks, end.chunks);
	writeUint64(words, word + END_WORD.stateBytes, end.stateBytes);
	writeUint64(words, word + END_WORD.reserved, 0);
	words[word + END_WORD.checksum] = structChecksum(m, at, SNAPSHOT_END_BYTES);
}

export function readSnapshotEnd(m: Memory, at: number): SnapshotEndNumbers {
	const words = m.words;
	const word = at >>> 2;
	return {
		parent: words[word + END_WORD.parent]!,
		identity: readUint64(words, word + END_WORD.identity),
		index: readUint64(words, word + END_WORD.index),
		term: readUint64(words, word + END_WORD.term),
		position: readUint64(words, word + END_WORD.position),
		chunks: readUint64(words, word + END_WORD.chunks),
		stateBytes: readUint64(words, word + END_WORD.stateBytes),
	};
}

function structChecksum(m: Memory, at: number, structEnd: number): number {
	return crc32(m.bytes, at + STRUCT_OFFSET + 4, at + structEnd);
}

/** Whether the frame at `at` (32 bytes of it are there) is the file's end. */
export function isSnapshotEnd(m: Memory, at: number): boolean {
	return hasPrologue(m, at, END_PROLOGUE);
}

/** The door for a header (96 bytes are there). @returns what is wrong with it, or `null` */
export function snapshotHeaderFault(m: Memory, at: number): string | null {
	const fault = frameFault(m, at, HEADER_PROLOGUE, SNAPSHOT_HEADER_BYTES);
	if (fault !== null) return fault;
	const { cluster, index, term, identity, time, isFull } = HEADER_WORD;
	if (m.words[(at >>> 2) + isFull]! > 1) return 'unknown flags';
	return numbersFault(m, at, [cluster, index, term, identity, time]);
}

/** The door for the end (96 bytes are there). @returns what is wrong with it, or `null` */
export function snapshotEndFault(m: Memory, at: number): string | null {
	const fault = frameFault(m, at, END_PROLOGUE, SNAPSHOT_END_BYTES);
	if (fault !== null) return fault;
	const { identity, index, term, position, chunks, stateBytes, reserved } = END_WORD;
	const word = at >>> 2;
	if (m.words[word + reserved] !== 0 || m.words[word + reserved + 1] !== 0)
		return 'unknown numbers';
	return numbersFault(m, at, [identity, index, term, position, chunks, stateBytes]);
}

/** The door for a chunk. All `length` bytes, 96 or more, are there. @returns what is wrong with it, or `null` */
export function snapshotChunkFault(m: Memory, at: number, length: number): string | null {
	const words = m.words;
	const word = at >>> 2;
	const payloadBytes = words[word + CHUNK_WORD.payloadLength]!;
	if (payloadBytes > length || snapshotChunkLength(payloadBytes) !== length) {
		return 'the length is not its content';
	}
	if (words[word + CHUNK_WORD.payloadOffset] !== 4) return 'payload out of place';
	const fault = frameFault(m, at, CHUNK_PROLOGUE, CHUNK_STRUCT_END, length);
	if (fault !== null) return fault;
	const sum = payloadChecksum(m.bytes, at + CHUNK_STRUCT_END, at + length);
	if (words[word + CHUNK_WORD.payloadChecksum] !== sum) return 'checksum';
	const sectionAndFlags = words[word + CHUNK_WORD.sectionAndFlags]!;
	const section = sectionAndFlags & 0xff;
	if (section < SnapshotSection.members || section > SnapshotSection.state)
		return 'unknown section';
	if ((sectionAndFlags & ~0xff & ~CONTINUED_FLAG) !== 0) return 'unknown flags';
	for (let i = at + CHUNK_PAYLOAD_OFFSET + payloadBytes; i < at + length; i++) {
		if (m.bytes[i] !== 0) return 'padding is not zero';
	}
	const { identity, index, position, number, offset } = CHUNK_WORD;
	return numbersFault(m, at, [identity, index, position, number, offset]);
}

function frameFault(
	m: Memory,
	at: number,
	prologue: Prologue,
	structEnd: number,
	length = structEnd,
): string | null {
	if (frameLength(m, at) !== length) return 'the length is not its own';
	if (!hasPrologue(m, at, prologue)) return 'the prologue is not the one of its identifier';
	if (snapshotFrameChecksum(m, at) !== structChecksum(m, at, structEnd)) return 'checksum';
	return null;
}

function numbersFault(m: Memory, at: number, numbers: readonly number[]): string | null {
	const isSafe = numbers.every((number) => isSafeUint64(m.words, (at >>> 2) + number));
	return isSafe ? null : 'a number is out of range';
}
