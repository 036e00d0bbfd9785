/** The public shapes of the remote client. */
import type { PackedEntries } from '../format/batch-writer.js';
import type { Doors, TlsFiles } from '../io.js';
import type {
	Consistency,
	Entry,
	MemberChange,
	MembersStatus,
	ReplicaStatus,
} from '../replica/types.js';

export interface ConnectOptions {
	/** Address (`host:port`) of every replica by id. */
	readonly peers: Readonly<Record<number, string>>;
	/** Must be the replicas' own. Default `'millrace'`. */
	readonly cluster?: string;
	/** The Raft group. Default 1. */
	readonly group?: number;
	/** Each proposal is applied exactly once, however often it must be sent (default). Without it a lost
	 * connection leaves what was under way on it with an unknown outcome. */
	readonly session?: boolean;
	/** The session ends when nothing is proposed for so long, by the log's time; the client then takes another one. What is
	 * sent again for longer than that is refused, never applied twice. From 100 to a week; default: ten minutes. */
	readonly sessionMs?: number;
	/** Calls fail when nothing has gone forward for this long. Default 10,000. */
	readonly timeoutMs?: number;
	/** Frames proposed and not yet acknowledged; who comes later waits. Default 8 MiB. */
	readonly windowBytes?: number;
	/** Every connection is encrypted, and both ends show a certificate. Default: none is. */
	readonly tls?: TlsFiles;
	/** Default: Node's own sockets and clock. */
	readonly doors?: Pick<Doors, 'network' | 'clock' | 'random'>;
}

/** What the leader knows of the members. */
export interface MembersReport extends MembersStatus {
	/** The last index in the leader's log. */
	readonly last: number;
	/** By id: up to where the others have it on disk. */
	readonly match: Readonly<Record<number, number>>;
}

export interface Accepted {
	/** Index of the first entry. 0 when it is only known that it was applied before: the first answer was
	 * lost with its connection. */
	readonly index: number;
	readonly term: number;
	readonly count: number;
	/** What the state machine returned for each entry, where that is bytes; absent if it returned no bytes at all. */
	readonly results?: readonly (Uint8Array | undefined)[];
	/** It may have returned some, and nobody knows them any more: the answer was lost, and they were too many or too long to be
	 * kept until it was asked for again. */
	readonly areResultsLost?: boolean;
}

export interface ClientProposeOptions {
	/** Gives up waiting, also for a time (`AbortSignal.timeout`); the outcome is then unknown (`UnknownOutcome`, whose
	 * `cause` is the signal's reason). */
	readonly signal?: AbortSignal;
}

export interface ClientCallOptions {
	/** Gives up, also for a time (`AbortSignal.timeout`): the call rejects with the signal's reason; where something was sent that
	 * may have been done, with `UnknownOutcome`, whose `cause` that is. */
	readonly signal?: AbortSignal;
}

export interface ClientReadOptions {
	/** Gives up waiting (`ReadFailed`, with the signal's reason as its `cause`). */
	readonly signal?: AbortSignal;
	/** Default `'linearizable'`. */
	readonly consistency?: Consistency;
	/** Who answers: `'leader'` (default), the replica with this id, or `'any'`: one of them, and another when that fails. */
	readonly from?: 'leader' | 'any' | number;
}

export interface ClientTailOptions {
	/** First index wanted. Default: the first that is still kept. */
	readonly from?: number;
	/** Go on with what is committed later (default). Otherwise the tail ends behind everything that was
	 * acknowledged before it began. */
	readonly follow?: boolean;
	/** Ends the iteration, in order. */
	readonly signal?: AbortSignal;
}

/** What one replica said of itself, or why it didn't. */
export interface PeerReport {
	readonly id: number;
	readonly address: string;
	readonly status: ReplicaStatus | null;
	readonly error: Error | null;
}

/** A client of a cluster, which finds the leader and stays with it. */
export interface Client {
	/**
	 * Proposes one entry; resolves once it is applied. What is proposed in one turn travels as one batch.
	 * The bytes must not change before that.
	 *
	 * Errors: `TooLarge`, `Busy`, `Stopped` (closed before it was sent), `NoSpace`, `SessionError`, `SessionExpired` and `Unavailable`:
	 * it is not applied. `UnknownOutcome`: it may be.
	 */
	propose(entry: Uint8Array, options?: ClientProposeOptions): Promise<Accepted>;
	/** The same for entries that shall lie one behind the other in one batch: all or none. */
	proposeBatch(
		entries: readonly Uint8Array[] | PackedEntries,
		options?: ClientProposeOptions,
	): Promise<Accepted>;
	/** Asks a state machine: the leader's, linearizably, if the options don't say otherwise. Errors: `ReadFailed`,
	 * `Unavailable`, `TooLarge`, `Busy`, `BadOption`. */
	read(query: Uint8Array, options?: ClientReadOptions): Promise<Uint8Array>;
	/**
	 * Committed entries in order, from any replica: without gap or repetition also when that one is lost. An
	 * entry shares memory with those of its batch. Errors: `Compacted`, `Unavailable`.
	 */
	tail(options?: ClientTailOptions): AsyncGenerator<Entry, void, undefined>;
	/** Asks each replica, in the order of their ids. */
	status(options?: ClientCallOptions): Promise<PeerReport[]>;
	/** Hands leadership to replica `target`, or (0) to the one that has most. @returns the new leader's id
	 * Errors: `MillraceError` with the replica's code (`TRANSFER_FAILED`, `BAD_OPTION`), `Unavailable`, `UnknownOutcome`: no answer came,
	 * and it isn't asked for again. */
	transferLeadership(target?: number, options?: ClientCallOptions): Promise<number>;
	/** Who belongs to the cluster, and how far each is. Errors: `Unavailable`. */
	members(options?: ClientCallOptions): Promise<MembersReport>;
	/** Changes that in one step, and resolves once it is committed: see `Replica.changeMembers`.
	 * Errors: `MillraceError` with the replica's code (`CHANGE_REFUSED`, `BAD_OPTION`, `UNKNOWN_OUTCOME`), `Unavailable`, `UnknownOutcome`. */
	changeMembers(change: MemberChange, options?: ClientCallOptions): Promise<void>;
	/** Fails what is under way and lets go of every connection. */
	close(): Promise<void>;
}
