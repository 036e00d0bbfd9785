import type { Configuration, IndexedConfiguration } from './configuration.js';

/**
 * What goes into the core and what comes out of it: numbers only.
 *
 * Both objects are reused for every step, so that a step allocates nothing.
 */

export const MessageKind = {
	append: 1,
	appendResponse: 2,
	preVote: 3,
	preVoteResponse: 4,
	vote: 5,
	voteResponse: 6,
	/** Of a replica on probation: what is your term, and where does your log end? */
	standing: 7,
	standingResponse: 8,
	/** Of a follower: up to where must be applied what a read sees that begins now? */
	readIndex: 9,
	readIndexResponse: 10,
	/** Of a leader to the voter that shall lead from now on: stand at once. Rejected, from that one: it can't. */
	timeoutNow: 11,
	/** Of a follower to its leader: hand over. Rejected, from the leader: it doesn't. */
	transfer: 12,
	/** How much of its leader's snapshot a follower has. Not for the core: it is between sender and receiver. */
	snapshotResponse: 13,
	/** Of a leader of an idle group: rest, if `index` is the end of all that you have. */
	rest: 14,
	/** I do. */
	restResponse: 15,
} as const;
export type MessageKind = (typeof MessageKind)[keyof typeof MessageKind];

/** The numbers of one message between two replicas of a group. */
export class Message {
	kind: MessageKind = MessageKind.append;
	rejected = false;
	group = 0;
	from = 0;
	to = 0;
	term = 0;
	/** append: the entry before the first batch. appendResponse: the last index that is matched *and*
	 * durable here; rejected: the append's `index`, echoed. Votes: the candidate's last index.
	 * readIndex: 1 = a lease will do. readIndexResponse: the answer.
	 * standingResponse: the last index; 0 = nothing was ever here. Rejected: it can't vouch for that itself.
	 * timeoutNow: the leader's last index. transfer: a replica id, 0 = whoever suits best. */
	index = 0;
	/** The term of the entry at `index` (append, votes, timeoutNow). */
	logTerm = 0;
	/** append: the leader's commit index, capped by nothing: the receiver caps it at what it matched.
	 * appendResponse: for so many ms after it heard of the round in `context`, the sender votes for nobody else. */
	commit = 0;
	/** append: the leader's current read round. appendResponse: the highest round seen from this leader.
	 * standing, readIndex, rest: which question it is; their responses: the same. vote: 1 = a leader asked for this election. */
	context = 0;
	/** Rejected append: an index at which the logs may agree, and its term in the follower's log. appendResponse:
	 * `hintTerm` 1 = its sender is on probation. standingResponse:
	 * `hintIndex` 1 = it leads in this term; `hintTerm` 1 = who asked is no voter, for all that the answerer knows. */
	hintIndex = 0;
	hintTerm = 0;
}

export function copyMessage(into: Message, from: Message): void {
	into.kind = from.kind;
	into.rejected = from.rejected;
	into.group = from.group;
	into.from = from.from;
	into.to = from.to;
	into.term = from.term;
	into.index = from.index;
	into.logTerm = from.logTerm;
	into.commit = from.commit;
	into.context = from.context;
	into.hintIndex = from.hintIndex;
	into.hintTerm = from.hintTerm;
}

export const InputKind = {
	/** Time passed. Also the first input of all. */
	tick: 1,
	/** `message` arrived; for an append, `batches` describes the batch frames that came with it. */
	message: 2,
	/** The replica wants to append one batch of `count` entries as leader. */
	propose: 3,
	/** The sender took batches up to `index` (`bytes` long) for `peer`: the core answers with the head. */
	sent: 4,
	/** The stream to `peer` was lost or made anew: whatever was in flight may not arrive. As leader. */
	disconnected: 5,
	/** Everything appended up to `index` in truncation epoch `epoch` is durable. If the same write made a
	 * hard state durable, `hardStateSaved` comes first. */
	persisted: 6,
	/** The hard state (`term`, `vote`) is durable. In order; to repeat the last one does no harm. */
	hardStateSaved: 7,
	/** The log up to `index` was dropped. */
	compacted: 8,
	/** Somebody wants a linearizable read: the core answers with the round that will confirm it; a follower asks its
	 * leader. */
	read: 9,
	/** That `probationOver` was said is durable: this replica is a voter from now on. */
	admitted: 10,
	/** A snapshot of everything up to `index`, whose entry is of `term`, is durable here: it came from a leader. */
	installed: 11,
	/** The replica wants to append one batch of one entry as leader: `configuration`. */
	configure: 12,
	/** Somebody here wishes that `peer` leads (0 = whoever suits best; this replica: nobody else). Refused if this replica
	 * neither leads nor knows who does, or can't hand over now. To wish it again does no harm, and says it again. */
	transfer: 13,
	/** The stream from `peer` was lost. Of interest to who rests. */
	wake: 14,
} as const;
export type InputKind = (typeof InputKind)[keyof typeof InputKind];

