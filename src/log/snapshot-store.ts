import { assert } from '../assert.js';
import { Corruption, WrongDirectory } from '../errors.js';
import type { SnapshotHeaderNumbers } from '../format/snapshot-frames.js';
import { SnapshotSection } from '../format/snapshot-frames.js';
import type { DiskFile } from '../io.js';
import { SnapshotReader } from './snapshot-reader.js';
import { ReceivedSnapshot } from './snapshot-receiver.js';
import type {
	SnapshotHead,
	SnapshotIdentity,
	SnapshotOptions,
	StoredSnapshot,
} from './snapshot-types.js';
import { type SnapshotTarget, SnapshotWriter } from './snapshot-writer.js';

/** `snapshot-<index>-<identity>`, each of 16 digits: no two files ever have the same name. */
const SNAPSHOT_NAME = /^snapshot-(\d{16})-\d{16}\.mrs$/;
const RECEIVED_NAME = /^snapshot-(\d{16})-\d{16}\.receiving$/;
const TAKEN_NAME = 'snapshot.taking';

function baseName({ index, identity }: Pick<SnapshotIdentity, 'index' | 'identity'>): string {
	const digits = (number: number) => String(number).padStart(16, '0');
	return `snapshot-${digits(index)}-${digits(identity)}`;
}

/** The file of a snapshot, which stays readable although a newer one exists, until `release`. */
export class HeldSnapshot {
	readonly snapshot: StoredSnapshot;
	readonly #file: DiskFile;

	constructor(snapshot: StoredSnapshot, file: DiskFile) {
		this.snapshot = snapshot;
		this.#file = file;
	}

	/** Reads a range of the file, for sending. @returns the bytes read: fewer than `into` holds only at the end */
	read(offset: number, into: Uint8Array): Promise<number> {
		return this.#file.read(into, offset);
	}

	/** Reads all of it. @returns what is damaged by now; null if it is whole. Errors: `DiskError`. */
	async damage(): Promise<Corruption | null> {
		try {
			await new SnapshotReader(this.#file).verify();
			return null;
		} catch (error) {
			if (error instanceof Corruption) return error;
			throw error;
		}
	}

	release(): Promise<void> {
		return this.#file.close();
	}
}

/**
 * The snapshots of a replica. There is one at a time, but for the moments in which the next one takes its place:
 * it is written under another name, synced, renamed, and the directory synced; then it exists, and the old one goes.
 */
export class SnapshotStore {
	readonly #options: SnapshotOptions;
	readonly directory: string;
	#latest: StoredSnapshot | null = null;
	#damage: Corruption | null = null;
	#isTaking = false;
	#isReceiving = false;

	/**
	 * Finds the newest snapshot, verifies all of it, and removes what earlier lives left half made. If the newest one is
	 * damaged, see `damage`.
	 * Errors: `WrongDirectory` if it is another cluster's or group's; `DiskError`.
	 */
	static async open(options: SnapshotOptions): Promise<SnapshotStore> {
		const store = new SnapshotStore(options);
		await options.disk.makeDirectory(store.directory);
		await store.#recover();
		return store;
	}

	private constructor(options: SnapshotOptions) {
		this.#options = options;
		this.directory = `${options.directory}/snapshots`;
	}

	/** The newest whole one. */
	get latest(): StoredSnapshot | null {
		return this.#latest;
	}

	/** A newer one than `latest` was found damaged. Nothing is lost if the log reaches back to `latest`, or to its
	 * beginning; else this is the error to refuse with. */
	get damage(): Corruption | null {
		return this.#damage;
	}

