import { assertPlace, type Memory } from './memory.js';

/**
 * What all frames have in common. A frame is a size-prefixed FlatBuffer in a canonical layout:
 *
 *     0  size of the rest   4  root offset   8  identifier   12  zeros and vtable   28  table   32  struct
 *
 * The first 32 bytes, all but the size, are the same for every frame of a kind: its prologue. So a frame is
 * recognised by comparing seven words, and its numbers lie at fixed places from there on.
 */
export const STRUCT_OFFSET = 32;
const TABLE_OFFSET = 28;

/** The smallest frame there is, and a multiple of which all frames are. */
export const FRAME_BYTES_MIN = 96;
export const FRAME_ALIGNMENT = 8;
/** As much of a frame as must be there to know its length. */
export const FRAME_PREFIX_BYTES = 4;

/** A prologue: words 1 to 7 of every frame of one kind. */
export type Prologue = Uint32Array;

/** A file identifier as the word it is in a frame. */
export function identifierWord(identifier: string): number {
	let word = 0;
	for (let i = 0; i < 4; i++) word += identifier.charCodeAt(i) * 2 ** (8 * i);
	return word;
}

/** Makes the prologue of a table whose fields lie `fieldOffsets` behind its start. */
export function makePrologue(
	identifier: string,
	tableBytes: number,
	fieldOffsets: readonly number[],
): Prologue {
	const bytes = new Uint8Array(STRUCT_OFFSET);
	const view = new DataView(bytes.buffer);
	const vtableBytes = 4 + 2 * fieldOffsets.length;
	const vtable = TABLE_OFFSET - vtableBytes;
	view.setUint32(4, TABLE_OFFSET - 4, true);
	for (let i = 0; i < 4; i++) view.setUint8(8 + i, identifier.charCodeAt(i));
	view.setUint16(vtable, vtableBytes, true);
	view.setUint16(vtable + 2, tableBytes, true);
	fieldOffsets.forEach((offset, i) => {
		view.setUint16(vtable + 4 + 2 * i, offset, true);
	});
	view.setInt32(TABLE_OFFSET, TABLE_OFFSET - vtable, true);
	return new Uint32Array(bytes.buffer, 4, 7);
}

/** Writes the size and the prologue of a frame that is `length` bytes long. All of it must have room. */
export function writePrologue(
	memory: Memory,
	offset: number,
	length: number,
	prologue: Prologue,
): void {
	assertPlace(memory, offset, length);
	const word = offset >>> 2;
	const words = memory.words;
	words[word] = length - 4;
	// For seven words a loop costs less than half of `set`.
	for (let i = 0; i < 7; i++) words[word + 1 + i] = prologue[i]!;
}

/** Whether the frame at `offset` (32 bytes of it are there) has this prologue. */
export function hasPrologue(memory: Memory, offset: number, prologue: Prologue): boolean {
	const words = memory.words;
	const word = (offset >>> 2) + 1;
	for (let i = 0; i < 7; i++) if (words[word + i] !== prologue[i]) return false;
	return true;
}

/** The identifier of the frame at `offset` (12 bytes of it are there); unverified. */
export function frameIdentifier(memory: Memory, offset: number): number {
	return memory.words[(offset >>> 2) + 2]!;
}

/** The length of the frame at `offset`, its size word included; unverified. */
export function frameLength(memory: Memory, offset: number): number {
	return memory.words[offset >>> 2]! + 4;
}

/** Whether a frame may claim to be `length` bytes long. The first question to bytes from outside. */
export function isPlausibleLength(length: number, lengthMax: number): boolean {
	return length >= FRAME_BYTES_MIN && length <= lengthMax && length % FRAME_ALIGNMENT === 0;
}
