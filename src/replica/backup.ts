import type { Doors } from '../io.js';
import * as files from '../log/backup-file.js';
import { readIdentity } from '../log/identity.js';
import { clusterNumber } from '../transport/hello.js';

/** What a backup holds. */
export interface BackupInfo {
	/** Of the last entry that is in it, and its term. */
	readonly index: number;
	readonly term: number;
	/** The highest time of any batch in it, ms since 1970. */
	readonly time: number;
	/** Length of the file. */
	readonly bytes: number;
	readonly group: number;
}

export interface RestoreOptions {
	/** The backup. */
	readonly file: string;
	/** The new replica's directory, which must be empty or not there. */
	readonly dir: string;
	readonly id: number;
	/** Name of the new cluster: not that of the one that was backed up. */
	readonly cluster: string;
	/** Default: that of the backup. */
	readonly group?: number;
	/** Told of bytes done, of all; throws to stop. */
	readonly onProgress?: (bytes: number, total: number) => void;
}

/** Reads and verifies all of a backup. Errors: `Corruption`, `DiskError`. */
export async function verifyBackup(
	doors: Doors,
	file: string,
	onProgress?: (bytes: number, total: number) => void,
): Promise<BackupInfo> {
	return infoOf(await files.verifyBackup(doors.disk, file, onProgress));
}

/** Makes the directory of one replica of a new cluster; see `src/log/backup-file.ts`. */
export async function restoreBackup(doors: Doors, options: RestoreOptions): Promise<BackupInfo> {
	const { file, dir, id, cluster, onProgress = () => {} } = options;
	const group = options.group ?? (await files.verifyBackup(doors.disk, file)).group;
	const backup = await files.restoreBackup({
		disk: doors.disk,
		clock: doors.clock,
		random: doors.random,
		file,
		directory: dir,
		identity: { cluster, replica: id, group },
		clusterNumber: clusterNumber(cluster),
		onProgress,
	});
	return infoOf(backup);
}

/** Copies the latest snapshot of a replica that doesn't run. */
export async function backUpDirectory(
	doors: Doors,
	options: Pick<RestoreOptions, 'file' | 'dir' | 'onProgress'>,
): Promise<BackupInfo> {
	const { file, dir, onProgress = () => {} } = options;
	const identity = await readIdentity(doors.disk, dir);
	const backup = await files.backUpDirectory({
		disk: doors.disk,
		random: doors.random,
		file,
		directory: dir,
		identity,
		clusterNumber: clusterNumber(identity.cluster),
		onProgress,
	});
	return infoOf(backup);
}

function infoOf({ index, term, time, bytes, group }: files.Backup): BackupInfo {
	return { index, term, time, bytes, group };
}
