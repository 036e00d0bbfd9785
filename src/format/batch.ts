/**
 * Batch frames: reading at fixed offsets, stamping in place, and the door for untrusted ones.
 *
 *     32   BatchHeader (64 bytes)
 *     96   offset of `ends`       100  offset of `payload`     104  zero
 *     108  payload length         112  payload
 *     then, at the next multiple of 4: count, ends; zeros up to a multiple of 8
 *
 * The payload comes first, so that it starts at a fixed offset and an open batch can grow in place.
 */
import { assert } from '../assert.js';
import { crc32 } from './crc32.js';
import { frameLength, hasPrologue, makePrologue, STRUCT_OFFSET, writePrologue } from './frame.js';
import {
	alignUp4,
	alignUp8,
	isSafeUint64,
	type Memory,
	readUint64,
	writeUint64,
} from './memory.js';
import { payloadChecksum } from './payload-checksum.js';
import { REGISTRATION_BYTES, registrationFault } from './registration.js';

export const BatchKind = {
	/** Entries of producers. */
	entries: 0,
	/** The one empty entry with which a leader begins its term. */
	noOp: 1,
	/** Who belongs to the group from here on: one entry, JSON (`src/replica/members.ts`). */
	configuration: 2,
	/** A producer's session begins: one entry (`registration.ts`). The entry's index is its number. */
	session: 3,
} as const;
export type BatchKind = (typeof BatchKind)[keyof typeof BatchKind];

const BATCH_PROLOGUE = makePrologue('MRB1', 76, [4, 68, 72]);
const HEADER_END = STRUCT_OFFSET + 64;
export const BATCH_PAYLOAD_OFFSET = 112;
/** A batch of one empty entry. */
export const BATCH_BYTES_MIN = 120;

/** In `kindAndFlags`: the session was registered, and above `WAITS_SHIFT` it says what its producer waits for. */
const REGISTERED = 0x100;
const WAITS_SHIFT = 16;
/** A producer waits for no more of its earlier batches than this. */
export const BATCH_WAITS_MAX = 0xffff;

/** From here on `set` beats a loop, the view it needs included: 15 times at 4096 words. */
const SET_FROM_WORDS = 96;

/** Word positions within a frame. */
const WORD = {
	headerChecksum: 8,
	payloadChecksum: 9,
	term: 10,
	index: 12,
	parent: 14,
	group: 15,
	session: 16,
	sequence: 18,
	time: 20,
	count: 22,
	kindAndFlags: 23,
	endsOffset: 24,
	payloadOffset: 25,
	zero: 26,
	payloadLength: 27,
} as const;

export const batchHeaderChecksum = (m: Memory, at: number) =>
	m.words[(at >>> 2) + WORD.headerChecksum]!;
export const batchPayloadChecksum = (m: Memory, at: number) =>
	m.words[(at >>> 2) + WORD.payloadChecksum]!;
export const batchTerm = (m: Memory, at: number) => readUint64(m.words, (at >>> 2) + WORD.term);
export const batchIndex = (m: Memory, at: number) => readUint64(m.words, (at >>> 2) + WORD.index);
export const batchParent = (m: Memory, at: number) => m.words[(at >>> 2) + WORD.parent]!;
export const batchGroup = (m: Memory, at: number) => m.words[(at >>> 2) + WORD.group]!;
export const batchSession = (m: Memory, at: number) =>
	readUint64(m.words, (at >>> 2) + WORD.session);
export const batchSequence = (m: Memory, at: number) =>
	readUint64(m.words, (at >>> 2) + WORD.sequence);
export const batchTime = (m: Memory, at: number) => readUint64(m.words, (at >>> 2) + WORD.time);
export const batchCount = (m: Memory, at: number) => m.words[(at >>> 2) + WORD.count]!;
export const batchKind = (m: Memory, at: number) =>
	(m.words[(at >>> 2) + WORD.kindAndFlags]! & 0xff) as BatchKind;
/** Is its session one that was registered in the log? Those of earlier programs were drawn by chance. */
export const batchIsRegistered = (m: Memory, at: number) =>
	(m.words[(at >>> 2) + WORD.kindAndFlags]! & REGISTERED) !== 0;
/** For how many of its session's batches before this one the producer still waited when it made it: those before these it
 * knows the outcome of. */
export const batchWaits = (m: Memory, at: number) =>
	m.words[(at >>> 2) + WORD.kindAndFlags]! >>> WAITS_SHIFT;
export const batchPayloadLength = (m: Memory, at: number) =>
	m.words[(at >>> 2) + WORD.payloadLength]!;
export const batchLastIndex = (m: Memory, at: number) => batchIndex(m, at) + batchCount(m, at) - 1;

/** Word index of the first of a batch's `ends`. */
export function batchEndsWord(m: Memory, at: number): number {
	return (at + alignUp4(BATCH_PAYLOAD_OFFSET + batchPayloadLength(m, at)) + 4) >>> 2;
}

