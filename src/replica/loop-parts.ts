import type { SlabPool } from '../format/slab.js';
import type { Clock } from '../io.js';
import type { Log } from '../log/log.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { Probe } from '../profile/recorder.js';
import type { Raft } from '../raft/raft.js';
import { Message, MessageKind } from '../raft/types.js';
import type { Chronicle } from './chronicle.js';
import type { LogWindow } from './log-window.js';
import type { LoopMembers } from './loop-members.js';
import type { Proposals } from './proposals.js';
import type { Reads } from './reads.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';
import type { Snapshots } from './snapshots.js';

/** What the loop tells its replica; called at the end of a turn, never within a step of the core. */
export interface LoopEvents {
	roleChanged(): void;
	/** Leadership is lost: nothing that waits here for the leader's work will be told its outcome. `successor`: who was
	 * told to lead, if it was handed over; else 0. `term`: that in which it led. */
	leadershipLost(successor: number, term: number): void;
	/** A transfer that was wished for here has failed. */
	transferFailed(): void;
	/** The commit index has grown. */
	commitAdvanced(): void;
	/** A batch was applied: its memory is free. */
	roomMayBe(): void;
	peerBehind(peer: number): void;
	/** This replica holds whatever it may have promised: make that durable, then call `admitted`. */
	probationOver(): void;
	/** A snapshot of a leader has given the log a new beginning. */
	installed(snapshot: StoredSnapshot): void;
	/** Another configuration is in force. */
	configurationChanged(): void;
	/** The joint configuration is committed: the leader must end it. */
	mustLeaveJoint(): void;
	/** Time has passed. */
	ticked(): void;
	/** The replica must stop for good. */
	fail(error: Error): void;
}

export interface LoopParts {
	readonly clock: Clock;
	readonly raft: Raft;
	readonly log: Log;
	readonly window: LogWindow;
	readonly pool: SlabPool;
	readonly proposals: Proposals;
	readonly reads: Reads;
	readonly members: LoopMembers;
	readonly probe: Probe;
	readonly chronicle: Chronicle;
	readonly tickMs: number;
	readonly tailBytesMax: number;
	readonly retainBytes: number;
	/** What comes between two snapshots: so much longer than `retainBytes` the log gets when nobody lags. */
	readonly usualBytes: number;
}

export interface LoopSnapshots {
	readonly snapshots: Snapshots;
	readonly receiver: SnapshotReceiver;
}

/** What a range of a snapshot says to the core: that its leader lives, and leads in its term. */
export function asHeartbeat({ group, from, to, term }: Message): Message {
	return Object.assign(new Message(), { kind: MessageKind.append, group, from, to, term });
}
