import type { Log } from '../log/log.js';
import type { Raft } from '../raft/raft.js';

import type { Peer } from './peer.js';

/** A follower that lags keeps up to this many times what would be kept without it from being dropped, if it was heard from
 * within `LIVE_MS`. */
const LAG_FACTOR = 4;
const LIVE_MS = 2000;

/** Decides how much of the log's front may go. */
export class Retention {
	readonly #log: Log;
	readonly #raft: Raft;
	readonly #retainBytes: number;
	readonly #lagBytesMax: number;

	/** `usualBytes`: how long the log gets beyond `retainBytes` when nobody lags. */
	constructor(log: Log, raft: Raft, retainBytes: number, usualBytes: number) {
		this.#log = log;
		this.#raft = raft;
		this.#retainBytes = retainBytes;
		this.#lagBytesMax = LAG_FACTOR * (retainBytes + usualBytes);
	}

	/** Drops what is done with, up to `done`. What a follower that answers hasn't got yet is kept a while longer: once it
	 * is dropped, that follower needs a snapshot, or another one than the one that it is being sent.
	 * @returns whether anything was dropped */
	compact(done: number, now: number, peers: ReadonlyMap<number, Peer>): boolean {
		// The question of every turn, mostly: without looking at anybody.
		if (!this.#log.hasBeyond(this.#retainBytes)) return false;
		const isWithinBound = this.#log.liveBytes <= this.#lagBytesMax;
		const index = isWithinBound ? Math.min(done, this.#leastNeeded(now - LIVE_MS, peers)) : done;
		return this.#log.compact(index, this.#retainBytes);
	}

	/** The least that any follower holds, or will hold with its snapshot, of those that were heard from lately; infinite if
	 * this isn't the leader. */
	#leastNeeded(since: number, peers: ReadonlyMap<number, Peer>): number {
		let least = Number.POSITIVE_INFINITY;
		for (const { id, snapshotIndex } of peers.values()) {
			const progress = this.#raft.progress(id);
			if (progress === null || progress.contactAt < since) continue;
			const isSent = snapshotIndex !== Number.POSITIVE_INFINITY;
			least = Math.min(least, isSent ? snapshotIndex : progress.match);
		}
		return least;
	}
}