/** The length of a frame with this much payload and this many entries. */
export function batchLength(payloadBytes: number, count: number): number {
	return alignUp8(alignUp4(BATCH_PAYLOAD_OFFSET + payloadBytes) + 4 + 4 * count);
}

/** What the producer decides about a batch; the leader adds the rest by `stampBatch`. */
export interface BatchLabel {
	readonly group: number;
	readonly session: number;
	readonly sequence: number;
	readonly kind: BatchKind;
	/** Of a session that was registered: see `batchWaits`. Else absent. */
	readonly waits?: number;
}

function kindAndFlags({ kind, waits }: BatchLabel): number {
	if (waits === undefined) return kind;
	assert(waits <= BATCH_WAITS_MAX, 'a producer waits for no more batches than it can say');
	return kind + REGISTERED + waits * 2 ** WAITS_SHIFT;
}

/**
 * Makes a frame of the payload that already lies at `at + BATCH_PAYLOAD_OFFSET`: writes everything around
 * it and sets both checksums.
 * @returns the frame's length
 */
export function finishBatch(
	m: Memory,
	at: number,
	payloadBytes: number,
	ends: Uint32Array,
	count: number,
	label: BatchLabel,
): number {
	assert(count > 0 && ends[count - 1] === payloadBytes, 'the last end is the end of the payload');
	assert(label.kind !== BatchKind.noOp || payloadBytes === 0, 'a no-op is empty');
	const length = batchLength(payloadBytes, count);
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, length, BATCH_PROLOGUE);
	// Loops: a `fill` costs 30 ns before its first word, a fourth of a small batch's whole making.
	for (let i = word + WORD.term; i < word + WORD.count; i++) words[i] = 0;
	words[word + WORD.group] = label.group;
	writeUint64(words, word + WORD.session, label.session);
	writeUint64(words, word + WORD.sequence, label.sequence);
	words[word + WORD.count] = count;
	words[word + WORD.kindAndFlags] = kindAndFlags(label);

	const endsAt = alignUp4(BATCH_PAYLOAD_OFFSET + payloadBytes);
	words[word + WORD.endsOffset] = endsAt - 4 * WORD.endsOffset;
	words[word + WORD.payloadOffset] = 4 * (WORD.payloadLength - WORD.payloadOffset);
	words[word + WORD.zero] = 0;
	words[word + WORD.payloadLength] = payloadBytes;
	for (let i = at + BATCH_PAYLOAD_OFFSET + payloadBytes; i < at + endsAt; i++) m.bytes[i] = 0;
	const endsWord = (at + endsAt) >>> 2;
	words[endsWord] = count;
	if (count >= SET_FROM_WORDS) words.set(ends.subarray(0, count), endsWord + 1);
	else for (let i = 0; i < count; i++) words[endsWord + 1 + i] = ends[i]!;
	for (let i = endsWord + 1 + count; i < (at + length) >>> 2; i++) words[i] = 0;

	words[word + WORD.payloadChecksum] = payloadChecksum(m.bytes, at + HEADER_END, at + length);
	words[word + WORD.headerChecksum] = headerChecksum(m, at);
	return length;
}

/** Gives a finished batch another session and place in it: for a producer whose session has ended before the batch was taken. */
export function relabelBatch(
	m: Memory,
	at: number,
	session: number,
	sequence: number,
	waits: number,
): void {
	const word = at >>> 2;
	writeUint64(m.words, word + WORD.session, session);
	writeUint64(m.words, word + WORD.sequence, sequence);
	const label = { group: 0, session, sequence, kind: batchKind(m, at), waits };
	m.words[word + WORD.kindAndFlags] = kindAndFlags(label);
	m.words[word + WORD.headerChecksum] = headerChecksum(m, at);
}

/** The leader's part of the header. @returns the new header checksum, the next batch's `parent` */
export function stampBatch(
	m: Memory,
	at: number,
	term: number,
	index: number,
	parent: number,
	time: number,
): number {
	const words = m.words;
	const word = at >>> 2;
	writeUint64(words, word + WORD.term, term);
	writeUint64(words, word + WORD.index, index);
	words[word + WORD.parent] = parent;
	writeUint64(words, word + WORD.time, time);
	const checksum = headerChecksum(m, at);
	words[word + WORD.headerChecksum] = checksum;
	return checksum;
}

function headerChecksum(m: Memory, at: number): number {
	return crc32(m.bytes, at + STRUCT_OFFSET + 4, at + HEADER_END);
}

/** Whether the frame says of itself that it is a batch. */
export function isBatch(m: Memory, at: number): boolean {
	return hasPrologue(m, at, BATCH_PROLOGUE);
}

