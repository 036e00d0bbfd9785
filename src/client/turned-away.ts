import { Forbidden, type MillraceError, Unavailable } from '../errors.js';

/**
 * Who has turned this client away: because it showed no token or one that isn't known there, or its certificate has no role.
 *
 * Replicas may differ in that, and change. So it is the outcome of a call only when all that could be asked have said so, and
 * nobody has let it in meanwhile; or when time is up, and whoever answered said so.
 */
export class TurnedAway {
	/** Since somebody has let it in. */
	readonly #by = new Map<number, Forbidden>();
	#isWelcome = false;
	#times = 0;

	/** How often in a row all have: who comes again waits the longer. */
	get times(): number {
		return this.#times;
	}

	/** Somebody begins to wait. */
	begin(): void {
		this.#by.clear();
		this.#isWelcome = false;
	}

	/** A replica has let it in. */
	welcomed(): void {
		this.#by.clear();
		this.#isWelcome = true;
		this.#times = 0;
	}

	/** A connection to this replica came to nothing. */
	heard(replica: number, reason: Error): void {
		if (reason instanceof Forbidden) this.#by.set(replica, reason);
	}

	/** The outcome, if these are all that could be asked, and each has turned it away. */
	verdict(all: Iterable<number>): Forbidden | null {
		let refusal: Forbidden | null = null;
		for (const id of all) {
			refusal = this.#by.get(id) ?? null;
			if (refusal === null) return null;
		}
		this.#by.clear();
		this.#times += 1;
		return refusal;
	}

	/** What it is when time is up: `Forbidden` if all that answered have turned it away, else the last failure. */
	inTheEnd(failure: Error): Error {
		const [refusal] = this.#by.values();
		if (refusal !== undefined && !this.#isWelcome) {
			return new Forbidden(`${refusal.message}, and nobody else has answered`);
		}
		return failure instanceof Forbidden ? new Unavailable(failure.message) : failure;
	}
}

/** The error of a call that has waited for so long, `failure` being what is known of the reason. */
export function timedOut(timeoutMs: number, failure: Error): MillraceError {
	if (failure instanceof Forbidden) return failure;
	return new Unavailable(`no answer for ${timeoutMs} ms (${failure.message})`);
}
