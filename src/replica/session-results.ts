/** A batch's results (`src/format/results.ts`), and the index of its first entry. */
export interface KeptResult {
	readonly index: number;
	readonly bytes: Uint8Array;
}

/** What is kept of one session. */
export interface KeptResults {
	/** By the batch's number, ascending. */
	readonly bySequence: ReadonlyMap<number, KeptResult>;
	/** Some were dropped before their producer said that it knows them. */
	readonly isLossy: boolean;
}

/** Of one session, and of all: what lies beyond is dropped, the oldest first. Every replica must drop the same. */
const SESSION_BYTES_MAX = 64 * 1024;
const ALL_BYTES_MAX = 16 * 1024 * 1024;
/** What a result takes beside its own bytes, about. */
const RESULT_BYTES = 64;

interface Session extends KeptResults {
	readonly bySequence: Map<number, KeptResult>;
	isLossy: boolean;
	bytes: number;
}

const NOTHING: KeptResults = { bySequence: new Map(), isLossy: false };

/**
 * What state machines returned for batches of sessions, until their producers know it: for whoever lost the answer and sends
 * the batch again. Each batch says for which of those before it its producer still waits, so the log alone decides what is kept.
 *
 * Where nothing is returned, nothing is here.
 */
export class SessionResults {
	/** In the order of their last use in the log. */
	readonly #sessions = new Map<number, Session>();
	#bytes = 0;

	/** Batch `sequence` of the session is applied, and its producer waits for `waits` before it. */
	used(number: number, sequence: number, waits: number): void {
		const session = this.#sessions.get(number);
		if (session === undefined) return;
		this.#sessions.delete(number);
		this.#sessions.set(number, session);
		for (const known of session.bySequence.keys()) {
			if (known >= sequence - waits) break;
			this.#drop(session, known);
		}
	}

	keep(number: number, sequence: number, result: KeptResult): void {
		const session = this.#of(number);
		session.bySequence.set(sequence, result);
		this.#count(session, result.bytes.length + RESULT_BYTES);
		for (const oldest of session.bySequence.keys()) {
			if (session.bytes <= SESSION_BYTES_MAX) break;
			this.#lose(session, oldest);
		}
		for (const least of this.#sessions.values()) {
			if (this.#bytes <= ALL_BYTES_MAX) return;
			for (const known of least.bySequence.keys()) this.#lose(least, known);
		}
	}

	/** Something was returned once that nobody kept. */
	lost(number: number): void {
		this.#of(number).isLossy = true;
	}

	of(number: number): KeptResults {
		return this.#sessions.get(number) ?? NOTHING;
	}

	/** The session has ended. */
	forget(number: number): void {
		const session = this.#sessions.get(number);
		if (session === undefined) return;
		this.#bytes -= session.bytes;
		this.#sessions.delete(number);
	}

	/** Takes over what a snapshot has of a session. */
	load(number: number, { bySequence, isLossy }: KeptResults): void {
		for (const [sequence, result] of bySequence) this.keep(number, sequence, result);
		if (isLossy) this.lost(number);
	}

	clear(): void {
		this.#sessions.clear();
		this.#bytes = 0;
	}

	#of(number: number): Session {
		const known = this.#sessions.get(number);
		if (known !== undefined) return known;
		const session: Session = { bySequence: new Map(), isLossy: false, bytes: 0 };
		this.#sessions.set(number, session);
		return session;
	}

	#lose(session: Session, sequence: number): void {
		session.isLossy = true;
		this.#drop(session, sequence);
	}

	#drop(session: Session, sequence: number): void {
		this.#count(session, -(session.bySequence.get(sequence)!.bytes.length + RESULT_BYTES));
		session.bySequence.delete(sequence);
	}

	#count(session: Session, bytes: number): void {
		session.bytes += bytes;
		this.#bytes += bytes;
	}
}
