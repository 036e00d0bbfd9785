/** The public shapes: what an embedder gives, and what it gets. */
import type { BatchView } from '../format/batch-view.js';
import type { Doors, TlsFiles } from '../io.js';
import type { Limits } from '../limits.js';
import type { Latency } from '../profile/vitals.js';
import type { LogOption } from './chronicle.js';
import type { Member, MemberChange, Members } from './members.js';
import type { Permission } from './permission.js';

export type { Latency, Member, MemberChange, Members, Permission };

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
	/**
	 * Hands out its state in chunks, for a snapshot; needs `restore` as well. Called between two batches, and must stand for
	 * the state at that moment, while later batches are applied: copy what they change, or keep it apart. The first
	 * chunk is drawn at once, the others as the disk takes them. A chunk may be up to 64 MiB, and must not change before the
	 * next is drawn. Throwing stops the replica for good.
	 *
	 * With it the log is bounded: once a snapshot is durable, the log it stands for is dropped.
	 */
	snapshot?: (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>) | undefined;
	/**
	 * Replaces all state by what `snapshot` handed out, here or on another replica, in the same chunks. `index` is the last
	 * entry that is in it. Nothing is applied before it has resolved; until then, queries may come.
	 *
	 * A state machine that keeps its state on disk replaces it as a whole, and its index with it: after a crash in the
	 * middle of it `open` returns the old index, with the old state, or `index`, with the new one. What `apply` has
	 * returned from, and what `restore` has, must be durable by then: the log before it is dropped.
	 */
	restore?: ((chunks: AsyncIterable<Uint8Array>, index: number) => Promise<void>) | undefined;
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
	/** Address (`host:port`) of every replica by id, this one included. Who belongs to the cluster is kept in the log as
	 * soon as it changes for the first time; from then on only the addresses are taken from here. */
	readonly peers: Readonly<Record<number, string>>;
	/** This replica is new, and joins a cluster that is there: `peers` names the present members and itself. It takes part
	 * as soon as it is added there (`Replica.addMember`). Default false. */
	readonly join?: boolean;
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
	/** Drop applied entries beyond this many bytes of log, in whole segments. With a state machine that has snapshots: what
	 * is kept behind the latest, for followers that lag and for tails; default 64 MiB. Without: a replica that was away
	 * for longer than that cannot catch up, and of one that keeps its state (`StateMachine.open`), what else the log says is noted in a snapshot
	 * without it each time so much has come; default: keep everything. A state machine that does neither is rebuilt from the whole log: a
	 * replica that has dropped the front of it can't be opened again, which the event `state-not-kept` warns of. A leader keeps up to four times as much (with
	 * snapshots, of that and `snapshotEveryBytes` together) for a follower that lags but answers. */
	readonly retainBytes?: number;
	/** A snapshot is taken whenever so many bytes of log have come since the last. Default 256 MiB. One that keeps its state
	 * on disk isn't asked for it then: that it has it is noted, and only a follower's need makes a snapshot of all. */
	readonly snapshotEveryBytes?: number;
	/** A snapshot is sent to a follower no faster than this. Default: as fast as it takes it. */
	readonly snapshotBytesPerSecond?: number;
	/**
	 * As leader, answer reads with `consistency: 'lease'` without asking anybody, for as long as a majority has promised to
	 * elect nobody else; as voter, make that promise. Default: off, and such reads are linearizable all the same, at the price
	 * of a round to a majority.
	 *
	 * `clockDriftMax` (from 0, below 1) is what you vouch for: while one replica's monotonic clock passes a second, no other's
	 * passes less than `1 - clockDriftMax` seconds, pauses of a process included, and none is set. Where that is broken (a
	 * virtual machine that is stopped and goes on later, with a clock that stood still), a lease read may be stale.
	 * A restarted voter keeps what it promised for `electionTimeoutMs`: before you lower that or switch this
	 * off, let each replica be down for as long as it was.
	 */
	readonly leaseReads?: { readonly clockDriftMax: number };
	/** When the log is damaged: `'repair'` (default) sets the damaged part aside, fetches it from the peers, and takes
	 * part in elections again once it is all there; with fewer than three replicas there is nobody to spare, and it
	 * refuses. `'refuse'`: `openReplica` rejects with `Corruption`. */
	readonly onDamage?: 'repair' | 'refuse';
	/** Sizes and bounds; see `limits.ts`. */
	readonly limits?: Partial<Limits>;
	/** Told of what happens, by event, with fields: docs/OBSERVABILITY.md. A function is given a line for people instead, for
	 * those events that have one. Default: silent. */
	readonly log?: LogOption;
	/** A write of the log that takes longer is an event. Default 500. */
	readonly slowFlushMs?: number;
	/** Every connection is encrypted, and both ends show a certificate. Default: none is. */
	readonly tls?: TlsFiles;
	/** What clients may do here, by the common name in their certificate, such as `{ 'client-app': 'write', '*': 'read' }`, where `*` are
	 * all others; without it others are turned away. Binds certificates with `OU=client`: whoever has another one could come as a
	 * replica too. It is each replica's own; needs `tls`. Default: all clients may do everything. */
	readonly clientRoles?: Readonly<Record<string, Permission>>;
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

/**
 * What a read's answer must reflect, on any replica.
 *
 * - `'linearizable'` (default): everything that was acknowledged anywhere before the call. One round to a majority, shared
 *   by all reads of a moment; from a follower, one more to the leader.
 * - `'lease'`: the same, while clocks go as the option `leaseReads` says, and no round while the leader's lease holds.
 * - `{maxLagMs}`: everything that was acknowledged at least so long before the call, by this replica's clock. Answered at once if
 *   what this replica last heard suffices, else like `'lease'`.
 * - `'stale'`: something that was true once. Answered at once.
 */
