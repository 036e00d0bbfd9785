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
	/** Ends the wait, with its reason. */
	readonly signal?: AbortSignal | undefined;
}

/** Asks this replica, over a connection of its own. Errors: `Unavailable`, `ProtocolError`, the signal's reason. */
export function ask<Answer>(
	environment: Environment,
	replica: number,
	question: Question<Answer>,
): Promise<Answer> {
	const { name, send, answer, read, timeoutMs, signal } = question;
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
		const link = new Link(environment, replica, {
			ready: send,
			message: (message, memory, offset) => {
				if (message.kind !== answer) return;
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
		const timer = environment.clock.after(Math.max(1, timeoutMs), () => {
			fail(new Unavailable(`replica ${replica} did not answer in time`));
		});
		signal?.addEventListener('abort', giveUp);
	});
}
