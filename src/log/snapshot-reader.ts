import { Corruption } from '../errors.js';
import { frameLength, isPlausibleLength } from '../format/frame.js';
import { Memory } from '../format/memory.js';
import {
	CHUNK_FRAME_BYTES_MAX,
	isSnapshotEnd,
	readSnapshotChunk,
	readSnapshotEnd,
	readSnapshotHeader,
	SNAPSHOT_END_BYTES,
	SNAPSHOT_HEADER_BYTES,
	type SnapshotChunkNumbers,
	type SnapshotHeaderNumbers,
	SnapshotSection,
	snapshotChunkFault,
	snapshotChunkPayload,
	snapshotEndFault,
	snapshotFrameChecksum,
	snapshotHeaderFault,
} from '../format/snapshot-frames.js';
import type { DiskFile } from '../io.js';
import { SegmentWindow } from './segment-window.js';
import type { StoredSnapshot } from './snapshot-types.js';

/** Read at once. All the memory that reading a snapshot takes, but for members, sessions and the chunk handed out. */
const WINDOW_BYTES = 4 * CHUNK_FRAME_BYTES_MAX;
const FRAME_BYTES_MIN = 96;

/** One chunk frame, where it lies in the reader's memory: valid until the next one is read. */
export interface SnapshotPiece {
	readonly section: SnapshotSection;
	readonly payload: Uint8Array;
	readonly isContinued: boolean;
}

/**
 * Walks a snapshot file frame by frame, and lets nothing pass that isn't whole, in its place, and of this file.
 * Errors of all methods: `Corruption`, naming file and offset; `DiskError`.
 */
export class SnapshotReader {
	readonly #file: DiskFile;
	readonly #window: SegmentWindow;
	header!: SnapshotHeaderNumbers;
	/** Everything before is verified. */
	position = 0;
	#parent = 0;
	#chunks = 0;
	#section: SnapshotSection = SnapshotSection.members;
	#isContinued = false;
	/** Of each section, how many bytes were read. */
	readonly #sectionBytes = [0, 0, 0, 0];

	constructor(file: DiskFile) {
		this.#file = file;
		this.#window = new SegmentWindow(file, new Memory(WINDOW_BYTES));
	}

	get stateBytes(): number {
		return this.#sectionBytes[SnapshotSection.state]!;
	}

	/** Reads the header: first of all. */
	async begin(): Promise<SnapshotHeaderNumbers> {
		const at = await this.#load(SNAPSHOT_HEADER_BYTES, 'the header');
		const { memory } = this.#window;
		const fault = snapshotHeaderFault(memory, at);
		if (fault !== null) this.#refuse(`the header: ${fault}`);
		this.header = readSnapshotHeader(memory, at);
		this.#moveBehind(at, SNAPSHOT_HEADER_BYTES);
		return this.header;
	}

	/** @returns the next piece; null behind the last, when the file's end has been found in its place too */
	async next(): Promise<SnapshotPiece | null> {
		const start = await this.#load(FRAME_BYTES_MIN, 'a frame');
		const { memory } = this.#window;
		const length = frameLength(memory, start);
		if (!isPlausibleLength(length, CHUNK_FRAME_BYTES_MAX)) this.#refuse('a frame of no length');
		if (isSnapshotEnd(memory, start)) return await this.#end(start);
		const at = await this.#load(length, 'a chunk');
		const fault = snapshotChunkFault(memory, at, length);
		if (fault !== null) this.#refuse(`a chunk: ${fault}`);
		const chunk = readSnapshotChunk(memory, at);
		this.#requirePlace(chunk);
		const payload = snapshotChunkPayload(memory, at);
		this.#section = chunk.section;
		this.#isContinued = chunk.isContinued;
		this.#sectionBytes[chunk.section]! += payload.length;
		this.#chunks += 1;
		this.#moveBehind(at, length);
		return { section: chunk.section, payload, isContinued: chunk.isContinued };
	}

