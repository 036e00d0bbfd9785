import type { Log } from '../log/log.js';
import type { Raft } from '../raft/raft.js';

/** A follower that lags keeps up to this many times `retainBytes` from being dropped, if it was heard from within
 * `LIVE_MS`. */
const LAG_FACTOR = 4;
const LIVE_MS = 2000;

/** Decides how much of the log's front may go. */
export class Retention {
	readonly #log: Log;
	readonly #raft: Raft;
	readonly #retainBytes: number;

	constructor(log: Log, raft: Raft, retainBytes: number) {
		this.#log = log;
		this.#raft = raft;
		this.#retainBytes = retainBytes;
	}

	/** Drops what is done with, up to `done`. What a follower that answers hasn't got yet is kept a while longer: once it
	 * is dropped, that follower can't catch up any more.
	 * @returns whether anything was dropped */
	compact(done: number, now: number, peers: Iterable<number>): boolean {
		const isWithinBound = this.#log.liveBytes <= LAG_FACTOR * this.#retainBytes;
		const index = isWithinBound ? Math.min(done, this.#leastMatch(now - LIVE_MS, peers)) : done;
		return this.#log.compact(index, this.#retainBytes);
	}

	/** The least that any follower holds of those that were heard from lately; infinite if this isn't the leader. */
	#leastMatch(since: number, peers: Iterable<number>): number {
		let least = Number.POSITIVE_INFINITY;
		for (const id of peers) {
			const progress = this.#raft.progress(id);
			if (progress !== null && progress.contactAt >= since) least = Math.min(least, progress.match);
		}
		return least;
	}
}
