import type { Registration } from '../format/registration.js';
import { SessionResults } from './session-results.js';
import { type SavedSession, savedSessions, saveSessions } from './session-table.js';

/** What is remembered of one producer. */
interface Session extends SavedSession {
	sequence: number;
	index: number;
	usedAt: number;
}

/** What the leader does with a batch of a session. */
export type SessionVerdict = 'next' | 'applied' | 'in-flight' | 'gap' | 'unknown';

/** What every replica does with a committed one: gives it to the state machine, or not. */
export type SessionOutcome = 'new' | 'repeat' | 'unknown';

/** A leader takes nothing new of a session in the last part of its time: what it takes shall still be known when it is applied. */
const LAST_PART = 1 / 8;

/**
 * Exactly-once: a session begins with an entry in the log, whose index is its number, and ends when it is unused for longer
 * than it lasts, by the times that leaders gave their batches, or when too many others are used. Its batches are numbered
 * from 1, and each number enters the log once. Of a session that isn't known nothing is applied.
 *
 * The table is a function of the log alone, so it is the same on every replica, and a new leader knows it once it has applied
 * the first entry of its own term. The leader adds what it has accepted and not yet applied.
 *
 * Sessions of earlier programs were drawn by chance and never registered: their first batch makes them known.
 */
export class Sessions {
	/** Before the log says another: see `Registration`. */
	#sessionsMax: number;
	/** In the order of their last use in the log. What has expired may still be here, and counts as nothing. */
	readonly #applied = new Map<number, Session>();
	readonly #results = new SessionResults();
	/** Leader only: the last sequence accepted in this term. */
	readonly #accepted = new Map<number, number>();
	/** The highest time of any batch that was applied. */
	#time = 0;
	/** Before this time nothing expires: no session's `usedAt + durationMs` is lower. */
	#nextExpiry = Number.POSITIVE_INFINITY;
	#isBegun = false;
	/** Sessions registered up to here may be unknown though they live: the log was dropped, and no snapshot tells of them. */
	#unseenIndex = 0;

	constructor(sessionsMax: number) {
		this.#sessionsMax = sessionsMax;
	}

	get count(): number {
		return this.#applied.size;
	}

	/** Was any session ever registered in this log? */
	get isBegun(): boolean {
		return this.#isBegun;
	}

	/** The table begins empty though the log began before: everything up to `index` is dropped and in no snapshot. */
	beginBehind(index: number): void {
		this.#unseenIndex = index;
	}

	/** Leader: judges a batch that wants to be appended, at `now` by its own clock, in ms since 1970. */
	judge(session: number, sequence: number, isRegistered: boolean, now: number): SessionVerdict {
		const known = this.#known(session);
		if (known === undefined && isRegistered) return 'unknown';
		const applied = known?.sequence ?? 0;
		if (sequence <= applied) return 'applied';
		const accepted = this.#accepted.get(session) ?? 0;
		if (sequence <= accepted) return 'in-flight';
		// When it began, and so when it ends, is not in this log any more: others may know that it has ended.
		if (isRegistered && known!.durationMs === Number.POSITIVE_INFINITY) return 'unknown';
		// What was accepted of it and isn't applied yet will put off its end.
		if (known !== undefined && accepted <= applied && isEnding(known, now)) return 'unknown';
		return sequence === Math.max(applied, accepted) + 1 ? 'next' : 'gap';
	}

	/** Leader: the batch was taken. */
	accept(session: number, sequence: number): void {
		this.#accepted.set(session, sequence);
	}

	/** Leadership began or ended: what was accepted and isn't applied may never be. */
	forgetAccepted(): void {
		this.#accepted.clear();
	}