export class Input {
	kind: InputKind = InputKind.tick;
	/** Milliseconds of the monotonic clock; never lower than in the step before. */
	now = 0;
	readonly message = new Message();
	/** append: how many batches came with it, their last index and term, in order. The first one begins
	 * at `message.index + 1`, each next one behind the one before. */
	batchCount = 0;
	batchLast: Float64Array;
	batchTerm: Float64Array;
	/** append: which of the batches are configurations, ascending. */
	readonly configurations: { readonly batch: number; readonly configuration: Configuration }[] = [];
	/** configure; installed: the one in force at the snapshot's end, null = as it is. */
	configuration: Configuration | null = null;
	/** propose: entries in the batch. */
	count = 0;
	/** sent, disconnected, transfer, wake: a replica id. */
	peer = 0;
	/** sent, persisted, compacted, installed. */
	index = 0;
	/** sent: the first index of what was taken. Below `sendFrom` when that lies within a batch: batches are
	 * sent whole. */
	first = 0;
	/** sent: bytes of the batches. */
	bytes = 0;
	/** persisted: `Output.epoch` as it was when the range was handed out. */
	epoch = 0;
	/** hardStateSaved, installed. */
	term = 0;
	/** hardStateSaved. */
	vote = 0;
	/** read: the leader's lease will do, if this is a follower. */
	mayLease = false;

	constructor(batchesMax: number) {
		this.batchLast = new Float64Array(batchesMax);
		this.batchTerm = new Float64Array(batchesMax);
	}
}

