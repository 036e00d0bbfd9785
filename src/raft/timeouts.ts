import { assert } from '../assert.js';
import { Random } from './random.js';

/** What this replica concludes from the passing of time; all times are ms of the inputs' clock. */
export class Timeouts {
	readonly #random: Random;
	readonly #electionTimeoutMs: number;
	#now: number;
	#electionAt: number;
	/** When the disk last made progress, or owed nothing. */
	#diskProgressAt: number;
	#tickAt: number;
	#wasLate = false;

	constructor(now: number, electionTimeoutMs: number, seed: number) {
		assert(electionTimeoutMs > 0, 'time-outs take time');
		this.#random = new Random(seed);
		this.#electionTimeoutMs = electionTimeoutMs;
		this.#now = this.#electionAt = this.#diskProgressAt = this.#tickAt = now;
	}

	get now(): number {
		return this.#now;
	}

	advance(now: number): void {
		assert(now >= this.#now, 'time never runs back');
		this.#now = now;
	}

	/**
	 * A tick came: may it judge others by their silence? Not if it comes late, for then this process was
	 * held up, and what the others sent meanwhile still waits to be read. But never "no" twice in a row.
	 */
	tick(): boolean {
		const isLate = this.#now - this.#tickAt > this.#electionTimeoutMs / 2;
		this.#tickAt = this.#now;
		this.#wasLate = isLate && !this.#wasLate;
		return !this.#wasLate;
	}

	/** Has it been silent for an election time-out since `contactAt`? */
	isSilentSince(contactAt: number): boolean {
		return this.#now - contactAt >= this.#electionTimeoutMs;
	}

	/** Is it time to stand for election? */
	get isElectionDue(): boolean {
		return this.#now >= this.#electionAt;
	}

	/** The next election is due after another one to two time-outs; chance keeps candidates apart (§5.2). */
	postponeElection(): void {
		const chance = this.#random.below(this.#electionTimeoutMs);
		this.#electionAt = this.#now + this.#electionTimeoutMs + chance;
	}

	diskProgressed(): void {
		this.#diskProgressAt = this.#now;
	}

	/** Has the disk been working on something for long, without getting anywhere? */
	get isDiskStalled(): boolean {
		return this.#now - this.#diskProgressAt > 2 * this.#electionTimeoutMs;
	}
}
