import type { Waiter } from './proposals.js';
import type { Proposed, ProposedBatch } from './types.js';

type Resolve = (proposed: Proposed) => void;
type Reject = (error: Error) => void;

/** Those of the promise that was made last. A promise for each entry is most of what an entry costs: one executor for all
 * of them spares each a closure of its own. */
export const settlers = { resolve: (() => {}) as Resolve, reject: (() => {}) as Reject };

/** The executor: runs within `new Promise`, which gives what it makes to whoever called that. */
export function keepSettlers(resolve: Resolve, reject: Reject): void {
	settlers.resolve = resolve;
	settlers.reject = reject;
}

/** Who called `propose`. */
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
