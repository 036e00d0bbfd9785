import { assert } from '../assert.js';
import { Corruption } from '../errors.js';
import type { DiskFile } from '../io.js';
import { writeSlices } from './segment-store.js';
import { SnapshotReader } from './snapshot-reader.js';
import type { SnapshotIdentity, StoredSnapshot } from './snapshot-types.js';
import type { SnapshotTarget } from './snapshot-writer.js';

const SYNC_EVERY_BYTES = 8 * 1024 * 1024;
const COPY_BYTES = 1024 * 1024;

/** What a snapshot that comes from elsewhere must be. */
export interface ExpectedSnapshot extends SnapshotIdentity {
	readonly clusterNumber: number;
	readonly group: number;
	/** Length of the file. */
	readonly bytes: number;
}

/**
 * Takes the ranges of a snapshot's file as a peer has it. What a restart left of it is verified frame by frame, and
 * counts as far as it is whole, so that it needs no notes about how far it had got. The calls follow each other.
 */
export class ReceivedSnapshot {
	readonly #file: DiskFile;
	readonly #expected: ExpectedSnapshot;
	readonly #target: SnapshotTarget;
	#offset = 0;
	#synced = 0;
	#isOver = false;

	constructor(file: DiskFile, expected: ExpectedSnapshot, target: SnapshotTarget) {
		this.#file = file;
		this.#expected = expected;
		this.#target = target;
	}

	/** Where the next range begins: everything before has been written. A crash may set it back. */
	get offset(): number {
		return this.#offset;
	}

	get isComplete(): boolean {
		return this.#offset === this.#expected.bytes;
	}

	/** For the store alone: how much of the file is there already? */
	async resume(): Promise<void> {
		let verified = 0;
		const reader = new SnapshotReader(this.#file);
		try {
			requireExpected(this.#file.path, await reader.begin(), this.#expected);
			do verified = reader.position;
			while ((await reader.next()) !== null);
			verified = reader.position;
		} catch (error) {
			if (!(error instanceof Corruption)) throw error;
		}
		await this.#writeAgain(verified);
		this.#offset = Math.min(verified, this.#expected.bytes);
	}

	/** If a sync of it failed in an earlier life, the kernel may show what it will never write. */
	async #writeAgain(bytes: number): Promise<void> {
		const buffer = new Uint8Array(Math.min(bytes, COPY_BYTES));
		for (let position = 0; position < bytes; position += buffer.length) {
			const slice = buffer.subarray(0, Math.min(buffer.length, bytes - position));
			await this.#file.read(slice, position);
			await writeSlices(this.#file, [slice], position);
		}
	}

	/** Takes the range that begins at `offset`. The bytes may be changed again once this resolves.
	 * Errors: `DiskError`. */
	async write(offset: number, bytes: Uint8Array): Promise<void> {
		assert(!this.#isOver, 'the snapshot is not finished yet');
		assert(offset === this.#offset, 'a range follows the one before');
		assert(offset + bytes.length <= this.#expected.bytes, 'a range lies within the file');
		await writeSlices(this.#file, [bytes], offset);
		this.#offset += bytes.length;
		if (this.#offset - this.#synced < SYNC_EVERY_BYTES) return;
		await this.#file.sync();
		this.#synced = this.#offset;
	}

	/** Verifies every frame, makes the file durable, and the latest snapshot.
	 * Errors: `Corruption`: what came isn't what was promised, and was removed; `DiskError`: see `SnapshotWriter.finish`. */
	async finish(): Promise<StoredSnapshot> {
		assert(!this.#isOver && this.isComplete, 'all of it is there');
		await this.#file.sync();
		this.#isOver = true;
		let stored: StoredSnapshot;
		try {
			const reader = new SnapshotReader(this.#file);
			stored = await reader.verify();
			requireExpected(this.#file.path, reader.header, this.#expected);
		} catch (error) {
			await this.#file.close();
			if (error instanceof Corruption) await this.#target.discard();
			else this.#target.letGo();
			throw error;
		}
		await this.#file.close();
		await this.#target.publish(stored);
		return stored;
	}

	/** Lets go of the file, which a later `receive` goes on with. */
	async pause(): Promise<void> {
		if (this.#isOver) return;
		this.#isOver = true;
		await this.#file.close();
		this.#target.letGo();
	}

	/** Removes what came. */
	async abandon(): Promise<void> {
		if (this.#isOver) return;
		this.#isOver = true;
		await this.#file.close();
		await this.#target.discard();
	}
}

interface Found {
	readonly cluster: number;
	readonly group: number;
	readonly identity: number;
	readonly index: number;
	readonly term: number;
}

function requireExpected(path: string, found: Found, expected: ExpectedSnapshot): void {
	const isExpected =
		found.cluster === expected.clusterNumber &&
		found.group === expected.group &&
		found.identity === expected.identity &&
		found.index === expected.index &&
		found.term === expected.term;
	if (!isExpected) throw new Corruption(path, 0, 'it is not the snapshot that was announced');
}