	/** Begins to write a snapshot; one at a time. Errors: `DiskError`. */
	async begin(head: SnapshotHead): Promise<SnapshotWriter> {
		assert(!this.#isTaking, 'one snapshot is taken at a time');
		assert(head.index > 0, 'a snapshot stands for something');
		this.#isTaking = true;
		const path = `${this.directory}/${TAKEN_NAME}`;
		const done = () => {
			this.#isTaking = false;
		};
		try {
			await this.#removeIfThere(TAKEN_NAME);
			const file = await this.#options.disk.open(path, 'create', false);
			const target = this.#target(TAKEN_NAME, done);
			const writer = new SnapshotWriter(file, head, this.#options.random.identifier(), target);
			try {
				await writer.begin(this.#options.clusterNumber, this.#options.group);
			} catch (error) {
				await file.close();
				throw error;
			}
			return writer;
		} catch (error) {
			done();
			throw error;
		}
	}

	/** Begins or goes on to take the file of a peer's snapshot, `bytes` long; one at a time, until it is finished, paused
	 * or abandoned. What was there of another one is removed. Errors: `DiskError`. */
	async receive(identity: SnapshotIdentity, bytes: number): Promise<ReceivedSnapshot> {
		assert(!this.#isReceiving, 'one snapshot is received at a time');
		this.#isReceiving = true;
		const done = () => {
			this.#isReceiving = false;
		};
		const name = `${baseName(identity)}.receiving`;
		try {
			const isThere = await this.#keepOnly(name);
			const path = `${this.directory}/${name}`;
			const file = await this.#options.disk.open(path, isThere ? 'write' : 'create', false);
			const { clusterNumber, group } = this.#options;
			const expected = { ...identity, clusterNumber, group, bytes };
			const received = new ReceivedSnapshot(file, expected, this.#target(name, done));
			try {
				if (isThere) await received.resume();
			} catch (error) {
				await file.close();
				throw error;
			}
			return received;
		} catch (error) {
			done();
			throw error;
		}
	}

	/** The state machine's chunks of the latest snapshot, as they were given, each verified before it is handed out.
	 * Errors: `Corruption`, `DiskError`. */
	async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
		const held = await this.#openLatest();
		try {
			const reader = new SnapshotReader(held.file);
			await reader.begin();
			for await (const { section, bytes } of reader.chunks()) {
				if (section === SnapshotSection.state) yield bytes;
			}
		} finally {
			await held.file.close();
		}
	}

	/** Keeps the latest snapshot's file readable, for somebody who needs the state.
	 * @returns null if the latest has none: a newer one may have come since the caller looked. Errors: `DiskError` */
	async holdFull(): Promise<HeldSnapshot | null> {
		const { snapshot, file } = await this.#openLatest();
		if (snapshot.isFull) return new HeldSnapshot(snapshot, file);
		await file.close();
		return null;
	}

	/** A newer one may take its place while it is opened. */
	async #openLatest(): Promise<{ snapshot: StoredSnapshot; file: DiskFile }> {
		for (;;) {
			const snapshot = this.#latest;
			assert(snapshot !== null, 'there is a snapshot');
			try {
				const file = await this.#options.disk.open(this.#path(snapshot), 'read', false);
				if (this.#latest === snapshot) return { snapshot, file };
				await file.close();
			} catch (error) {
				if (this.#latest === snapshot) throw error;
			}
		}
	}

	#path(snapshot: StoredSnapshot): string {
		return `${this.directory}/${baseName(snapshot)}.mrs`;
	}

	#target(name: string, done: () => void): SnapshotTarget {
		return {
			publish: (stored) => this.#publish(name, stored).finally(done),
			discard: () => this.#removeIfThere(name).finally(done),
			letGo: done,
		};
	}

	/** The file is whole and durable under `name`. */
	async #publish(name: string, stored: StoredSnapshot): Promise<void> {
		const { disk } = this.#options;
		if (this.#latest !== null && stored.index < this.#latest.index) {
			// A newer one came from elsewhere meanwhile.
			return await this.#removeIfThere(name);
		}
		const path = this.#path(stored);
		await disk.rename(`${this.directory}/${name}`, path);
		await disk.syncDirectory(this.directory);
		this.#latest = stored;
		this.#damage = null;
		for (const other of await disk.list(this.directory)) {
			const isOld = SNAPSHOT_NAME.test(other) && `${this.directory}/${other}` !== path;
			if (isOld) await disk.remove(`${this.directory}/${other}`);
		}
	}

	async #removeIfThere(name: string): Promise<void> {
		const { disk } = this.#options;
		const names = await disk.list(this.directory);
		if (names.includes(name)) await disk.remove(`${this.directory}/${name}`);
	}

	/** Removes what was received of other snapshots. @returns whether the file `name` is there */
	async #keepOnly(name: string): Promise<boolean> {
		const { disk } = this.#options;
		const names = await disk.list(this.directory);
		for (const other of names) {
			if (other !== name && RECEIVED_NAME.test(other)) {
				await disk.remove(`${this.directory}/${other}`);
			}
		}
		return names.includes(name);
	}

	async #recover(): Promise<void> {
		const { disk } = this.#options;
		// A process that was killed may have renamed a snapshot and not made that durable.
		await disk.syncDirectory(this.directory);
		const names = await disk.list(this.directory);
		// The newest first.
		for (const name of names.filter((n) => SNAPSHOT_NAME.test(n)).reverse()) {
			const path = `${this.directory}/${name}`;
			if (this.#latest !== null) await disk.remove(path);
			else await this.#tryLatest(path);
		}
		for (const name of names) {
			const received = RECEIVED_NAME.exec(name);
			const isPast = received !== null && Number(received[1]) <= (this.#latest?.index ?? 0);
			if (name === TAKEN_NAME || isPast) await disk.remove(`${this.directory}/${name}`);
		}
	}

	async #tryLatest(path: string): Promise<void> {
		const file = await this.#options.disk.open(path, 'read', false);
		try {
			const reader = new SnapshotReader(file);
			const stored = await reader.verify();
			this.#requireOurs(path, reader.header);
			if (this.#path(stored) !== path)
				throw new Corruption(path, 0, `it is of index ${stored.index}`);
			this.#latest = stored;
		} catch (error) {
			if (!(error instanceof Corruption)) throw error;
			this.#damage ??= error;
		} finally {
			await file.close();
		}
	}

	#requireOurs(path: string, { cluster, group }: SnapshotHeaderNumbers): void {
		if (cluster === this.#options.clusterNumber && group === this.#options.group) return;
		throw new WrongDirectory(path, 'the snapshot belongs to another cluster or group');
	}
}
