import type { Corruption } from '../errors.js';
import type { Clock, Disk } from '../io.js';
import type { Limits } from '../limits.js';
import type { Probe } from '../profile/recorder.js';

/** A place between two batches: the end of everything up to `index`. */
export interface LogPosition {
	readonly index: number;
	/** Term of the entry at `index`; 0 at the log's start. */
	readonly term: number;
	/** Header checksum of the batch that ends there: the next one's `parent`. */
	readonly checksum: number;
}

export const LOG_START: LogPosition = { index: 0, term: 0, checksum: 0 };

export interface LogOptions {
	readonly disk: Disk;
	readonly clock: Clock;
	/** The replica's directory; segments are in `log` below it. */
	readonly directory: string;
	readonly clusterNumber: number;
	readonly replica: number;
	readonly group: number;
	/** For a log that is made now: a whole number below 2^32, chosen by chance. A log that is there has its own. */
	readonly newSalt: number;
	readonly durability: 'sync' | 'os';
	/** There was a log: if no file of it is left, that is `Corruption`. */
	readonly mustExist: boolean;
	/** Instead of refusing with `Corruption`, keep what is before the damage and set the rest aside. */
	readonly setsDamageAside: boolean;
	readonly limits: Limits;
	/** A flush that takes longer is told of. Default: none is. */
	readonly slowFlushMs?: number;
	/** What the snapshot stands for that the log goes on behind, and the highest time of any batch up to there. The log
	 * need not have anything up to its index. Default: none. */
	readonly snapshot?: (LogPosition & { readonly time: number }) | null;
	/** Why a newer snapshot can't be used: what the log is refused with, if it doesn't reach back without. */
	readonly snapshotDamage?: Corruption | null;
	/** Who records when flushes begin and end. Default: nobody. */
	readonly probe?: Probe;
}

/** What recovery found: the log as it was acknowledged, and where to go on. */
export interface Recovered {
	/** Everything up to here was dropped. */
	readonly base: LogPosition;
	readonly end: LogPosition;
	/** Hard state. */
	readonly term: number;
	readonly vote: number;
	/** Was known to be committed; never above `end.index`. */
	readonly committed: number;
	/** Where terms change: first index of each run, above `base.index`. */
	readonly runs: readonly { readonly index: number; readonly term: number }[];
	/** The configurations' entries, ascending. */
	readonly configurations: readonly { readonly index: number; readonly json: Uint8Array }[];
	/** The highest time of any batch that was found: none that follows may have a lower one. */
	readonly time: number;
	/** Bytes of a torn flush that were cut off; 0 after a clean stop. */
	readonly tornBytes: number;
	/** Damage to segments of which the snapshot has everything: they were removed, and nothing is lost. */
	readonly covered: Corruption | null;
}
