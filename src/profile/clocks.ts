import { Column, type Recording } from './columns.js';
import { Table } from './table.js';

/** How a follower's clock stands to the leader's. */
export interface ClockOffset {
	readonly replica: number;
	/** What must be added to the follower's times: what the processes' shared clock says, or else what was estimated;
	 * null if there is nothing to tell it from. */
	readonly offsetMs: number | null;
	readonly isShared: boolean;
	/** From round trips alone, and how far that may be off. */
	readonly estimateMs: number | null;
	readonly boundMs: number | null;
}

/**
 * Nothing arrives before it was sent. So the offset is at least what the fastest way there allows, and at most what the
 * fastest way back does: the truth lies between, if neither clock runs faster than the other.
 */
export function offsetOf(leader: Recording, follower: Recording): ClockOffset {
	const [least, most] = boundsOf(leader, follower);
	const isKnown = Number.isFinite(least) && Number.isFinite(most);
	const estimateMs = isKnown ? (least + most) / 2 : null;
	const boundMs = isKnown ? Math.abs(most - least) / 2 : null;
	const isShared = leader.clock !== undefined && leader.clock.name === follower.clock?.name;
	const sharedMs = isShared ? follower.clock!.offset - leader.clock!.offset : null;
	const { replica } = follower;
	return { replica, offsetMs: sharedMs ?? estimateMs, isShared, estimateMs, boundMs };
}

function boundsOf(leader: Recording, follower: Recording): [number, number] {
	const peer = leader.peers.indexOf(follower.replica);
	const ours = new Table(leader);
	const theirs = new Table(follower);
	let least = Number.NEGATIVE_INFINITY;
	let most = Number.POSITIVE_INFINITY;
	for (let row = 0; peer >= 0 && row < ours.count; row++) {
		const there = theirs.find(ours.get(row, Column.last));
		if (there < 0) continue;
		const sent = ours.sent(row, peer);
		const received = theirs.get(there, Column.received);
		if (sent > 0 && received > 0) least = Math.max(least, sent - received);
		const persisted = theirs.get(there, Column.persisted);
		const acked = ours.acked(row, peer);
		if (persisted > 0 && acked > 0) most = Math.min(most, acked - persisted);
	}
	return [least, most];
}
