import type { Doors } from '../io.js';
import type { Log } from '../log/log.js';
import type { SnapshotStore } from '../log/snapshot-store.js';
import type { Raft } from '../raft/raft.js';
import type { Applier } from './applier.js';
import type { Tell } from './events.js';
import type { Loop } from './loop.js';
import type { MemberList } from './members.js';
import { encodeIndexed } from './members-file.js';
import type { LateReplica } from './open-log.js';
import type { Settings } from './options.js';
import type { Peer } from './peer.js';
import type { Sessions } from './sessions.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotSender } from './snapshot-sender.js';
import { canSnapshot, Snapshots } from './snapshots.js';
import type { StateMachine } from './types.js';

/** One frame of a snapshot on the wire, if slabs are large enough for it, with room for the rest of the frame. */
const CHUNK_BYTES = 256 * 1024;
const CHUNK_BYTES_MIN = 1024;
const HEAD_BYTES = 128;
/** Of what may be in flight to a peer, this part may be a snapshot's. */
const WINDOW_SHARE = 0.25;

/** What the parts that deal with snapshots are made of. */
export interface SnapshotNeeds {
	readonly settings: Settings;
	readonly doors: Doors;
	readonly machine: StateMachine;
	readonly store: SnapshotStore;
	readonly log: Log;
	readonly raft: Raft;
	readonly loop: Loop;
	readonly applier: Applier;
	readonly sessions: Sessions;
	readonly late: LateReplica;
	readonly members: MemberList;
	readonly tell: Tell;
}

/** Of log between two snapshots. Those without a state are small, and are there for nothing but that the log can be dropped. */
export function everyBytesOf(
	{ snapshotEveryBytes, retainBytes, limits }: Settings,
	machine: StateMachine,
): number {
	if (canSnapshot(machine)) return snapshotEveryBytes;
	return Math.max(retainBytes, limits.segmentBytes);
}

export function newSnapshots(needs: SnapshotNeeds): Snapshots {
	const { settings, doors, loop, late, tell } = needs;
	return new Snapshots({
		...needs,
		clock: doors.clock,
		everyBytes: everyBytesOf(settings, needs.machine),
		members: () => encodeIndexed(needs.members.at(needs.applier.applied)),
		events: {
			taken: (snapshot) => late.replica?.snapshotTaken(snapshot),
			tell,
			wake: () => loop.wake(),
			fail: (error) => late.fail(error),
		},
	});
}

/** Null where the state machine has no snapshots. */
export function newSender(
	peer: number,
	{ settings, doors, machine, store, raft, loop, late, tell }: SnapshotNeeds,
	snapshots: Snapshots,
): SnapshotSender | null {
	if (!canSnapshot(machine)) return null;
	const { chunkBytes, windowBytes } = sizesOf(settings);
	const bytesPerSecond = settings.snapshotBytesPerSecond;
	return new SnapshotSender(peer, {
		store,
		clock: doors.clock,
		group: settings.group,
		id: settings.id,
		term: () => raft.term,
		compacted: () => raft.compacted,
		wantFull: () => snapshots.wantFull() !== null,
		isWhole: (held) => snapshots.isWhole(held),
		// A slow stream is not one of bursts.
		chunkBytes: Math.min(chunkBytes, Math.max(CHUNK_BYTES_MIN, Math.floor(bytesPerSecond / 8))),
		windowBytes,
		bytesPerSecond,
		wake: () => loop.wakeSenders(),
		tell,
		fail: (error) => late.fail(error),
	});
}

export function newReceiver(
	{ settings, machine, store, raft, loop, applier, late, tell }: SnapshotNeeds,
	snapshots: Snapshots,
	peerOf: (id: number) => Peer | undefined,
): SnapshotReceiver {
	return new SnapshotReceiver({
		group: settings.group,
		id: settings.id,
		store,
		snapshots,
		isAble: machine.restore !== undefined,
		term: () => raft.term,
		committed: () => raft.committed,
		// A window of a leader with other limits than these is cut short, and gone on with when it asks again.
		pendingBytesMax: 4 * sizesOf(settings).windowBytes,
		isRestoring: () => applier.isRestoring,
		send: (message) => {
			peerOf(message.to)?.message(message);
			loop.wake();
		},
		installed: (snapshot) => loop.installed(snapshot),
		tell,
		fail: (error) => late.fail(error),
	});
}

function sizesOf({ limits }: Settings): { chunkBytes: number; windowBytes: number } {
	const chunkBytes = Math.min(CHUNK_BYTES, limits.slabBytes / 2 - HEAD_BYTES);
	return {
		chunkBytes,
		windowBytes: Math.max(chunkBytes, limits.inflightBytesMax * WINDOW_SHARE),
	};
}