	/** Every replica: a committed batch of this time comes to be applied; before `register` and `apply`. */
	passTo(time: number): void {
		if (time <= this.#time) return;
		this.#time = time;
		if (time > this.#nextExpiry) this.#sweep();
	}

	/** Every replica: the entry at `index` registers a session. */
	register(index: number, { durationMs, sessionsMax }: Registration): void {
		this.#isBegun = true;
		this.#sessionsMax = sessionsMax;
		this.#use(index, { sequence: 0, index: 0, usedAt: this.#time, durationMs });
	}

	/** Every replica: a committed batch comes to be applied. `waits`: for so many before it its producer waits. */
	apply(
		session: number,
		sequence: number,
		index: number,
		isRegistered: boolean,
		waits = 0,
	): SessionOutcome {
		if (this.#accepted.get(session) === sequence) this.#accepted.delete(session);
		const known = this.#known(session);
		if (known !== undefined && sequence <= known.sequence) return 'repeat';
		if (known === undefined && isRegistered && session > this.#unseenIndex) return 'unknown';
		const entry = known ?? { sequence, index, usedAt: 0, durationMs: Number.POSITIVE_INFINITY };
		entry.sequence = sequence;
		entry.index = index;
		entry.usedAt = this.#time;
		this.#use(session, entry);
		// What was returned before is in the part of the log that is dropped.
		if (known === undefined && isRegistered) this.#results.lost(session);
		this.#results.used(session, sequence, waits);
		return 'new';
	}

	/** Every replica: what the state machine returned for a batch of a session that was registered, if that is bytes. */
	returned(session: number, sequence: number, index: number, bytes: Uint8Array): void {
		if (this.#applied.has(session)) this.#results.keep(session, sequence, { index, bytes });
	}

	/** A batch of the session was applied in an earlier life: nobody knows what was returned. */
	returnedBefore(session: number): void {
		if (this.#applied.has(session)) this.#results.lost(session);
	}

	/** Index of the batch, if it is the session's last one, or its results are kept; 0 if that isn't known any more. */
	indexOf(session: number, sequence: number): number {
		const known = this.#known(session);
		if (known === undefined) return 0;
		if (known.sequence === sequence) return known.index;
		return this.#results.of(session).bySequence.get(sequence)?.index ?? 0;
	}

	/** What was returned for a batch that was applied: null = nothing, 'lost' = that isn't known any more. */
	resultsOf(session: number, sequence: number): Uint8Array | null | 'lost' {
		const { bySequence, isLossy } = this.#results.of(session);
		return bySequence.get(sequence)?.bytes ?? (isLossy ? 'lost' : null);
	}

	/** The table as it goes into a snapshot, with the last index that the state machine was given. */
	save(given: number): Uint8Array {
		this.#sweep();
		const head = { isBegun: this.#isBegun, time: this.#time, sessionsMax: this.#sessionsMax };
		const resultsOf = (session: number) => this.#results.of(session);
		return saveSessions({ ...head, given, sessions: this.#applied, resultsOf });
	}

	/** Takes over the table of a snapshot, in place of what is here. */
	load(bytes: Uint8Array): void {
		const { isBegun, time, sessionsMax, sessions, resultsOf } = savedSessions(bytes);
		this.#applied.clear();
		this.#results.clear();
		this.#isBegun = isBegun;
		this.#unseenIndex = 0;
		this.#time = time;
		if (isBegun) this.#sessionsMax = sessionsMax;
		for (const [session, saved] of sessions) {
			this.#applied.set(session, saved);
			this.#results.load(session, resultsOf(session));
		}
		this.#sweep();
		this.#keepWithinBound();
	}

	#known(session: number): Session | undefined {
		const known = this.#applied.get(session);
		return known === undefined || hasExpired(known, this.#time) ? undefined : known;
	}

	/** It is used now: it becomes the last to be forgotten. */
	#use(session: number, entry: Session): void {
		this.#applied.delete(session);
		this.#applied.set(session, entry);
		this.#nextExpiry = Math.min(this.#nextExpiry, entry.usedAt + entry.durationMs);
		this.#keepWithinBound();
	}

	/** Those that have expired go first, whenever others noticed: so only what the log says counts. */
	#keepWithinBound(): void {
		if (this.#applied.size <= this.#sessionsMax) return;
		this.#sweep();
		for (const session of this.#applied.keys()) {
			if (this.#applied.size <= this.#sessionsMax) return;
			this.#forget(session);
		}
	}

	#forget(session: number): void {
		this.#applied.delete(session);
		this.#results.forget(session);
	}

	#sweep(): void {
		this.#nextExpiry = Number.POSITIVE_INFINITY;
		for (const [session, entry] of this.#applied) {
			if (hasExpired(entry, this.#time)) this.#forget(session);
			else this.#nextExpiry = Math.min(this.#nextExpiry, entry.usedAt + entry.durationMs);
		}
	}
}

function hasExpired({ usedAt, durationMs }: SavedSession, time: number): boolean {
	return time > usedAt + durationMs;
}

function isEnding({ usedAt, durationMs }: SavedSession, now: number): boolean {
	return now > usedAt + durationMs * (1 - LAST_PART);
}