export const Role = { follower: 0, preCandidate: 1, candidate: 2, leader: 3 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/**
 * What one step asks for. Its order is a contract:
 *
 * 1. `saveHardState`: hand (term, vote) to the flusher *before* this step's append. The core sends
 *    nothing that depends on it until `hardStateSaved` comes back.
 * 2. `truncateTo`: cut the log behind that index, then
 * 3. append: hand the message's batches from `appendFrom` on to the flusher, or the proposed batch as
 *    `firstIndex` in `term`. The log write and the sends go on side by side: every message in
 *    `messages` may be sent at once. (No acknowledgement is among them that isn't durable.)
 * 4. `committed`: apply up to there.
 * 5. reads, role: tell those who wait.
 */
export class Output {
	/** Messages to send now: the first `messageCount` of the pool. Valid until the next step. */
	readonly messages: Message[] = [];
	messageCount = 0;
	/** The input was refused: not leader (propose, sent, disconnected, configure), no leader is known (read), the peer may
	 * not be sent to now (`Raft.sendFrom` is 0), the configuration may not be changed now (`Raft.mayConfigure`);
	 * transfer: see there. */
	refused = false;
	/** Term and vote changed and must be made durable. */
	saveHardState = false;
	/** The current term and vote, after this step; of a proposed batch: its term. */
	term = 0;
	vote = 0;
	/** Cut everything behind this index; -1 = nothing. Never below `committed`. An append always follows. */
	truncateTo = -1;
	/** installed: begin the log anew behind this index; nothing of it is kept. -1 = it goes on as it is. */
	resetTo = -1;
	/** First of the message's batches to append; -1 = none. */
	appendFrom = -1;
	/** propose, configure: the index of the batch's first entry. */
	firstIndex = 0;
	/** Goes along with what is appended, and comes back with `persisted`. */
	epoch = 0;
	/** The commit index, after this step. It may be ahead of what this disk has: a majority can commit what
	 * is still being written here. */
	committed = 0;
	/** The role, leader (0 = unknown) or term is another than before this step. */
	roleChanged = false;
	role: Role = Role.follower;
	leader = 0;
	/** This replica just became leader: propose a no-op batch (count 1) now, before anything else. */
	becameLeader = false;
	/** Some peer's permission to be sent to may have grown: look at `Raft.sendFrom`. */
	wakeSenders = false;
	/** read: the round that will confirm it. */
	readRound = 0;
	/** Reads of rounds up to this one are confirmed, at `readIndex`; 0 = none in this step. With a solitary
	 * voter that may be the `readRound` of this very step. */
	readConfirmed = 0;
	readIndex = 0;
	/** Leadership is lost or won: whoever's read is not yet confirmed must ask again. */
	readsFailed = false;
	/** The transfer that was wished for here has come to nothing; this replica, if it led, goes on leading. */
	transferFailed = false;
	/** Leadership is lost, after this replica was told to stand for the next term; 0 = not by a transfer. */
	successor = 0;
	/** This replica's probation may end: make that durable, then say `admitted`. Said once. */
	probationOver = false;
	/** Another configuration is in force than before this step: `Raft.configuration`. */
	configurationChanged = false;
	/** The joint configuration in force is committed: as leader, `configure` its voters alone now. Said until then. */
	mustLeaveJoint = false;
}

export interface ProbationOptions {
	/** Chosen by chance, below 2^52: tells answers to this life from those to an earlier one. */
	readonly question: number;
	/** The disk has no trace of an earlier life: the whole cluster may be new. */
	readonly isNew: boolean;
	/** It is told to join a cluster that is there. */
	readonly isJoining?: boolean;
}

/** What the core is told at its birth; all of it is recovered from disk or configured. */
export interface RaftOptions {
	readonly group: number;
	readonly id: number;
	/** Replica ids of all voters, as long as the log has no configuration. A replica that joins isn't one of them. */
	readonly voters: readonly number[];
	/** If there are others than `voters`: the one in force where the log begins, and those that it holds, ascending. */
	readonly configurations?: readonly IndexedConfiguration[];
	/** Hard state. */
	readonly term: number;
	readonly vote: number;
	/** The log: everything up to `compactedIndex` is dropped. */
	readonly compactedIndex: number;
	readonly compactedTerm: number;
	/** Where terms change, ascending: the first index of each run of one term, above `compactedIndex`. */
	readonly runs: readonly { readonly index: number; readonly term: number }[];
	/** The last index in the log; it is durable. */
	readonly lastIndex: number;
	/** Known to be committed, with the very entries that this log holds; at most `lastIndex`. What was
	 * committed ahead of this disk doesn't count: a crash may have brought older entries back in its place. */
	readonly committed: number;
	/** Names this life, chosen by chance below 2^51: its questions are numbered from there, so that an answer to one of
	 * an earlier life is known as such. */
	readonly life: number;
	/** Null: this replica holds no lease as leader, and promises nothing as voter. Else by how much slower the clock of
	 * one replica may go than another's: 0.1 = it may lose 100 ms in each second of the other's. */
	readonly leaseDriftMax: number | null;
	/** Set if this replica can't know what it promised, because its disk is new, was wiped or was damaged. It is
	 * no voter then until it has said `probationOver` and heard `admitted`. */
	readonly probation: ProbationOptions | null;
	/** Seeds the election time-outs. */
	readonly seed: number;
	/** Monotonic ms at birth. */
	readonly now: number;
	/** An election starts after a silence of between one and two of these. */
	readonly electionTimeoutMs: number;
	readonly heartbeatMs: number;
	/** An idle group rests: somebody tells (`disconnected`, `wake`) when a peer is gone. Default: no. */
	readonly mayRest?: boolean;
	/** Per peer: how much may be sent and not yet acknowledged. */
	readonly inflightMessagesMax: number;
	readonly inflightBytesMax: number;
}
