/**
 * Message frames: the numbers of one message at fixed places, and a body for the kinds that need one.
 *
 *     32   MessageHead (80 bytes)    112  offset of the body    116  body length    120  body, padded to 8
 */
import { assert } from '../assert.js';
import { crc32 } from './crc32.js';
import { frameLength, hasPrologue, makePrologue, STRUCT_OFFSET, writePrologue } from './frame.js';
import { alignUp8, isSafeUint64, type Memory, readUint64, writeUint64 } from './memory.js';

/** Kinds 1 to 15 are Raft's own (`src/raft/types.ts`). docs/FORMAT.md tells what each number means in each. */
export const MessageFrameKind = {
	append: 1,
	transfer: 12,
	snapshotResponse: 13,
	rest: 14,
	restResponse: 15,
	/** First on every connection, in both directions: version, purpose, cluster, who. */
	hello: 16,
	/** Last on a connection that is refused or shut: `body` says why. */
	goodbye: 17,
	/** A range of the file of a snapshot, to a follower (`body`); without a body: an offer of all of it. */
	snapshotChunk: 18,
	proposeReply: 32,
	readRequest: 33,
	readReply: 34,
	tailRequest: 35,
	/** The tail is at the end of what is committed now (`index`), or failed (`rejected`, `body`). */
	tailMark: 36,
	statusRequest: 37,
	statusReply: 38,
	/** An operator's wish, and what came of it: JSON. */
	adminRequest: 39,
	adminReply: 40,
	backupRequest: 41,
	backupChunk: 42,
} as const;

/** The numbers of any message. Raft's own messages have this shape. */
export interface MessageNumbers {
	kind: number;
	rejected: boolean;
	group: number;
	from: number;
	to: number;
	term: number;
	index: number;
	logTerm: number;
	commit: number;
	context: number;
	hintIndex: number;
	hintTerm: number;
}

/** A message with every number at 0, to be filled. */
export function emptyMessage(kind: number): MessageNumbers {
	return {
		kind,
		rejected: false,
		group: 0,
		from: 0,
		to: 0,
		term: 0,
		index: 0,
		logTerm: 0,
		commit: 0,
		context: 0,
		hintIndex: 0,
		hintTerm: 0,
	};
}

const MESSAGE_PROLOGUE = makePrologue('MRM1', 88, [4, 84]);
/** A message without a body. */
export const MESSAGE_BYTES_MIN = 120;
const BODY_OFFSET = 120;

const WORD = {
	checksum: 8,
	kindFlagsVersion: 9,
	group: 10,
	from: 11,
	to: 12,
	batches: 13,
	term: 14,
	index: 16,
	logTerm: 18,
	commit: 20,
	context: 22,
	hintIndex: 24,
	hintTerm: 26,
	bodyOffset: 28,
	bodyLength: 29,
} as const;
const REJECTED_FLAG = 1 << 8;

/** Indexed by kind: whether there is such a kind. */
const KNOWN_KINDS = new Uint8Array(256);
for (let kind = MessageFrameKind.append; kind <= MessageFrameKind.transfer; kind++) {
	KNOWN_KINDS[kind] = 1;
}
for (const kind of Object.values(MessageFrameKind)) KNOWN_KINDS[kind] = 1;
const FLAGS_MASK = 0xff00;

export function messageLength(bodyBytes: number): number {
	return alignUp8(BODY_OFFSET + bodyBytes);
}

/**
 * Writes a message frame at `at` (a multiple of 8).
 * @param batches append: how many batch frames follow
 * @param version hello: the protocol version
 * @returns the frame's length
 */
export function writeMessage(
	m: Memory,
	at: number,
	message: MessageNumbers,
	batches = 0,
	body: Uint8Array | null = null,
	version = 0,
): number {
	const bodyBytes = body === null ? 0 : body.length;
	assert(
		contentFault(message.kind, version, batches, bodyBytes) === null,
		'a message is of its kind',
	);
	const length = messageLength(bodyBytes);
	const words = m.words;
	const word = at >>> 2;
	writePrologue(m, at, length, MESSAGE_PROLOGUE);
	words[word + WORD.kindFlagsVersion] =
		message.kind | (message.rejected ? REJECTED_FLAG : 0) | (version << 16);
	words[word + WORD.group] = message.group;
	words[word + WORD.from] = message.from;
	words[word + WORD.to] = message.to;
	words[word + WORD.batches] = batches;
	writeUint64(words, word + WORD.term, message.term);
	writeUint64(words, word + WORD.index, message.index);
	writeUint64(words, word + WORD.logTerm, message.logTerm);
	writeUint64(words, word + WORD.commit, message.commit);
	writeUint64(words, word + WORD.context, message.context);
	writeUint64(words, word + WORD.hintIndex, message.hintIndex);
	writeUint64(words, word + WORD.hintTerm, message.hintTerm);
	words[word + WORD.bodyOffset] = 4;
	words[word + WORD.bodyLength] = bodyBytes;
	if (body !== null) {
		m.bytes.set(body, at + BODY_OFFSET);
		for (let i = at + BODY_OFFSET + bodyBytes; i < at + length; i++) m.bytes[i] = 0;
	}
	words[word + WORD.checksum] = messageChecksum(m, at, length);
	return length;
}

