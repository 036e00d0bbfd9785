/**
 * millrace: a Raft replication engine to embed.
 *
 * `openReplica` opens one replica of a group; see `Replica` for what it does, `StateMachine` for what it
 * needs from you, and `errors.ts` for everything that can go wrong.
 */
import { nativeDoors } from '../native-free-io/index.js';
import { Host, type HostOptions } from './host/host.js';
import type { BackupInfo, RestoreOptions } from './replica/backup.js';
import * as backups from './replica/backup.js';
import { open } from './replica/open.js';
import type { Replica } from './replica/replica.js';
import type { ReplicaOptions } from './replica/types.js';

export { nativeDoors } from '../native-free-io/index.js';
export * from './errors.js';
export { BatchView } from './format/batch-view.js';
export type { PackedEntries } from './format/batch-writer.js';
export type { GroupOptions, Host, HostOptions } from './host/host.js';
export type { Address, Clock, Connection, Disk, Doors, Network, Random, TlsFiles } from './io.js';
export { DEFAULT_LIMITS, type Limits } from './limits.js';
export type { Recording } from './profile/columns.js';
export { type ProfileReport, reportOf as profileReport } from './profile/report.js';
export type { BackupInfo, RestoreOptions } from './replica/backup.js';
export type { LogOption } from './replica/chronicle.js';
export {
	EVENTS,
	type EventFields,
	type EventName,
	type Level,
	type Logger,
} from './replica/events.js';
export type { ProfileOptions, Profiling } from './replica/profiling.js';
export type { Replica } from './replica/replica.js';
export type * from './replica/types.js';

/** Reads and verifies all of a backup. Errors: `Corruption`, `DiskError`. */
export function verifyBackup(
	file: string,
	onProgress?: RestoreOptions['onProgress'],
): Promise<BackupInfo> {
	return backups.verifyBackup(nativeDoors(), file, onProgress);
}

/**
 * Makes the directory of one replica of a new cluster, which begins with the backup's state and index. Do the same for
 * all of its replicas before the first of them is started; a replica that loses its directory later begins with an empty one.
 * Errors: `WrongDirectory` if the directory isn't empty; `BadOption` if the backup is of a cluster of the same name, or
 * holds no state; `Corruption`; `DiskError`.
 */
export function restoreBackup(options: RestoreOptions): Promise<BackupInfo> {
	return backups.restoreBackup(nativeDoors(), options);
}

/** Copies the latest snapshot of a replica that doesn't run to a file. Errors: `BadOption` if there is none that holds the
 * state; `DirectoryLocked`; `WrongDirectory`; `Corruption`; `DiskError`. */
export function backUpDirectory(
	options: Pick<RestoreOptions, 'file' | 'dir' | 'onProgress'>,
): Promise<BackupInfo> {
	return backups.backUpDirectory(nativeDoors(), options);
}

/** Opens a replica: takes its directory, recovers its log, listens, and joins its peers. Errors: `BadOption`,
 * `DirectoryLocked`, `WrongDirectory`, `Corruption`, `DiskError`, `AddressInUse`, `StateMachineFailed`. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
	return open(options, options.doors ?? nativeDoors(options.tls));
}

/** Opens a host of many groups: takes its directory, makes its disk whole, and listens. Its groups are opened one by one:
 * `host.openGroup`. Errors: `BadOption`, `DirectoryLocked`, `Corruption`, `DiskError`, `AddressInUse`. */
export function openHost(options: HostOptions): Promise<Host> {
	return Host.open(options, options.doors ?? nativeDoors(options.tls));
}
