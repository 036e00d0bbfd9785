/**
 * A backup is a snapshot's file, wherever it lies. It is made under another name, verified, and renamed; and a
 * new cluster is begun with it: each of its replicas gets a directory that holds it, and a log that goes on behind it.
 */
import { BadOption, WrongDirectory } from '../errors.js';
import { SnapshotSection } from '../format/snapshot-frames.js';
import type { Clock, Disk, DiskFile, Random } from '../io.js';
import { DEFAULT_LIMITS, type Limits } from '../limits.js';
import { type Identity, writeIdentity } from './identity.js';
import { Log } from './log.js';
import { writeSlices } from './segment-store.js';
import { SnapshotReader } from './snapshot-reader.js';
import { SnapshotStore } from './snapshot-store.js';
import type { StoredSnapshot } from './snapshot-types.js';

/** What a backup is of. */
export interface Backup extends StoredSnapshot {
	/** Number of the cluster that it was made in. */
	readonly cluster: number;
	readonly group: number;
}

/** Told of bytes done, of all. Throws to stop. */
export type OnProgress = (bytes: number, total: number) => void;

/** Reads and verifies all of a backup. Errors: `Corruption`, `DiskError`. */
export async function verifyBackup(
	disk: Disk,
	path: string,
	onProgress: OnProgress = () => {},
): Promise<Backup> {
	const file = await disk.open(path, 'read', false);
	try {
		const total = await file.size();
		const reader = new SnapshotReader(file);
		const snapshot = await reader.verify(() => onProgress(reader.position, total));
		return { ...snapshot, cluster: reader.header.cluster, group: reader.header.group };
	} finally {
		await file.close();
	}
}

/** A backup that is being made. The calls follow each other. */
export class BackupFile {
	readonly path: string;
	readonly #disk: Disk;
	readonly #file: DiskFile;
	#bytes = 0;

	/** Errors: `BadOption` if there is a file of that name; `DiskError`. */
	static async create(disk: Disk, path: string): Promise<BackupFile> {
		const names = await disk.list(directoryOf(path));
		const name = path.slice(path.lastIndexOf('/') + 1);
		if (names.includes(name)) throw new BadOption(`${path} exists: a backup replaces nothing`);
		// Of one that was killed.
		if (names.includes(`${name}.partial`)) await disk.remove(`${path}.partial`);
		return new BackupFile(disk, path, await disk.open(`${path}.partial`, 'create', false));
	}

	private constructor(disk: Disk, path: string, file: DiskFile) {
		this.path = path;
		this.#disk = disk;
		this.#file = file;
	}

