/** The ways a commit may take: each stage goes from one moment of a batch to the next. */
export const Stage = {
	batching: 0,
	stamping: 1,
	queueing: 2,
	waiting: 3,
	flushing: 4,
	deciding: 5,
	sending: 6,
	going: 7,
	validating: 8,
	followerQueueing: 9,
	followerWaiting: 10,
	followerFlushing: 11,
	returning: 12,
	away: 13,
	counting: 14,
	applying: 15,
	resolving: 16,
} as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

export type Place = 'leader' | 'network' | 'follower' | 'elsewhere';

/** In the order in which a report lists them. */
export const STAGES: readonly {
	readonly stage: Stage;
	readonly name: string;
	readonly place: Place;
}[] = [
	{ stage: Stage.batching, name: 'accepted - batched', place: 'leader' },
	{ stage: Stage.stamping, name: 'batched - stamped', place: 'leader' },
	{ stage: Stage.queueing, name: 'stamped - flush queued', place: 'leader' },
	{ stage: Stage.waiting, name: 'flush queued - flush started', place: 'leader' },
	{ stage: Stage.flushing, name: 'flush started - persisted', place: 'leader' },
	{ stage: Stage.deciding, name: 'persisted - committed', place: 'leader' },
	{ stage: Stage.sending, name: 'stamped - sent', place: 'leader' },
	{ stage: Stage.going, name: 'sent - received', place: 'network' },
	{ stage: Stage.validating, name: 'received - validated', place: 'follower' },
	{ stage: Stage.followerQueueing, name: 'validated - flush queued', place: 'follower' },
	{ stage: Stage.followerWaiting, name: 'flush queued - flush started', place: 'follower' },
	{ stage: Stage.followerFlushing, name: 'flush started - persisted', place: 'follower' },
	{ stage: Stage.returning, name: 'persisted - ack received', place: 'network' },
	{ stage: Stage.away, name: 'sent - ack received', place: 'elsewhere' },
	{ stage: Stage.counting, name: 'ack received - committed', place: 'leader' },
	{ stage: Stage.applying, name: 'committed - applied', place: 'leader' },
	{ stage: Stage.resolving, name: 'applied - resolved', place: 'leader' },
];
