import { MillraceError, Unavailable, UnknownOutcome } from '../errors.js';
import type { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind, messageBody } from '../format/message.js';
import type { AdminReply, AdminRequest } from '../replica/types.js';
import { ask } from './ask.js';
import type { Environment } from './environment.js';
import { pauseFor } from './give-up.js';
import type { Link } from './link.js';

/** Between two rounds of asking, while no leader is known. */
const RETRY_MS = 100;
/** Such an answer says that nothing was done; another replica may do it. */
const ELSEWHERE = ['NOT_LEADER', 'STOPPED', 'UNAVAILABLE'];
/** What changes nothing may be asked as often as it takes. */
const HARMLESS = ['members'];

type Done = Extract<AdminReply, { ok: true }>;

/**
 * Asks the cluster to do something, over a connection of its own to one replica after the other: the first that can be
 * reached and knows a leader does it, or has it done. What changes something is sent again only if its answer says that
 * nothing was done.
 *
 * Errors: what the replica says, as a `MillraceError` with its code; `Unavailable`; the signal's reason; `UnknownOutcome`, with
 * the cause, once what changes something was sent and no answer came.
 */
export async function administer(
	environment: Environment,
	request: AdminRequest,
	signal: AbortSignal,
): Promise<Done> {
	const { clock } = environment;
	const deadline = clock.now() + environment.timeoutMs;
	let last: Error = new Unavailable('no replica has answered');
	do {
		for (const id of [...environment.addresses.keys()]) {
			const reply = await askOne(environment, id, request, deadline - clock.now(), signal);
			if (reply instanceof Error) last = reply;
			else if (reply.ok) return reply;
			else {
				last = new MillraceError(reply.code, reply.message);
				if (!ELSEWHERE.includes(reply.code)) throw last;
			}
		}
		await pauseFor(clock, RETRY_MS, signal);
	} while (clock.now() < deadline);
	throw last;
}

/** Asks this replica. @returns its reply, or why another one may be asked. Errors: those after which none may. */
async function askOne(
	environment: Environment,
	id: number,
	request: AdminRequest,
	timeoutMs: number,
	signal: AbortSignal,
): Promise<AdminReply | Unavailable> {
	let isSent = false;
	const send = ({ outbound }: Link): void => {
		isSent = true;
		const message = emptyMessage(MessageFrameKind.adminRequest);
		message.group = environment.group;
		outbound.message(message, 0, new TextEncoder().encode(JSON.stringify(request)));
		outbound.flush();
	};
	const answer = MessageFrameKind.adminReply;
	const question = { name: 'an answer', send, answer, read: readReply, timeoutMs, signal };
	try {
		return await ask(environment, id, question);
	} catch (error) {
		const { message } = error as Error;
		if (isSent && !HARMLESS.includes(request.do)) {
			const what = `whether the cluster did what it was asked to do (${request.do}) is not known`;
			throw new UnknownOutcome(message, error as Error, what);
		}
		if (error instanceof Unavailable && !signal.aborted) return error;
		throw error;
	}
}

/** The reply in a frame, or `null` if it isn't one. */
function readReply(memory: Memory, offset: number): AdminReply | null {
	try {
		const reply = JSON.parse(new TextDecoder().decode(messageBody(memory, offset)));
		const isRefusal = typeof reply.code === 'string' && typeof reply.message === 'string';
		return reply.ok === true || (reply.ok === false && isRefusal) ? reply : null;
	} catch {
		return null;
	}
}