export type Consistency = 'linearizable' | 'lease' | 'stale' | { readonly maxLagMs: number };

export interface ReadOptions {
	/** Default `'linearizable'`. */
	readonly consistency?: Consistency;
	readonly signal?: AbortSignal;
	/** Default 5000. */
	readonly timeoutMs?: number;
}

export interface TransferOptions {
	/** Gives up waiting, and as leader the transfer too. */
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

/** A snapshot's file on its way from one replica to another. */
export interface SnapshotProgress {
	/** The last index that is in it. */
	readonly index: number;
	/** Of the file: what has been written there, and its length. */
	readonly bytes: number;
	readonly total: number;
}

export interface SnapshotStatus {
	/** The latest that is durable here; 0 = none. */
	readonly index: number;
	readonly bytes: number;
	/** It holds the state; else it only says that the state machine has it. */
	readonly isFull: boolean;
	/** Bytes written so far of the one that is being taken; null if none is. */
	readonly takenBytes: number | null;
	/** One that is coming from the leader `from`; null if none is. */
	readonly receiving: (SnapshotProgress & { readonly from: number }) | null;
	/** The state machine is being given one. */
	readonly isRestoring: boolean;
}

export interface PeerStatus {
	readonly id: number;
	readonly connected: boolean;
	/** The version of the protocol that is spoken with it: the highest that both ends know; 0 = not connected. */
	readonly protocol: number;
	/** Leader only: durable there and matching; -1 on others. */
	readonly match: number;
	readonly inflightBytes: number;
	/** Leader only: the snapshot that is being sent to it; null if none is. */
	readonly snapshot: SnapshotProgress | null;
}

/** What a replica has on its disk, in bytes. */
export interface DiskStatus {
	/** Of the segments that hold the log, as long as their files are. */
	readonly logBytes: number;
	/** Of segments that are ready to be written, or not needed any more. */
	readonly spareBytes: number;
	/** Of the latest snapshot. */
	readonly snapshotBytes: number;
	/** There is too little room to go on: proposals are refused. */
	readonly isFull: boolean;
}

/** Who has dialled in, beside the replicas. */
export interface ConnectionsStatus {
	readonly clients: number;
	/** Those that haven't said yet who they are. */
	readonly strangers: number;
}

/** How long things take that matter. */
export interface LatencyStatus {
	/** One write of the log, until it is durable. */
	readonly flush: Latency;
	/** Leader only, of its batches: from their place in its log until a majority has them durably. What a proposal waits
	 * before that, in the open batch, and for being applied after it, is not in it. */
	readonly commit: Latency;
}

/** `'learner'`, `'no-member'`: what the configuration says. A replica whose directory is new, or has lost a part of its log, may have forgotten votes and acknowledgements. It is
 * `'asking'` until it has heard from all its peers, then `'catching-up'` with the leader, then a `'voter'`. Nobody
 * needs to do anything, except to start those that it waits for (the log line names them). */
export type Standing = 'voter' | 'learner' | 'no-member' | 'asking' | 'catching-up';

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
	/** Term of the last entry. */
	readonly lastTerm: number;
	readonly persisted: number;
	readonly committed: number;
	readonly applied: number;
	readonly durability: Durability;
	/** In a host: nothing has happened in the group for a while, and it costs nothing until something does. */
	readonly isResting: boolean;
	/** `'voter'`, or why this replica is none now: see `Standing`. */
	readonly standing: Standing;
	readonly snapshot: SnapshotStatus;
	/** Who belongs to the cluster, as of the last configuration in this replica's log. */
	readonly members: MembersStatus;
	readonly peers: readonly PeerStatus[];
	readonly latency: LatencyStatus;
	readonly disk: DiskStatus;
	readonly connections: ConnectionsStatus;
	/** A profile is being recorded. */
	readonly isProfiled: boolean;
	readonly counters: Readonly<Record<string, number>>;
	/** Set once the replica has stopped for good. */
	readonly stopped: string | null;
	/** Where the replicas' gateways are, by id, as far as this one's gateway was told. */
	readonly gateways: Readonly<Record<number, string>>;
}

/** What an operator may ask of a replica, in JSON: `do` is one of the names in `admin.ts`, and each has its own fields. */
export interface AdminRequest {
	readonly do: string;
	readonly [field: string]: unknown;
}

/** `ok` and what was asked for, or why not: an error's code and text. */
export type AdminReply =
	| { readonly ok: true; readonly [field: string]: unknown }
	| { readonly ok: false; readonly code: string; readonly message: string };

/** The configuration in force. */
export interface MembersStatus extends Members {
	/** Of its entry; 0 = it is that of the option `peers`. */
	readonly index: number;
	/** It isn't committed, or a change of voters is under way. */
	readonly isPending: boolean;
}

/** Events of a replica, by name. */
export interface ReplicaEvents {
	role: [status: { role: RoleName; term: number; leader: number }];
	stopped: [error: Error];
	/** It has let go of everything. */
	closed: [];
	/** A peer needs entries that are compacted. If the state machine has snapshots, it is sent one. */
	'peer-behind': [peer: number];
	/** A snapshot that was taken here is durable. */
	snapshot: [snapshot: { index: number; bytes: number; isFull: boolean }];
	/** A snapshot came from the leader, and everything up to its index with it. It is durable; the state machine is being
	 * given it (`status().snapshot.isRestoring`). */
	installed: [snapshot: { index: number; bytes: number }];
}
