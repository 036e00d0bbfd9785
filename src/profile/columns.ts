/**
 * What is known of one batch on one replica, as a row of numbers. Times are in ms of that replica's own monotonic
 * clock; 0 = it has not happened here (or not while it was recorded).
 */
export const Column = {
	/** First and last index of the batch, and the length of its frame. */
	first: 0,
	last: 1,
	bytes: 2,
	/** Leader: its first entry was taken from the caller. */
	accepted: 3,
	/** Leader: the batch takes no more entries. */
	batched: 4,
	/** Leader: it has its place in the log. */
	stamped: 5,
	/** Follower: the read that brought the end of it has returned. */
	received: 6,
	/** Follower: its layout and its checksums are right. */
	validated: 7,
	/** It was handed to the flusher. */
	queued: 8,
	/** The write that it is a part of was handed to the disk. */
	flushing: 9,
	/** That write is durable. */
	persisted: 10,
	/** It is known here to be committed. */
	committed: 11,
	/** Leader: whose news committed it: a replica id, its own included. */
	decider: 12,
	/** The state machine has it. */
	applied: 13,
	/** Leader: who waited for it has been told. */
	resolved: 14,
	/** From here on two columns for each other replica, in the order of `Recording.peers`. */
	peers: 15,
} as const;

/** Offsets within a peer's two columns: it was handed to the stream; its acknowledgement is here. */
export const PeerColumn = { sent: 0, acked: 1 } as const;

/** Columns of a row with so many peers. */
export function rowWidth(peers: number): number {
	return Column.peers + 2 * peers;
}

/** What one replica has recorded: plain data, that can be sent to another process as it is. */
export interface Recording {
	readonly replica: number;
	/** Ids of the others that this one sent to. */
	readonly peers: readonly number[];
	/** Rows of `rowWidth(peers.length)` numbers, ascending by index: the latest, as many as were to be kept. */
	readonly rows: Float64Array;
	/** Batches recorded, those included that were not kept. */
	readonly batches: number;
	/** If it is known how to turn these times into those of a clock that several processes share: its name, and the ms to
	 * add. */
	readonly clock?: { readonly name: string; readonly offset: number };
	/** In ms of the clock of all the times here. */
	readonly startedAt: number;
	readonly endedAt: number;
	/** Pairs (from, to): turns of the event loop in which this replica had to do, if they took long enough to matter. */
	readonly turns: Float64Array;
	/** Pairs (due, fired): a timer that was due every few ms, and when its turn came. */
	readonly beats: Float64Array;
	/** Pairs (from, to): garbage was collected and nothing else. Empty where nobody tells. */
	readonly collections: Float64Array;
}
