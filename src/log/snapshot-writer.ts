import { assert } from '../assert.js';
import { TooLarge } from '../errors.js';
import { Memory } from '../format/memory.js';
import {
	CHUNK_FRAME_BYTES_MAX,
	CHUNK_PAYLOAD_BYTES_MAX,
	SNAPSHOT_END_BYTES,
	SNAPSHOT_HEADER_BYTES,
	SnapshotSection,
	snapshotChunkLength,
	snapshotFrameChecksum,
	writeSnapshotChunk,
	writeSnapshotEnd,
	writeSnapshotHeader,
} from '../format/snapshot-frames.js';
import type { DiskFile } from '../io.js';
import { writeSlices } from './segment-store.js';
import type { SnapshotHead, StoredSnapshot } from './snapshot-types.js';

/** Gathered before it is written; all the memory that writing a snapshot takes. */
const BUFFER_BYTES = 4 * CHUNK_FRAME_BYTES_MAX;
/** Written at most before it is synced: one sync of a gigabyte would hold up the log's flushes. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;
/** A chunk is handed back as a whole, so it is held in memory as a whole. */
export const CHUNK_BYTES_MAX = 64 * 1024 * 1024;

/** What the store does with a file that is complete. */
export interface SnapshotTarget {
	/** Makes it the latest snapshot. */
	publish(stored: StoredSnapshot): Promise<void>;
	/** Removes what there is of it. */
	discard(): Promise<void>;
	/** It is not worked on any more. */
	letGo(): void;
}

/**
 * Writes one snapshot. The calls follow each other: each is awaited before the next. After one has failed there is
 * nothing to do but `abandon`.
 */
export class SnapshotWriter {
	readonly #file: DiskFile;
	readonly #head: SnapshotHead;
	readonly #identity: number;
	readonly #target: SnapshotTarget;
	readonly #memory = new Memory(BUFFER_BYTES);
	/** What of the memory is filled, and where in the file it goes. */
	#filled = 0;
	#written = 0;
	#synced = 0;
	#parent = 0;
	#chunks = 0;
	#offset = 0;
	#section: SnapshotSection = SnapshotSection.members;
	#isOver = false;

	constructor(file: DiskFile, head: SnapshotHead, identity: number, target: SnapshotTarget) {
		this.#file = file;
		this.#head = head;
		this.#identity = identity;
		this.#target = target;
	}

	/** Bytes of the file so far. */
	get bytes(): number {
		return this.#written + this.#filled;
	}

	/** For the store alone. */
	async begin(cluster: number, group: number): Promise<void> {
		const { index, term, time, checksum, isFull, members, sessions } = this.#head;
		writeSnapshotHeader(this.#memory, 0, {
			group,
			cluster,
			index,
			term,
			identity: this.#identity,
			time,
			baseChecksum: checksum,
			isFull,
			membersBytes: members.length,
			sessionsBytes: sessions.length,
		});
		this.#advance(SNAPSHOT_HEADER_BYTES);
		if (members.length > 0) await this.#add(SnapshotSection.members, members);
		if (sessions.length > 0) await this.#add(SnapshotSection.sessions, sessions);
	}

	/** Takes a chunk of the state; it may be changed again once this resolves. A reader gets the same chunks.
	 * Errors: `TooLarge` beyond 64 MiB; `DiskError`. */
	async chunk(bytes: Uint8Array): Promise<void> {
		assert(this.#head.isFull, 'a snapshot that is not full holds no state');
		if (bytes.length > CHUNK_BYTES_MAX) {
			throw new TooLarge('a chunk of a snapshot', bytes.length, CHUNK_BYTES_MAX);
		}
		await this.#add(SnapshotSection.state, bytes);
	}

	async #add(section: SnapshotSection, bytes: Uint8Array): Promise<void> {
		assert(!this.#isOver, 'the snapshot is not finished yet');
		if (section !== this.#section) this.#offset = 0;
		this.#section = section;
		let start = 0;
		do {
			const end = Math.min(bytes.length, start + CHUNK_PAYLOAD_BYTES_MAX);
			await this.#addPiece(bytes.subarray(start, end), end < bytes.length);
			start = end;
		} while (start < bytes.length);
	}

	async #addPiece(payload: Uint8Array, isContinued: boolean): Promise<void> {
		await this.#makeRoom(snapshotChunkLength(payload.length));
		const length = writeSnapshotChunk(
			this.#memory,
			this.#filled,
			{
				identity: this.#identity,
				index: this.#head.index,
				position: this.bytes,
				number: this.#chunks,
				offset: this.#offset,
				parent: this.#parent,
				section: this.#section,
				isContinued,
			},
			payload,
		);
		this.#chunks += 1;
		this.#offset += payload.length;
		this.#advance(length);
	}

	#advance(length: number): void {
		this.#parent = snapshotFrameChecksum(this.#memory, this.#filled);
		this.#filled += length;
	}

	async #makeRoom(bytes: number): Promise<void> {
		if (this.#filled + bytes <= this.#memory.size) return;
		await this.#write();
		if (this.#written - this.#synced < SYNC_EVERY_BYTES) return;
		await this.#file.sync();
		this.#synced = this.#written;
	}

	async #write(): Promise<void> {
		await writeSlices(this.#file, [this.#memory.slice(0, this.#filled)], this.#written);
		this.#written += this.#filled;
		this.#filled = 0;
	}

	/** Makes it durable, and the latest snapshot.
	 * Errors: `DiskError`. If renaming or syncing the directory failed, nobody knows which snapshot a restart finds: the
	 * replica must stop. */
	async finish(): Promise<StoredSnapshot> {
		assert(!this.#isOver, 'the snapshot is not finished yet');
		const { index, term } = this.#head;
		const stateBytes = this.#section === SnapshotSection.state ? this.#offset : 0;
		await this.#makeRoom(SNAPSHOT_END_BYTES);
		writeSnapshotEnd(this.#memory, this.#filled, {
			parent: this.#parent,
			identity: this.#identity,
			index,
			term,
			position: this.bytes,
			chunks: this.#chunks,
			stateBytes,
		});
		this.#advance(SNAPSHOT_END_BYTES);
		await this.#write();
		await this.#file.sync();
		this.#isOver = true;
		await this.#file.close();
		const stored = { ...this.#head, identity: this.#identity, bytes: this.#written, stateBytes };
		await this.#target.publish(stored);
		return stored;
	}

	/** Removes what was written; nothing happens once it is finished. */
	async abandon(): Promise<void> {
		if (this.#isOver) return;
		this.#isOver = true;
		await this.#file.close();
		await this.#target.discard();
	}
}
