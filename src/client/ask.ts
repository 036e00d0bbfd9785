import { ProtocolError, Unavailable } from '../errors.js';
import type { Memory } from '../format/memory.js';
import type { MessageFrameKind } from '../format/message.js';
import type { Environment } from './environment.js';
import { Link } from './link.js';

/** What one replica is asked, and how its answer is known. */
export interface Question<Answer> {
	/** In an error: `a status`. */
	readonly name: string;
	/** Sends it. */
	readonly send: (link: Link) => void;
	/** The kind of message that answers. */
	readonly answer: (typeof MessageFrameKind)[keyof typeof MessageFrameKind];
	/** What it says; null if it can't be read. */
	readonly read: (memory: Memory, offset: number) => Answer | null;
	readonly timeoutMs: number;
	/** Asked first, and `send` is called when that is answered: who is mute shall not have been sent it. */
	readonly before?: Pick<Question<unknown>, 'send' | 'answer' | 'timeoutMs'>;
	/** Ends the wait, with its reason. */
	readonly signal?: AbortSignal | undefined;
}

/** Asks this replica, over a connection of its own. Errors: `Unavailable`, `ProtocolError`, the signal's reason. */
export function ask<Answer>(
	environment: Environment,
	replica: number,
	question: Question<Answer>,
): Promise<Answer> {
	const { name, send, answer, read, timeoutMs, before, signal } = question;
	const { clock } = environment;
	const deadline = clock.now() + timeoutMs;
	return new Promise((resolve, reject) => {
		signal?.throwIfAborted();
		const end = (): void => {
			timer.cancel();
			link.close();
			signal?.removeEventListener('abort', giveUp);
		};
		const fail = (reason: Error): void => {
			end();
			reject(reason);
		};
		const giveUp = (): void => fail(signal!.reason as Error);
		const late = (): void => fail(new Unavailable(`replica ${replica} did not answer in time`));
		let awaited = before?.answer ?? answer;
		const link = new Link(environment, replica, {
			ready: before?.send ?? send,
			message: (message, memory, offset) => {
				if (message.kind !== awaited) return;
				if (awaited !== answer) {
					awaited = answer;
					timer.cancel();
					timer = clock.after(Math.max(1, deadline - clock.now()), late);
					return send(link);
				}
				const said = read(memory, offset);
				if (said === null)
					return fail(new ProtocolError(`replica ${replica} sent ${name} that can't be read`));
				end();
				resolve(said);
			},
			batch: () => true,
			written: () => {},
			lost: fail,
		});
		let timer = clock.after(Math.max(1, before?.timeoutMs ?? timeoutMs), late);
		signal?.addEventListener('abort', giveUp);
	});
}
