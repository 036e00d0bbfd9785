/** The public shapes: what an embedder gives, and what it gets. */
import type { BatchView } from '../format/batch-view.js';
import type { Doors } from '../io.js';
import type { Limits } from '../limits.js';

/**
 * What is replicated. Every replica applies the same entries in the same order; it must do the same with them:
 * no clock (use `batch.time`), no randomness, no outside input.
 */
export interface StateMachine {
	/**
	 * Called once before anything else. A state machine that keeps its state on disk returns the index of the
	 * last entry it holds durably, together with its effects; one in memory returns nothing (0) and gets
	 * the whole log again.
	 */
	open?(): number | undefined | Promise<number | undefined>;
	/**
	 * Applies a committed batch, all entries in order. `batch` and what it returns are valid only until this
	 * call returns (or its promise resolves). May return one result for each entry, which the
	 * proposer gets. Throwing stops the replica for good, with the index in the error.
	 *
	 * Called with batches of producers only, never concurrently, never twice for one index in one life.
	 */
	apply(batch: BatchView): readonly unknown[] | undefined | Promise<readonly unknown[] | undefined>;
	/** Answers `Replica.read` and remote reads (whose query and answer are bytes). Must change nothing. */
	query?(query: unknown): unknown;
	/** Lets go of what it holds. */
	close?(): void | Promise<void>;
}

export interface ReplicaOptions {
	/** This replica's id: a whole number from 1 to 2^32-1, unique in the cluster, never reused. */
	readonly id: number;
	/** Where the log is kept. Made if it isn't there; locked while the replica is open. */
	readonly dir: string;
	/** Address (`host:port`) of every replica by id, this one included. */
	readonly peers: Readonly<Record<number, string>>;
	readonly stateMachine: StateMachine;
	/** Replicas of other clusters are turned away. Default `'millrace'`. */
	readonly cluster?: string;
	/** The Raft group. Default 1. */
	readonly group?: number;
	/** `'sync'` (default): acknowledged is on disk on a majority. `'os'`: it is in the memory of a majority's
	 * kernels: a power cut can lose it, together with the crash of another replica. */
	readonly durability?: Durability;
	/** An election starts after a silence of one to two of these. Default 300. */
	readonly electionTimeoutMs?: number;
	/** Default 50. */
	readonly heartbeatMs?: number;
	/** Drop applied entries beyond this many bytes of log, in whole segments. Default: keep everything. A leader
	 * keeps up to four times as much for a follower that lags but answers. A replica that was away for longer
	 * than that cannot catch up. */
	readonly retainBytes?: number;
	/** When the log is damaged: `'repair'` (default) sets the damaged part aside, fetches it from the peers, and takes
	 * part in elections again once it is all there; with fewer than three replicas there is nobody to spare, and it
	 * refuses. `'refuse'`: `openReplica` rejects with `Corruption`. */
	readonly onDamage?: 'repair' | 'refuse';
	/** Sizes and bounds; see `limits.ts`. */
	readonly limits?: Partial<Limits>;
	/** Told about connections refused, roles, stops: one line each. Default: silent. */
	readonly log?: (line: string) => void;
	/** Default: Node's own files, sockets, clock. */
	readonly doors?: Doors;
}

export type Durability = 'sync' | 'os';

export interface ProposeOptions {
	/** Gives up waiting; the outcome is then unknown (`UnknownOutcome`). */
	readonly signal?: AbortSignal;
	/** At the limit: `'refuse'` (default) rejects with `Busy`, `'wait'` queues the call. */
	readonly whenBusy?: 'refuse' | 'wait';
}

export interface Proposed {
	readonly index: number;
	readonly term: number;
	/** What `StateMachine.apply` returned for this entry. */
	readonly result: unknown;
}

export interface ProposedBatch {
	/** Index of the first entry. The entries lie one behind the other. */
	readonly index: number;
	readonly term: number;
	readonly count: number;
	/** What `StateMachine.apply` returned for these entries, if anything. */
	readonly results: readonly unknown[] | undefined;
}

export interface ReadOptions {
	readonly signal?: AbortSignal;
	/** Default 5000. */
	readonly timeoutMs?: number;
}

export interface TailOptions {
	/** First index wanted. Default 1, or the first that is still kept. */
	readonly from?: number;
	/** Go on with what is committed later. Default true. */
	readonly follow?: boolean;
	readonly signal?: AbortSignal;
}

/** A committed entry, copied: it may be kept. */
export interface Entry {
	readonly index: number;
	readonly term: number;
	/** Leader's clock, ms since 1970. */
	readonly time: number;
	readonly data: Uint8Array;
}

export type RoleName = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

export interface PeerStatus {
	readonly id: number;
	readonly connected: boolean;
	/** Leader only: durable there and matching; -1 on others. */
	readonly match: number;
	readonly inflightBytes: number;
}

/** A replica whose directory is new, or has lost a part of its log, may have forgotten votes and acknowledgements. It is
 * `'asking'` until it has heard from all its peers, then `'catching-up'` with the leader, then a `'voter'`. Nobody
 * needs to do anything, except to start those that it waits for (the log line names them). */
export type Standing = 'voter' | 'asking' | 'catching-up';

export interface ReplicaStatus {
	readonly id: number;
	readonly group: number;
	readonly cluster: string;
	readonly role: RoleName;
	/** 0 while unknown. */
	readonly leader: number;
	readonly term: number;
	/** First index still kept. */
	readonly first: number;
	readonly last: number;
	readonly persisted: number;
	readonly committed: number;
	readonly applied: number;
	readonly durability: Durability;
	/** `'voter'`, or why this replica is none now: see `Standing`. */
	readonly standing: Standing;
	readonly peers: readonly PeerStatus[];
	readonly counters: Readonly<Record<string, number>>;
	/** Set once the replica has stopped for good. */
	readonly stopped: string | null;
}

/** Events of a replica, by name. */
export interface ReplicaEvents {
	role: [status: { role: RoleName; term: number; leader: number }];
	stopped: [error: Error];
	/** A peer needs entries that are compacted. */
	'peer-behind': [peer: number];
}
