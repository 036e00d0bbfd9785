import { Memory, readUint64 } from '../../src/format/memory.js';

const MAGIC = 0x314a524d;
const HEADER_BYTES = 64;
const HEAD_BYTES = 16;
const WRITE = 1;

/** A write to a file, as a host's journal says it. */
interface JournaledWrite {
	/** Relative to the host's directory. */
	readonly path: string;
	readonly position: number;
	readonly bytes: Uint8Array;
}

export function isSegment(path: string): boolean {
	return path.endsWith('.segment') && !path.endsWith('unfinished.segment');
}

/** A flush of a group's log. */
export interface GroupFlush {
	readonly group: number;
	readonly bytes: Uint8Array;
}

/** Of a write to a file of a host: the flushes of its groups' logs that it makes durable. */
export function journaledFlushes(path: string, bytes: Uint8Array): readonly GroupFlush[] {
	if (!path.startsWith('/data/journal-')) return [];
	return journaledWrites(bytes)
		.filter((write) => isSegment(write.path))
		.map((write) => ({ group: groupOf(write.path), bytes: write.bytes }));
}

/** `groups/GROUP/log/...` */
function groupOf(path: string): number {
	return Number(path.split('/')[1]);
}

/** What one write to a journal says was written, read by no code of `src/host`. */
function journaledWrites(flush: Uint8Array): JournaledWrite[] {
	const memory = new Memory(Math.ceil(flush.length / 8) * 8);
	memory.bytes.set(flush);
	const { words } = memory;
	if (flush.length < HEADER_BYTES || words[0] !== MAGIC) return [];
	const heads: { kind: number; path: string; position: number; length: number }[] = [];
	let at = HEADER_BYTES;
	for (let i = 0; i < words[3]!; i++) {
		const word = at / 4;
		const pathBytes = words[word]! >>> 16;
		const path = flush.subarray(at + HEAD_BYTES, at + HEAD_BYTES + pathBytes);
		heads.push({
			kind: words[word]! & 0xffff,
			path: new TextDecoder().decode(path),
			position: readUint64(words, word + 2),
			length: words[word + 1]!,
		});
		at += HEAD_BYTES + 8 * Math.ceil(pathBytes / 8);
	}
	const writes: JournaledWrite[] = [];
	for (const { kind, path, position, length } of heads) {
		if (kind === WRITE) writes.push({ path, position, bytes: flush.subarray(at, at + length) });
		at += length;
	}
	return writes;
}
