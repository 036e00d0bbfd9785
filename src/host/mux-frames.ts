/**
 * What is said on the one connection of two hosts, behind their hellos. Each frame is a head, and behind that of data its bytes.
 *
 *     0  kind   4  stream   8  length, credit or group   12  'MRX1'
 */
export const MUX_HEAD_BYTES = 16;
const MAGIC = 0x3158524d;

export const MuxKind = {
	/** By who dialled: a stream to this group. Its number is one higher than that of the one before. */
	open: 1,
	/** So many bytes of the stream follow. */
	data: 2,
	/** So many bytes more may be sent. The first one, from who was dialled, says that the stream stands. */
	credit: 3,
	/** Nothing follows on this stream, nor is anything of it taken. */
	end: 4,
	/** The group isn't here. */
	refuse: 5,
	/** Nothing, but a sign of life. */
	ping: 6,
} as const;
export type MuxKind = (typeof MuxKind)[keyof typeof MuxKind];

export interface MuxHead {
	kind: number;
	stream: number;
	/** data: bytes; credit: bytes; open: the group. */
	value: number;
}

export function writeMuxHead(
	into: Uint8Array,
	at: number,
	kind: MuxKind,
	stream: number,
	value: number,
): void {
	writeWord(into, at, kind);
	writeWord(into, at + 4, stream);
	writeWord(into, at + 8, value);
	writeWord(into, at + 12, MAGIC);
}

function writeWord(into: Uint8Array, at: number, word: number): void {
	into[at] = word;
	into[at + 1] = word >>> 8;
	into[at + 2] = word >>> 16;
	into[at + 3] = word >>> 24;
}

function readWord(bytes: Uint8Array, at: number): number {
	const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
	return (low | (bytes[at + 3]! << 24)) >>> 0;
}

/** @returns false if it is none */
export function readMuxHead(bytes: Uint8Array, at: number, into: MuxHead): boolean {
	into.kind = readWord(bytes, at);
	into.stream = readWord(bytes, at + 4);
	into.value = readWord(bytes, at + 8);
	const isKnown = into.kind >= MuxKind.open && into.kind <= MuxKind.ping;
	return isKnown && readWord(bytes, at + 12) === MAGIC;
}
