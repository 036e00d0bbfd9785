import { Column } from './columns.js';
import { Stage } from './stages.js';
import type { Table } from './table.js';

const OWN_DISK: readonly Stage[] = [
	Stage.batching,
	Stage.stamping,
	Stage.queueing,
	Stage.waiting,
	Stage.flushing,
	Stage.deciding,
	Stage.applying,
	Stage.resolving,
];
const FOLLOWER: readonly Stage[] = [
	Stage.batching,
	Stage.stamping,
	Stage.sending,
	Stage.going,
	Stage.validating,
	Stage.followerQueueing,
	Stage.followerWaiting,
	Stage.followerFlushing,
	Stage.returning,
	Stage.counting,
	Stage.applying,
	Stage.resolving,
];
const UNSEEN_FOLLOWER: readonly Stage[] = [
	Stage.batching,
	Stage.stamping,
	Stage.sending,
	Stage.away,
	Stage.counting,
	Stage.applying,
	Stage.resolving,
];

/** What the leader knows of a follower: where its columns are, and, if it was recorded, its rows in the leader's time. */
export interface Follower {
	readonly replica: number;
	readonly peer: number;
	/** Null: it was not recorded, or its clock is not known. */
	readonly table: Table | null;
	readonly offsetMs: number;
}

/**
 * The way that one commit took: of the majority's replicas the one whose news decided it. Stage `stages[i]` goes from
 * `times[i]` to `times[i + 1]`, in ms of the leader's clock. One object is filled over and over.
 *
 * Invariant: `times` never goes back, so the stages sum up to the whole.
 */
export class Path {
	stages: readonly Stage[] = OWN_DISK;
	times: number[] = [];
	/** Null: the leader's own disk decided. */
	follower: Follower | null = null;

	get from(): number {
		return this.times[0]!;
	}

	get to(): number {
		return this.times[this.stages.length]!;
	}

	/** @returns false if not all of it was recorded */
	fill(ours: Table, row: number, leader: number, followers: readonly Follower[]): boolean {
		const get = (column: number) => ours.get(row, column);
		const decider = get(Column.decider);
		this.times = [get(Column.accepted), get(Column.batched), get(Column.stamped)];
		this.follower = null;
		if (decider === leader) this.#throughOwnDisk(get);
		else {
			const follower = followers.find(({ replica }) => replica === decider);
			if (follower === undefined) return false;
			this.#through(follower, ours, row);
		}
		this.times.push(get(Column.committed), get(Column.applied), get(Column.resolved));
		if (this.times.some((time) => time === 0)) return false;
		for (let i = 1; i < this.times.length; i++) {
			this.times[i] = Math.max(this.times[i]!, this.times[i - 1]!);
		}
		return true;
	}

	#throughOwnDisk(get: (column: number) => number): void {
		this.stages = OWN_DISK;
		this.times.push(get(Column.queued), get(Column.flushing), get(Column.persisted));
	}

	#through(follower: Follower, ours: Table, row: number): void {
		this.follower = follower;
		const sent = ours.sent(row, follower.peer);
		const acked = ours.acked(row, follower.peer);
		const there = timesOf(follower, ours.get(row, Column.last));
		this.stages = there === null ? UNSEEN_FOLLOWER : FOLLOWER;
		this.times.push(sent);
		// A clock that is a little off moves a moment, but no further than the leader's own clock allows.
		for (const time of there ?? []) this.times.push(Math.min(time, acked));
		this.times.push(acked);
	}
}

const THERE = [
	Column.received,
	Column.validated,
	Column.queued,
	Column.flushing,
	Column.persisted,
] as const;

/** A batch's moments on a follower, by the leader's clock; null unless all of them were recorded. */
export function timesOf({ table, offsetMs }: Follower, last: number): number[] | null {
	if (table === null) return null;
	const row = table.find(last);
	if (row < 0) return null;
	const times = THERE.map((column) => table.get(row, column));
	return times.includes(0) ? null : times.map((time) => time + offsetMs);
}
