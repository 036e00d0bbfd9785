/** What is remembered of one producer. */
interface Session {
	/** The last batch of it that was applied. */
	sequence: number;
	/** Index of that batch's first entry. */
	index: number;
}

/** What the leader does with a batch of a session. */
export type SessionVerdict = 'next' | 'applied' | 'in-flight' | 'gap';

/**
 * Exactly-once: each session's batches are numbered from 1, and each number enters the log once.
 *
 * The table of what was applied is a function of the log alone, so it is the same on every replica, and a
 * new leader knows it once it has applied the first entry of its own term. The leader adds what it has accepted
 * and not yet applied.
 */
export class Sessions {
	readonly #sessionsMax: number;
	/** In the order of their last use in the log. */
	readonly #applied = new Map<number, Session>();
	/** Leader only: the last sequence accepted in this term. */
	readonly #accepted = new Map<number, number>();

	constructor(sessionsMax: number) {
		this.#sessionsMax = sessionsMax;
	}

	get count(): number {
		return this.#applied.size;
	}

	/** Leader: judges a batch that wants to be appended. */
	judge(session: number, sequence: number): SessionVerdict {
		const applied = this.#applied.get(session)?.sequence ?? 0;
		if (sequence <= applied) return 'applied';
		const accepted = Math.max(applied, this.#accepted.get(session) ?? 0);
		if (sequence <= accepted) return 'in-flight';
		return sequence === accepted + 1 ? 'next' : 'gap';
	}

	/** Leader: the batch was taken. */
	accept(session: number, sequence: number): void {
		this.#accepted.set(session, sequence);
	}

	/** Leadership began or ended: what was accepted and isn't applied may never be. */
	forgetAccepted(): void {
		this.#accepted.clear();
	}

	/** Every replica: a committed batch comes to be applied. @returns false if it was applied before */
	apply(session: number, sequence: number, index: number): boolean {
		const known = this.#applied.get(session);
		if (known !== undefined && sequence <= known.sequence) return false;
		const entry = known ?? { sequence, index };
		entry.sequence = sequence;
		entry.index = index;
		this.#applied.delete(session);
		this.#applied.set(session, entry);
		if (this.#applied.size > this.#sessionsMax) this.#forgetOldest();
		if (this.#accepted.get(session) === sequence) this.#accepted.delete(session);
		return true;
	}

	/** Index of the batch, if it is the session's last one; 0 if that isn't known any more. */
	indexOf(session: number, sequence: number): number {
		const known = this.#applied.get(session);
		return known?.sequence === sequence ? known.index : 0;
	}

	#forgetOldest(): void {
		this.#applied.delete(this.#applied.keys().next().value!);
	}
}
