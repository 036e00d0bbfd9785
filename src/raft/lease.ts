/**
 * For how long no other replica can be leader, by this one's clock (rule 18; §6.4.1 of Ongaro's thesis).
 *
 * Whoever answers an append promises to vote for nobody else, and not to stand, for so many ms of its own clock from
 * the moment it heard of the append's read round on, and keeps that after a restart, too. A later leader needs one of
 * the majority that has answered. None of them can have heard of the round before it began: so the lease counts from
 * there (never from when the answers came), less what clocks may differ by.
 */
export class Lease {
	readonly #driftMax: number;
	readonly #longestMs: number;
	#roundAt = 0;
	/** The first ms at which it is over. */
	#until = Number.NEGATIVE_INFINITY;

	constructor(driftMax: number, longestMs: number) {
		this.#driftMax = driftMax;
		this.#longestMs = longestMs;
	}

	roundBegan(now: number): void {
		this.#roundAt = now;
	}

	/** A majority answered the round, each of which promised at least so much. Times are cut to whole ms: the promise
	 * may end one ms earlier by the sender's clock. */
	confirmed(promisedMs: number): void {
		const ms = Math.min(promisedMs, this.#longestMs) - 1;
		const until = this.#roundAt + Math.floor(ms * (1 - this.#driftMax));
		this.#until = Math.max(this.#until, until);
	}

	holds(now: number): boolean {
		return now < this.#until;
	}
}
