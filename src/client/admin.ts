import { Forbidden, MillraceError, Unavailable, UnknownOutcome } from '../errors.js';
import type { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind, messageBody } from '../format/message.js';
import type { AdminReply, AdminRequest } from '../replica/types.js';
import { ask } from './ask.js';
import { requestStatus } from './ask-status.js';
import type { Environment } from './environment.js';
import { pauseFor } from './give-up.js';
import type { Link } from './link.js';
import { TurnedAway } from './turned-away.js';

/** Between two rounds of asking, while no leader is known. */
const RETRY_MS = 100;
/** So long at most one of several replicas may be mute. */
const SHARE_MS_MAX = 2_000;
/** Such an answer says that nothing was done; another replica may do it. */
const ELSEWHERE = ['NOT_LEADER', 'STOPPED', 'UNAVAILABLE'];
/** What changes nothing may be asked as often as it takes. */
const HARMLESS = ['members'];

type Done = Extract<AdminReply, { ok: true }>;

/**
 * Asks the cluster to do something, over a connection of its own to one replica after the other: the first that can be
 * reached and knows a leader does it, or has it done. What changes something is sent to who has just answered something else, so
 * that nobody who is mute has it, and again only if its answer says that nothing was done.
 *
 * Errors: what the replica says, as a `MillraceError` with its code; `Unavailable`; `Forbidden`; the signal's reason; `UnknownOutcome`, with
 * the cause, once what changes something was sent and no answer came.
 */
export async function administer(
	environment: Environment,
	request: AdminRequest,
	signal: AbortSignal,
): Promise<Done> {
	const { clock } = environment;
	const deadline = clock.now() + environment.timeoutMs;
	const turnedAway = new TurnedAway();
	let last: Error = new Unavailable('no replica has answered');
	do {
		const ids = [...environment.addresses.keys()];
		for (const [i, id] of ids.entries()) {
			const leftMs = deadline - clock.now();
			const shareMs = Math.min(SHARE_MS_MAX, leftMs / (ids.length - i));
			const reply = await askOne(environment, id, request, { leftMs, shareMs }, signal);
			if (reply instanceof Error) {
				last = reply;
				turnedAway.heard(id, reply);
				const refusal = turnedAway.verdict(ids);
				if (refusal !== null) throw refusal;
			} else if (reply.ok) {
				return reply;
			} else {
				turnedAway.welcomed();
				last = errorOf(reply);
				if (!ELSEWHERE.includes(reply.code)) throw last;
			}
		}
		await pauseFor(clock, RETRY_MS, signal);
	} while (clock.now() < deadline);
	throw turnedAway.inTheEnd(last);
}

function errorOf({ code, message }: Extract<AdminReply, { ok: false }>): MillraceError {
	return code === 'FORBIDDEN' ? new Forbidden(message) : new MillraceError(code, message);
}

/** Asks this replica, for as long as there is, who must show before its share is over that it is there. @returns its reply, or why another one may be asked. Errors: those after which none may. */
async function askOne(
	environment: Environment,
	id: number,
	request: AdminRequest,
	{ leftMs, shareMs }: { readonly leftMs: number; readonly shareMs: number },
	signal: AbortSignal,
): Promise<AdminReply | Unavailable | Forbidden> {
	const isHarmless = HARMLESS.includes(request.do);
	let isSent = false;
	const send = ({ outbound }: Link): void => {
		isSent = true;
		const message = emptyMessage(MessageFrameKind.adminRequest);
		message.group = environment.group;
		outbound.message(message, 0, new TextEncoder().encode(JSON.stringify(request)));
		outbound.flush();
	};
	const answer = MessageFrameKind.adminReply;
	const before = {
		send: (link: Link) => requestStatus(environment, link, false),
		answer: MessageFrameKind.statusReply,
		timeoutMs: shareMs,
	};
	const question = { name: 'an answer', send, answer, read: readReply, signal };
	try {
		if (isHarmless) return await ask(environment, id, { ...question, timeoutMs: shareMs });
		return await ask(environment, id, { ...question, timeoutMs: leftMs, before });
	} catch (error) {
		const { message } = error as Error;
		if (isSent && !isHarmless) {
			const what = `whether the cluster did what it was asked to do (${request.do}) is not known`;
			throw new UnknownOutcome(message, error as Error, what);
		}
		const isElsewhere = error instanceof Unavailable || error instanceof Forbidden;
		if (isElsewhere && !signal.aborted) return error;
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
