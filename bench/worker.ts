import type { Calls, Reply, Request } from './messages.js';

export type Handlers<C extends Calls<C>> = {
	[K in keyof C]: (argument: C[K]['argument']) => C[K]['result'] | Promise<C[K]['result']>;
};

/** How often a driving worker tells how far it is. */
const PROGRESS_MS = 100;

/** Answers the parent's calls. Returns at once; the process lives until the parent lets go of it. */
export function serve<C extends Calls<C>>(handlers: Handlers<C>): void {
	if (process.send === undefined) {
		process.stderr.write('this is a part of `millrace bench` and not to be started by hand\n');
		process.exit(2);
	}
	// A terminal's Ctrl-C reaches every process of the group; when to stop is the parent's decision.
	process.on('SIGINT', () => {});
	process.on('SIGTERM', () => {});
	process.on('disconnect', () => process.exit(0));
	process.on('message', (message) => void answer(handlers, message as Request));
}

async function answer<C extends Calls<C>>(handlers: Handlers<C>, request: Request): Promise<void> {
	try {
		const handler = handlers[request.call as keyof C];
		send({ id: request.id, result: await handler(request.argument) });
	} catch (error) {
		send({ id: request.id, error: error instanceof Error ? error.message : String(error) });
	}
}

function send(reply: Reply): void {
	// A parent that is gone is noticed by `disconnect`.
	if (process.connected) process.send!(reply, () => {});
}

/** Tells the parent, while `run` goes on, how many entries are acknowledged. */
export async function withProgress<T>(
	driver: { acknowledged: number },
	run: Promise<T>,
): Promise<T> {
	const timer = setInterval(() => send({ id: 0, result: driver.acknowledged }), PROGRESS_MS);
	try {
		return await run;
	} finally {
		clearInterval(timer);
		send({ id: 0, result: driver.acknowledged });
	}
}
