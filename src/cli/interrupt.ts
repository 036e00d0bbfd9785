export const EXIT_INTERRUPTED = 130;

/** Runs what can be interrupted: the first Ctrl-C asks it to end, the second one ends the process. */
export async function interruptible(
	run: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
	const controller = new AbortController();
	const interrupt = (): void => {
		if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
		controller.abort();
	};
	process.on('SIGINT', interrupt);
	process.on('SIGTERM', interrupt);
	try {
		return await run(controller.signal);
	} finally {
		process.off('SIGINT', interrupt);
		process.off('SIGTERM', interrupt);
	}
}
