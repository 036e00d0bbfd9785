import type { Disk, Random } from '../io.js';

/** What a snapshot stands for: the log up to `index`, and what has to be known about it once that is dropped. */
export interface SnapshotHead {
	readonly index: number;
	/** Term of the entry at `index`. */
	readonly term: number;
	/** Header checksum of the batch that ends at `index`: with the two above, a `LogPosition`. */
	readonly checksum: number;
	/** The highest time of any batch up to `index`, ms since 1970: none that follows may have a lower one. */
	readonly time: number;
	/** false: the state machine keeps its own state, and the file holds none. */
	readonly isFull: boolean;
	/** Configuration in force at `index`, and the table of sessions: the replica's own formats. Less than 4 GiB. */
	readonly members: Uint8Array;
	readonly sessions: Uint8Array;
}

/** A snapshot whose file is whole and durable. */
export interface StoredSnapshot extends SnapshotHead {
	/** Chosen by chance when the file was written: two files with one identity have the same bytes. */
	readonly identity: number;
	/** Length of the file. */
	readonly bytes: number;
	/** Bytes of the state alone. */
	readonly stateBytes: number;
}

/** Which snapshot somebody is about to send. */
export interface SnapshotIdentity {
	readonly identity: number;
	readonly index: number;
	readonly term: number;
}

export interface SnapshotOptions {
	readonly disk: Disk;
	readonly random: Pick<Random, 'identifier'>;
	/** The replica's directory; snapshots are in `snapshots` below it. */
	readonly directory: string;
	readonly clusterNumber: number;
	readonly group: number;
}
