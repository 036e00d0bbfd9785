import { assert } from '../assert.js';

/**
 * Linearizable reads (§6.4 of Ongaro's thesis), many for each exchange with the peers. A round is a
 * number the leader puts on every append; a majority that answers with it proves that at its start
 * nobody else led. A read must join a round that starts after it, so one that comes while a round is
 * under way waits for the next. Numbers are made here and never used twice: they go on rising from one
 * leadership to the next.
 */
export class ReadRounds {
	/** The latest round that was started; all but the latest are confirmed. */
	#started: number;
	#confirmed: number;
	/** The commit index when the latest round was started. */
	#index = 0;
	#isWanted = false;

	/** The first round is the one behind `before`. */
	constructor(before = 0) {
		this.#started = this.#confirmed = before;
	}

	get latest(): number {
		return this.#started;
	}

	get index(): number {
		return this.#index;
	}

	/** A round has begun and isn't confirmed yet. */
	get isUnderWay(): boolean {
		return this.#started > this.#confirmed;
	}

	/** Does anybody wait? */
	get isPending(): boolean {
		return this.#isWanted || this.isUnderWay;
	}

	/** A read joins the next round; its number. */
	join(): number {
		this.#isWanted = true;
		return this.#started + 1;
	}

	/** Starts the next round if somebody waits for it and none is under way. */
	start(committed: number): boolean {
		if (!this.#isWanted || this.isUnderWay) return false;
		this.#started += 1;
		this.#isWanted = false;
		this.#index = committed;
		return true;
	}

	/** A majority has answered `round`: true if that confirms the one under way. */
	confirm(round: number): boolean {
		assert(round <= this.#started, 'nobody answers a round that was not started');
		if (round <= this.#confirmed) return false;
		this.#confirmed = round;
		return true;
	}

	/** Leadership ended. Did anybody wait? A round that was promised is never used, like one under way. */
	abandon(): boolean {
		const { isPending } = this;
		if (this.#isWanted) this.#started += 1;
		this.#confirmed = this.#started;
		this.#isWanted = false;
		return isPending;
	}
}
