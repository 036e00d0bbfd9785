/** What may happen to one replica. */
export const EventKind = {
	/** The election time-out passes: a follower stands, a leader that hears nobody steps down. */
	timeOut: 1,
	/** The leader has been silent for an election time-out, and this replica's own hasn't passed yet. */
	silence: 2,
	heartbeat: 3,
	propose: 4,
	/** A read begins. `number`: the lowest index that its answer may reflect. */
	read: 5,
	/** The stream to `count` was lost. */
	disconnect: 6,
	/** The oldest `count` writes become durable. */
	persist: 7,
	/** The process dies when `count` of its writes are durable, and starts again. `number`: is what it knew to be
	 * committed remembered? */
	crash: 8,
	/** The message `number` arrives; of its entries, the first `count` (of an append, parts may come first). */
	deliver: 9,
	/** The process dies and its disk is emptied; it starts again, on probation. */
	wipe: 10,
	/** The process dies and its disk loses all behind the first `count` entries; it starts again, on probation. */
	damage: 11,
	/** On probation, it is time to ask. */
	ask: 12,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

export interface Event {
	readonly kind: EventKind;
	readonly count: number;
	readonly number: number;
}

/** An event as one number. */
export function codeOf(kind: EventKind, count = 0, number = 0): number {
	return (number * 32 + count) * 16 + kind;
}

export function eventOf(code: number): Event {
	const rest = Math.floor(code / 16);
	return { kind: (code % 16) as EventKind, count: rest % 32, number: Math.floor(rest / 32) };
}
