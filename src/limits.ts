/**
 * Every bound on memory, in one place, with the sum.
 *
 * A replica's memory that grows with load is its slab pool and a few bookkeeping queues, all bounded here:
 *
 *     slabs         slabBytes * slabsMax                                64 MiB
 *       of which    uncommitted proposals     uncommittedBytesMax       24 MiB
 *                   one slab per inbound stream being filled             2 MiB each
 *     reading back  slabBytes * (readSlabsMax for tails + 2 per peer + 1 for the applier)       18 MiB of three
 *     send queues   none of their own: they point into slabs, and are bounded per peer by inflightBytesMax
 *     clients       clientBytesMax per client connection for what is not yet sent to it, connectionsMax of them
 *     waiting       waitingBytesMax of callers' own buffers (`whenBusy: 'wait'`)
 *     pending reads readsMax
 *     sessions      sessionsMax * ~100 bytes, and 16 MiB of results at most (`src/replica/session-results.ts`)
 *
 * When no slab is free, sockets are no longer read: TCP carries the pressure to the sender. A proposal beyond
 * its limit is refused with `Busy` or waits, as its caller chose.
 */
export interface Limits {
	/** Size of a slab; no frame is longer than half of it. */
	readonly slabBytes: number;
	readonly slabsMax: number;
	/** A batch that the replica gathers is sealed at this frame length. */
	readonly batchBytes: number;
	/** The most entries in one batch. */
	readonly batchEntriesMax: number;
	/** The largest single entry, and the largest `proposeBatch`. */
	readonly entryBytesMax: number;
	/** Frames appended here as leader and not yet applied. */
	readonly uncommittedBytesMax: number;
	/** Calls that wait for room hold this many bytes of their own at most. */
	readonly waitingBytesMax: number;
	/** Sent to one peer and not yet acknowledged. */
	readonly inflightBytesMax: number;
	readonly inflightMessagesMax: number;
	/** Batches kept in memory after they are durable and applied, for followers that lag a little. */
	readonly tailBytesMax: number;
	/** One append message to a peer, and one flush to disk. */
	readonly appendBytesMax: number;
	readonly flushBytesMax: number;
	/** Slabs in which tails read the log back from disk. */
	readonly readSlabsMax: number;
	/** Reads waiting for confirmation. */
	readonly readsMax: number;
	/** What one client connection may have waiting to be sent to it, before it is no longer read from. */
	readonly clientBytesMax: number;
	/** Connections of clients, and as many again that have not said hello yet. */
	readonly connectionsMax: number;
	/** Exactly-once sessions remembered; the one unused for longest (by the log's order) is forgotten first. A leader writes it into the
	 * log with each session that it registers, and all replicas go by that. */
	readonly sessionsMax: number;
	/** Size of a segment file. */
	readonly segmentBytes: number;
	/** Segments made ready ahead of need. */
	readonly segmentsAhead: number;
	/** Proposals are refused (`NoSpace`) when less than this is free on the file system. */
	readonly freeBytesMin: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = {
	slabBytes: 2 * MIB,
	slabsMax: 32,
	batchBytes: 256 * 1024,
	batchEntriesMax: 65_536,
	entryBytesMax: MIB - 4096,
	uncommittedBytesMax: 24 * MIB,
	waitingBytesMax: 64 * MIB,
	inflightBytesMax: 16 * MIB,
	inflightMessagesMax: 256,
	tailBytesMax: 8 * MIB,
	appendBytesMax: MIB,
	flushBytesMax: 4 * MIB,
	readSlabsMax: 4,
	readsMax: 65_536,
	clientBytesMax: 4 * MIB,
	connectionsMax: 256,
	sessionsMax: 10_000,
	segmentBytes: 64 * MIB,
	segmentsAhead: 2,
	freeBytesMin: 256 * MIB,
};