/** Whether the header of the batch at `at` is undamaged, whatever follows it (96 bytes are there). */
export function isBatchHeader(m: Memory, at: number): boolean {
	return m.words[(at >>> 2) + WORD.headerChecksum] === headerChecksum(m, at);
}

/**
 * The door for a batch: every one that came from a socket or a disk passes it once, and nothing else of it is
 * looked at before. All `length` bytes are there; the prologue was recognised.
 * @returns what is wrong with it, or `null`
 */
export function batchFault(m: Memory, at: number, length: number): string | null {
	return layoutFault(m, at, length) ?? checksumFault(m, at, length) ?? contentFault(m, at);
}

/** Bounds: everything that a length or an offset claims lies inside the frame, in the one canonical place. */
function layoutFault(m: Memory, at: number, length: number): string | null {
	const words = m.words;
	const word = at >>> 2;
	if (length < BATCH_BYTES_MIN) return 'a batch is longer';
	if (frameLength(m, at) !== length) return 'the length is not its own';
	const payloadBytes = words[word + WORD.payloadLength]!;
	if (payloadBytes > length - BATCH_BYTES_MIN) return 'the payload leaves the frame';
	const endsAt = alignUp4(BATCH_PAYLOAD_OFFSET + payloadBytes);
	if (words[word + WORD.endsOffset] !== endsAt - 4 * WORD.endsOffset) return 'ends out of place';
	if (words[word + WORD.payloadOffset] !== 8) return 'payload out of place';
	if (words[word + WORD.zero] !== 0) return 'padding is not zero';
	const count = words[(at + endsAt) >>> 2]!;
	if (count < 1 || count !== words[word + WORD.count]) return 'entries miscounted';
	if (batchLength(payloadBytes, count) !== length) return 'the length is not its content';
	return null;
}

function checksumFault(m: Memory, at: number, length: number): string | null {
	const word = at >>> 2;
	if (!isBatchHeader(m, at)) return 'header checksum';
	const sum = payloadChecksum(m.bytes, at + HEADER_END, at + length);
	if (m.words[word + WORD.payloadChecksum] !== sum) return 'payload checksum';
	return null;
}

/** What a well-summed frame could still get wrong: a producer may be hostile, not only unlucky. */
function contentFault(m: Memory, at: number): string | null {
	const words = m.words;
	const word = at >>> 2;
	if (
		!isSafeUint64(words, word + WORD.term) ||
		!isSafeUint64(words, word + WORD.index) ||
		!isSafeUint64(words, word + WORD.session) ||
		!isSafeUint64(words, word + WORD.sequence) ||
		!isSafeUint64(words, word + WORD.time)
	) {
		return 'a number is out of range';
	}
	const kind = batchKind(m, at);
	const flags = words[word + WORD.kindAndFlags]! - kind;
	if (kind > BatchKind.session || (flags !== 0 && !areFlags(m, at))) return 'unknown kind or flags';
	const endsWord = batchEndsWord(m, at);
	const count = words[word + WORD.count]!;
	if (kind === BatchKind.noOp && (count !== 1 || words[word + WORD.payloadLength] !== 0)) {
		return 'a no-op is one empty entry';
	}
	if (kind === BatchKind.configuration && count !== 1) return 'a configuration is one entry';
	if (kind === BatchKind.session) {
		const isShaped = count === 1 && words[word + WORD.payloadLength] === REGISTRATION_BYTES;
		const fault = registrationFault(words, (at + BATCH_PAYLOAD_OFFSET) >>> 2);
		if (!isShaped || batchSession(m, at) !== 0 || fault) return 'a registration makes no sense';
	}
	let before = 0;
	for (let i = endsWord; i < endsWord + count; i++) {
		const end = words[i]!;
		if (end < before) return 'ends go back';
		before = end;
	}
	if (before !== words[word + WORD.payloadLength]) return 'ends do not cover the payload';
	return paddingFault(m, at, endsWord, count);
}

/** Only a batch of a session that was registered has any. */
function areFlags(m: Memory, at: number): boolean {
	const sequence = batchSequence(m, at);
	return (
		((m.words[(at >>> 2) + WORD.kindAndFlags]! >>> 8) & 0xff) === REGISTERED >>> 8 &&
		batchKind(m, at) === BatchKind.entries &&
		batchSession(m, at) > 0 &&
		batchWaits(m, at) < sequence
	);
}

function paddingFault(m: Memory, at: number, endsWord: number, count: number): string | null {
	const payloadEnd = at + BATCH_PAYLOAD_OFFSET + batchPayloadLength(m, at);
	for (let i = payloadEnd; i < alignUp4(payloadEnd); i++) {
		if (m.bytes[i] !== 0) return 'padding is not zero';
	}
	const end = endsWord + count;
	if (end % 2 === 1 && m.words[end] !== 0) return 'padding is not zero';
	return null;
}