function messageChecksum(m: Memory, at: number, length: number): number {
	return crc32(m.bytes, at + STRUCT_OFFSET + 4, at + length);
}

/** Reads the numbers of a message that has passed the door. */
export function readMessage(m: Memory, at: number, into: MessageNumbers): void {
	const words = m.words;
	const word = at >>> 2;
	const kindAndFlags = words[word + WORD.kindFlagsVersion]!;
	into.kind = kindAndFlags & 0xff;
	into.rejected = (kindAndFlags & REJECTED_FLAG) !== 0;
	into.group = words[word + WORD.group]!;
	into.from = words[word + WORD.from]!;
	into.to = words[word + WORD.to]!;
	into.term = readUint64(words, word + WORD.term);
	into.index = readUint64(words, word + WORD.index);
	into.logTerm = readUint64(words, word + WORD.logTerm);
	into.commit = readUint64(words, word + WORD.commit);
	into.context = readUint64(words, word + WORD.context);
	into.hintIndex = readUint64(words, word + WORD.hintIndex);
	into.hintTerm = readUint64(words, word + WORD.hintTerm);
}

export const messageBatches = (m: Memory, at: number) => m.words[(at >>> 2) + WORD.batches]!;
export const messageVersion = (m: Memory, at: number) =>
	m.words[(at >>> 2) + WORD.kindFlagsVersion]! >>> 16;

/** A view on the body. */
export function messageBody(m: Memory, at: number): Uint8Array {
	return m.slice(at + BODY_OFFSET, m.words[(at >>> 2) + WORD.bodyLength]!);
}

export function isMessage(m: Memory, at: number): boolean {
	return hasPrologue(m, at, MESSAGE_PROLOGUE);
}

/**
 * The door for a message. All `length` bytes are there; the prologue was recognised.
 * @returns what is wrong with it, or `null`
 */
export function messageFault(m: Memory, at: number, length: number): string | null {
	const words = m.words;
	const word = at >>> 2;
	if (length < MESSAGE_BYTES_MIN) return 'a message is longer';
	if (frameLength(m, at) !== length) return 'the length is not its own';
	const bodyBytes = words[word + WORD.bodyLength]!;
	if (bodyBytes > length - MESSAGE_BYTES_MIN || messageLength(bodyBytes) !== length) {
		return 'the length is not its content';
	}
	if (words[word + WORD.bodyOffset] !== 4) return 'body out of place';
	if (words[word + WORD.checksum] !== messageChecksum(m, at, length)) return 'checksum';
	const kindAndFlags = words[word + WORD.kindFlagsVersion]!;
	if ((kindAndFlags & FLAGS_MASK & ~REJECTED_FLAG) !== 0) return 'unknown flags';
	const fault = contentFault(
		kindAndFlags & 0xff,
		kindAndFlags >>> 16,
		words[word + WORD.batches]!,
		bodyBytes,
	);
	if (fault !== null) return fault;
	for (let number = WORD.term; number <= WORD.hintTerm; number += 2) {
		if (!isSafeUint64(words, word + number)) return 'a number is out of range';
	}
	for (let i = at + BODY_OFFSET + bodyBytes; i < at + length; i++) {
		if (m.bytes[i] !== 0) return 'padding is not zero';
	}
	return null;
}

/** What a kind may carry: the same rule for who writes and who reads. */
function contentFault(
	kind: number,
	version: number,
	batches: number,
	bodyBytes: number,
): string | null {
	if (KNOWN_KINDS[kind] !== 1) return 'unknown kind';
	if (version !== 0 && kind !== MessageFrameKind.hello) return 'a version outside a hello';
	if (batches !== 0 && kind !== MessageFrameKind.append) return 'batches outside an append';
	// Raft's messages are numbers; a replica's hello says where it listens.
	if (bodyBytes !== 0 && kind < MessageFrameKind.hello) return 'a body where none belongs';
	return null;
}