	async write(bytes: Uint8Array): Promise<void> {
		await writeSlices(this.#file, [bytes], this.#bytes);
		this.#bytes += bytes.length;
	}

	/** Verifies it; from now on it has its name. Errors: `Corruption`, `DiskError`; then it is gone. */
	async finish(): Promise<Backup> {
		await this.#file.sync();
		const backup = await verifyBackup(this.#disk, `${this.path}.partial`);
		await this.#file.close();
		await this.#disk.rename(`${this.path}.partial`, this.path);
		await this.#disk.syncDirectory(directoryOf(this.path));
		return backup;
	}

	/** Removes what there is of it. */
	async abandon(): Promise<void> {
		await this.#file.close();
		await this.#disk.remove(`${this.path}.partial`);
	}
}

function directoryOf(path: string): string {
	const end = path.lastIndexOf('/');
	return end < 0 ? '.' : path.slice(0, end + 1);
}

export interface RestoreOptions {
	readonly disk: Disk;
	readonly clock: Clock;
	readonly random: Random;
	/** The backup. */
	readonly file: string;
	/** Whose directory it becomes. */
	readonly directory: string;
	readonly identity: Identity;
	readonly clusterNumber: number;
	/** Of the log's first segments. Default: those of a replica. */
	readonly limits?: Limits;
	readonly onProgress: OnProgress;
}

/**
 * Makes the directory of one replica of a new cluster, which begins with the backup's state. It is the same for all of
 * its replicas, and done before the first of them is started: none of them has promised anything yet.
 *
 * The identity is written last: without it, no replica starts with what an interrupted attempt left.
 * Errors: `WrongDirectory` if the directory isn't empty; `BadOption` if the backup holds no state, or is of a cluster of the same
 * name; `Corruption`; `DiskError`.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Backup> {
	const { disk, directory, identity, clusterNumber, file } = options;
	const backup = await verifyBackup(disk, file);
	if (!backup.isFull) throw new BadOption(`${file} holds no state: it can't be restored`);
	if (backup.cluster === clusterNumber) {
		const why = `a replica of that cluster could take this one for its own`;
		throw new BadOption(
			`the backup is of cluster '${identity.cluster}': choose another name, ${why}`,
		);
	}
	await disk.makeDirectory(directory);
	if ((await disk.list(directory)).length > 0) throw new WrongDirectory(directory, 'is not empty');
	const lock = await disk.lock(directory);
	try {
		await disk.makeDirectory(`${directory}/log`);
		await copySnapshot(options, backup);
		await beginLog(options, backup);
		await writeIdentity(disk, directory, identity);
	} finally {
		await lock.release();
	}
	return backup;
}

/** The same chunks; the configuration is that of the new cluster. */
async function copySnapshot(options: RestoreOptions, backup: Backup): Promise<void> {
	const { disk, random, directory, clusterNumber, identity, onProgress } = options;
	const { group } = identity;
	const store = await SnapshotStore.open({ disk, random, directory, clusterNumber, group });
	const writer = await store.begin({ ...backup, members: new Uint8Array(0) });
	const file = await disk.open(options.file, 'read', false);
	try {
		const reader = new SnapshotReader(file);
		await reader.begin();
		for await (const { section, bytes } of reader.chunks()) {
			if (section === SnapshotSection.state) await writer.chunk(bytes);
			onProgress(reader.position, backup.bytes);
		}
		await writer.finish();
	} catch (error) {
		await writer.abandon();
		throw error;
	} finally {
		await file.close();
	}
}

/** The term goes on from that of the last entry, in which nobody of this cluster has a vote. */
async function beginLog(options: RestoreOptions, backup: Backup): Promise<void> {
	const { disk, clock, random, directory, identity, clusterNumber } = options;
	let settle: (error: Error | null) => void = () => {};
	const durable = new Promise<void>((resolve, reject) => {
		settle = (error) => (error === null ? resolve() : reject(error));
	});
	const log = await Log.open(
		{
			disk,
			clock,
			directory,
			clusterNumber,
			replica: identity.replica,
			group: identity.group,
			newSalt: Math.floor(random.next() * 2 ** 32),
			durability: 'sync',
			mustExist: false,
			setsDamageAside: false,
			limits: { ...(options.limits ?? DEFAULT_LIMITS), segmentsAhead: 1 },
			snapshot: backup,
		},
		{ onPersisted: () => settle(null), onFailure: (error) => settle(error) },
	);
	try {
		log.setHardState(backup.term + 1, 0);
		await durable;
	} finally {
		await log.close();
	}
}

/** Copies the latest snapshot of a replica that doesn't run, as a backup. Errors: `BadOption` if it has none with the state
 * in it; `DirectoryLocked`; `Corruption`; `DiskError`. */
export async function backUpDirectory(options: Omit<RestoreOptions, 'clock'>): Promise<Backup> {
	const { disk, random, directory, clusterNumber, identity, file, onProgress } = options;
	const lock = await disk.lock(directory);
	try {
		const { group } = identity;
		const store = await SnapshotStore.open({ disk, random, directory, clusterNumber, group });
		if (store.damage !== null) throw store.damage;
		if (store.latest === null) throw new BadOption(`${directory} has no snapshot yet`);
		const held = await store.holdFull();
		if (held === null) {
			const why = 'its state machine keeps the state itself';
			throw new BadOption(`the snapshot in ${directory} holds no state: ${why}`);
		}
		const target = await BackupFile.create(disk, file);
		try {
			const range = new Uint8Array(COPY_BYTES);
			const { bytes } = held.snapshot;
			for (let at = 0; at < bytes; at += range.length) {
				const there = await held.read(at, range);
				await target.write(range.subarray(0, there));
				onProgress(at + there, bytes);
			}
			return await target.finish();
		} catch (error) {
			await target.abandon().catch(() => {});
			throw error;
		} finally {
			await held.release();
		}
	} finally {
		await lock.release();
	}
}

const COPY_BYTES = 512 * 1024;
