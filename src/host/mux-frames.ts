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

export function writeMuxHead(kind: MuxKind, stream: number, value: number): Uint8Array {
	const words = new Uint32Array([kind, stream, value, MAGIC]);
	return new Uint8Array(words.buffer);
}

/** @returns false if it is none */
export function readMuxHead(bytes: Uint8Array, at: number, into: MuxHead): boolean {
	const view = new DataView(bytes.buffer, bytes.byteOffset + at, MUX_HEAD_BYTES);
	into.kind = view.getUint32(0, true);
	into.stream = view.getUint32(4, true);
	into.value = view.getUint32(8, true);
	const isKnown = into.kind >= MuxKind.open && into.kind <= MuxKind.ping;
	return isKnown && view.getUint32(12, true) === MAGIC;
}
