import { assert } from '../assert.js';

/**
 * Term and vote: as they are (what this replica acts on), as they were last asked to be saved, and as
 * the disk has them (what this replica may tell others).
 */
export class HardState {
	#term: number;
	#vote: number;
	#askedTerm: number;
	#askedVote: number;
	#savedTerm: number;
	#savedVote: number;

	constructor(term: number, vote: number) {
		this.#term = this.#askedTerm = this.#savedTerm = term;
		this.#vote = this.#askedVote = this.#savedVote = vote;
	}

	get term(): number {
		return this.#term;
	}

	/** Whom this replica voted for in `term`; 0 = nobody. */
	get vote(): number {
		return this.#vote;
	}

	get isSaved(): boolean {
		return this.#savedTerm === this.#term && this.#savedVote === this.#vote;
	}

	get isTermSaved(): boolean {
		return this.#savedTerm === this.#term;
	}

	enterTerm(term: number): void {
		assert(term > this.#term, 'terms only rise');
		this.#term = term;
		this.#vote = 0;
	}

	voteFor(id: number): void {
		assert(this.#vote === 0 || this.#vote === id, 'one vote in a term');
		this.#vote = id;
	}

	/** True, once, if the values changed since the last call. */
	takeChanged(): boolean {
		if (this.#askedTerm === this.#term && this.#askedVote === this.#vote) return false;
		this.#askedTerm = this.#term;
		this.#askedVote = this.#vote;
		return true;
	}

	/** The disk has (term, vote). True if that makes the current values durable, which they were not. The
	 * disk works in order, so that this is never older than the last. */
	saved(term: number, vote: number): boolean {
		assert(
			term >= this.#savedTerm && term <= this.#term,
			'saved terms rise, up to the current one',
		);
		if (this.isSaved) return false;
		this.#savedTerm = term;
		this.#savedVote = vote;
		return this.isSaved;
	}
}
