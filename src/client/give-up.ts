import type { Clock } from '../io.js';

/** Lets a signal end the wait for what `begin` promises, with this error: the work itself goes on. A signal that was given
 * before begins nothing: the promise rejects with its reason. */
export async function untilGivenUp<T>(
	begin: () => Promise<T>,
	signal: AbortSignal,
	makeError: (reason: Error) => Error,
): Promise<T> {
	signal.throwIfAborted();
	let abort = () => {};
	const givenUp = new Promise<never>((_resolve, reject) => {
		abort = () => reject(makeError(signal.reason));
		signal.addEventListener('abort', abort);
	});
	try {
		return await Promise.race([begin(), givenUp]);
	} finally {
		signal.removeEventListener('abort', abort);
	}
}

/** Does what takes one signal under two, of which the second may be missing. Unlike `AbortSignal.any`, nothing of it is left behind. */
export async function underBoth<T>(
	one: AbortSignal,
	other: AbortSignal | undefined,
	work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	one.throwIfAborted();
	if (other === undefined) return await work(one);
	other.throwIfAborted();
	const both = new AbortController();
	const fromOne = () => both.abort(one.reason);
	const fromOther = () => both.abort(other.reason);
	one.addEventListener('abort', fromOne);
	other.addEventListener('abort', fromOther);
	try {
		return await work(both.signal);
	} finally {
		one.removeEventListener('abort', fromOne);
		other.removeEventListener('abort', fromOther);
	}
}

/** Errors: the signal's reason. */
export function pauseFor(
	clock: Pick<Clock, 'after'>,
	milliseconds: number,
	signal: AbortSignal,
): Promise<void> {
	return new Promise((resolve, reject) => {
		signal.throwIfAborted();
		const giveUp = (): void => {
			timer.cancel();
			reject(signal.reason as Error);
		};
		const timer = clock.after(milliseconds, () => {
			signal.removeEventListener('abort', giveUp);
			resolve();
		});
		signal.addEventListener('abort', giveUp, { once: true });
	});
}
