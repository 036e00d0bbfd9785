/**
 * millrace: a Raft replication engine to embed.
 *
 * `openReplica` opens one replica of a group; see `Replica` for what it does, `StateMachine` for what it
 * needs from you, and `errors.ts` for everything that can go wrong.
 */
import { nativeDoors } from '../native-free-io/index.js';
import { open } from './replica/open.js';
import type { Replica } from './replica/replica.js';
import type { ReplicaOptions } from './replica/types.js';

export * from './errors.js';
export { BatchView } from './format/batch-view.js';
export type { PackedEntries } from './format/batch-writer.js';
export type { Address, Clock, Connection, Disk, Doors, Network, Random } from './io.js';
export { DEFAULT_LIMITS, type Limits } from './limits.js';
export type { Replica } from './replica/replica.js';
export type * from './replica/types.js';

/** Opens a replica: takes its directory, recovers its log, listens, and joins its peers. Errors: `BadOption`,
 * `DirectoryLocked`, `WrongDirectory`, `Corruption`, `DiskError`, `AddressInUse`, `StateMachineFailed`. */
export function openReplica(options: ReplicaOptions): Promise<Replica> {
	return open(options, options.doors ?? nativeDoors());
}