	/** The chunks from here on, as they were given, and of which section. */
	async *chunks(): AsyncGenerator<
		{ section: SnapshotSection; bytes: Uint8Array },
		void,
		undefined
	> {
		let parts: Uint8Array[] = [];
		for (let piece = await this.next(); piece !== null; piece = await this.next()) {
			parts.push(piece.payload.slice());
			if (piece.isContinued) continue;
			yield { section: piece.section, bytes: joined(parts) };
			parts = [];
		}
	}

	/** Reads all of it. @returns what the file is */
	async verify(onPiece: () => void = () => {}): Promise<StoredSnapshot> {
		const { index, term, baseChecksum, time, isFull, identity } = await this.begin();
		const parts: { members: Uint8Array[]; sessions: Uint8Array[] } = { members: [], sessions: [] };
		for (let piece = await this.next(); piece !== null; piece = await this.next()) {
			onPiece();
			if (piece.section === SnapshotSection.members) parts.members.push(piece.payload.slice());
			if (piece.section === SnapshotSection.sessions) parts.sessions.push(piece.payload.slice());
		}
		return {
			index,
			term,
			checksum: baseChecksum,
			time,
			isFull,
			members: joined(parts.members),
			sessions: joined(parts.sessions),
			identity,
			bytes: this.position,
			stateBytes: this.stateBytes,
		};
	}

	async #end(at: number): Promise<null> {
		const { memory } = this.#window;
		const fault = snapshotEndFault(memory, at);
		if (fault !== null) this.#refuse(`the end: ${fault}`);
		const end = readSnapshotEnd(memory, at);
		const { identity, index, term, membersBytes, sessionsBytes } = this.header;
		const isOurs = end.identity === identity && end.index === index && end.term === term;
		const [, members, sessions, state] = this.#sectionBytes;
		const isComplete =
			end.chunks === this.#chunks &&
			end.stateBytes === state &&
			members === membersBytes &&
			sessions === sessionsBytes;
		const isInPlace = end.position === this.position && end.parent === this.#parent;
		if (!isOurs || !isInPlace || !isComplete || this.#isContinued) {
			this.#refuse('the end is not the one of these chunks');
		}
		this.#moveBehind(at, SNAPSHOT_END_BYTES);
		const size = await this.#file.size();
		if (size !== this.position)
			this.#refuse(`there are ${size - this.position} bytes behind the end`);
		return null;
	}

	#requirePlace(chunk: SnapshotChunkNumbers): void {
		const { identity, index } = this.header;
		const isOurs = chunk.identity === identity && chunk.index === index;
		const isNext =
			chunk.number === this.#chunks && chunk.offset === this.#sectionBytes[chunk.section];
		const isInPlace = chunk.position === this.position && chunk.parent === this.#parent;
		const isInOrder = this.#isContinued
			? chunk.section === this.#section
			: chunk.section >= this.#section;
		const isEmpty = chunk.section === SnapshotSection.state && !this.header.isFull;
		if (!isOurs || !isNext || !isInPlace || !isInOrder || isEmpty)
			this.#refuse('a chunk that is out of place');
	}

	#moveBehind(at: number, length: number): void {
		this.#parent = snapshotFrameChecksum(this.#window.memory, at);
		this.position += length;
	}

	/** @returns where in memory the next `bytes` bytes lie */
	async #load(bytes: number, what: string): Promise<number> {
		const there = await this.#window.load(this.position, bytes);
		if (there < bytes) this.#refuse(`the file ends within ${what}`);
		return this.#window.offsetOf(this.position);
	}

	#refuse(what: string): never {
		throw new Corruption(this.#file.path, this.position, what);
	}
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
	if (parts.length === 1) return parts[0]!;
	const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let position = 0;
	for (const part of parts) {
		all.set(part, position);
		position += part.length;
	}
	return all;
}
