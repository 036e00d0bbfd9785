import type { Busy } from './busy.js';
import type { Path } from './path.js';
import { Stage } from './stages.js';

/** What a commit may have waited for. */
export const CAUSES = [
	'disk',
	'follower disk',
	'network',
	'event loop',
	'follower',
	'garbage collection',
	'unseen',
] as const;
export type Cause = (typeof CAUSES)[number];

export const Cause = {
	/** The leader's. */
	disk: 0,
	followerDisk: 1,
	network: 2,
	/** The leader's: it was doing something else, or this. */
	eventLoop: 3,
	/** The deciding follower's event loop. */
	follower: 4,
	/** In the leader or in the deciding follower. */
	collection: 5,
	/** Network or follower: that one was not recorded. */
	unseen: 6,
} as const;

const { disk, followerDisk, network, eventLoop, follower, unseen } = Cause;

/**
 * Divides the time of one commit among what it waited for.
 *
 * A wait for a disk or for the network is over when the event loop has looked, which may be later than it could have been:
 * what `Busy.since` finds is the loop's, as an upper bound. Of whatever is a loop's, the time in which garbage was
 * collected is nobody's but the collector's.
 */
export class Causes {
	/** By `Cause`, in ms; they sum up to the path. */
	readonly ms = new Float64Array(CAUSES.length);
	readonly #leader: Busy;
	readonly #followers: ReadonlyMap<number, { readonly busy: Busy; readonly offsetMs: number }>;

	constructor(
		leader: Busy,
		followers: ReadonlyMap<number, { readonly busy: Busy; readonly offsetMs: number }>,
	) {
		this.#leader = leader;
		this.#followers = followers;
	}

	/** The cause that took most of it. */
	get main(): number {
		return this.ms.indexOf(Math.max(...this.ms));
	}

	get name(): Cause {
		return CAUSES[this.main]!;
	}

	judge(path: Path): void {
		this.ms.fill(0);
		for (let i = 0; i < path.stages.length; i++) {
			this.#add(path.stages[i]!, path.times[i]!, path.times[i + 1]!, path.follower?.replica ?? 0);
		}
	}

	#add(stage: Stage, from: number, to: number, replica: number): void {
		switch (stage) {
			// What isn't sealed at once waits until the disk has less to do, what isn't sent at once for the follower's window.
			case Stage.batching:
			case Stage.stamping:
				return this.#held(from, to, disk);
			case Stage.sending:
				return this.#held(from, to, follower);
			case Stage.waiting:
			case Stage.flushing:
				return this.#waitHere(from, to, disk);
			case Stage.going:
				return this.#waitThere(from, to, network, replica);
			case Stage.followerWaiting:
			case Stage.followerFlushing:
				return this.#waitThere(from, to, followerDisk, replica);
			case Stage.validating:
			case Stage.followerQueueing:
				return this.#workThere(from, to, replica);
			case Stage.returning:
				return this.#waitHere(from, to, network);
			case Stage.away:
				return this.#waitHere(from, to, unseen);
			default:
				this.#work(from, to, this.#leader, eventLoop);
		}
	}

	/** For the rest of its turn it is the loop's. */
	#held(from: number, to: number, cause: number): void {
		const end = Math.min(to, this.#leader.endOfTurn(from));
		this.#work(from, end, this.#leader, eventLoop);
		this.#waitHere(end, to, cause);
	}

	#waitHere(from: number, to: number, cause: number): void {
		this.#wait(from, to, cause, this.#leader, eventLoop);
	}

	#waitThere(from: number, to: number, cause: number, replica: number): void {
		const { busy, offsetMs } = this.#followers.get(replica)!;
		this.#wait(from - offsetMs, to - offsetMs, cause, busy, follower);
	}

	#workThere(from: number, to: number, replica: number): void {
		const { busy, offsetMs } = this.#followers.get(replica)!;
		this.#work(from - offsetMs, to - offsetMs, busy, follower);
	}

	#wait(from: number, to: number, cause: number, busy: Busy, loop: number): void {
		const ready = Math.min(to, Math.max(from, busy.since(to)));
		this.ms[cause]! += ready - from;
		this.#work(ready, to, busy, loop);
	}

	#work(from: number, to: number, busy: Busy, loop: number): void {
		const collected = busy.collected(from, to);
		this.ms[Cause.collection]! += collected;
		this.ms[loop]! += to - from - collected;
	}
}
