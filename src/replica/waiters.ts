import type { Waiter } from './proposals.js';
import type { Proposed, ProposedBatch } from './types.js';

type Resolve = (proposed: Proposed) => void;
type Reject = (error: Error) => void;

/**
 * All who called `propose` one behind the other and came into one batch. Each has a promise of its own that follows from one
 * for all: what a promise and its two functions cost, and what the garbage collector has to carry of it while the entry is
 * under way, they share.
 */
export class RunWaiter implements Waiter {
	/** Entries added, each with a promise. */
	count = 0;
	/** Of those, how many have been told: promises are told in the order in which they were made. */
	#told = 0;
	#index = 0;
	#term = 0;
	#results: readonly unknown[] | undefined;
	#resolve!: () => void;
	failed!: Reject;
	readonly #applied = new Promise<void>((resolve, reject) => {
		this.#resolve = resolve;
		this.failed = reject;
	});
	readonly #tell = (): Proposed => {
		const position = this.#told++;
		const result = this.#results === undefined ? undefined : this.#results[position];
		return { index: this.#index + position, term: this.#term, result };
	};

	/** One more entry lies behind the others. */
	join(): Promise<Proposed> {
		this.count += 1;
		return this.#applied.then(this.#tell);
	}

	applied(
		index: number,
		term: number,
		results: readonly unknown[] | undefined,
		position: number,
	): void {
		this.#index = index;
		this.#term = term;
		// The state machine may use its array again before the callers are told.
		this.#results = results?.slice(position, position + this.count);
		this.#resolve();
	}
}

/** Who called `propose` and has a signal, or waited for room. */
export class EntryWaiter implements Waiter {
	readonly count = 1;
	readonly #resolve: Resolve;
	readonly failed: Reject;

	constructor(resolve: Resolve, reject: Reject) {
		this.#resolve = resolve;
		this.failed = reject;
	}

	applied(
		index: number,
		term: number,
		results: readonly unknown[] | undefined,
		position: number,
	): void {
		this.#resolve({ index, term, result: results === undefined ? undefined : results[position] });
	}
}

/** Who called `proposeBatch`. */
export class BatchWaiter implements Waiter {
	readonly count: number;
	readonly #resolve: (proposed: ProposedBatch) => void;
	readonly failed: (error: Error) => void;

	constructor(
		count: number,
		resolve: (proposed: ProposedBatch) => void,
		reject: (error: Error) => void,
	) {
		this.count = count;
		this.#resolve = resolve;
		this.failed = reject;
	}

	applied(
		index: number,
		term: number,
		results: readonly unknown[] | undefined,
		position: number,
	): void {
		const { count } = this;
		const own = results?.slice(position, position + count);
		this.#resolve({ index, term, count, results: own });
	}
}

/** Lets a signal end the wait for `promise` with this error: the work goes on. */
export function abortable<T>(
	promise: Promise<T>,
	signal: AbortSignal,
	makeError: () => Error,
): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(makeError());
		signal.addEventListener('abort', abort, { once: true });
		promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
	});
}
