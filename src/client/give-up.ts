/** Lets a signal end the wait for what `begin` promises, with this error: the work itself goes on. A signal that was given
 * before begins nothing: the promise rejects with its reason. */
export async function untilGivenUp<T>(
	begin: () => Promise<T>,
	signal: AbortSignal | undefined,
	makeError: () => Error,
): Promise<T> {
	if (signal === undefined) return begin();
	signal.throwIfAborted();
	let abort = () => {};
	const givenUp = new Promise<never>((_resolve, reject) => {
		abort = () => reject(makeError());
		signal.addEventListener('abort', abort);
	});
	try {
		return await Promise.race([begin(), givenUp]);
	} finally {
		signal.removeEventListener('abort', abort);
	}
}
