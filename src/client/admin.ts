import { MillraceError, ProtocolError, Unavailable } from '../errors.js';
import type { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind, messageBody } from '../format/message.js';
import type { AdminReply, AdminRequest } from '../replica/types.js';
import type { Environment } from './environment.js';
import { Link } from './link.js';

/** Between two rounds of asking, while no leader is known. */
const RETRY_MS = 100;

/**
 * Asks the cluster to do something, over a connection of its own to one replica after the other: the first that can be
 * reached and knows a leader does it, or has it done.
 *
 * Errors: what the replica says, as a `MillraceError` with its code; `Unavailable`.
 */
export async function administer(
	environment: Environment,
	request: AdminRequest,
): Promise<Extract<AdminReply, { ok: true }>> {
	const { clock } = environment;
	const deadline = clock.now() + environment.timeoutMs;
	let last: Error = new Unavailable('no replica has answered');
	do {
		for (const id of [...environment.addresses.keys()]) {
			try {
				return await askOne(environment, id, request, deadline - clock.now());
			} catch (error) {
				last = error as Error;
				const { code } = error as MillraceError;
				const mayTryAnother = ['NOT_LEADER', 'STOPPED', 'UNAVAILABLE'].includes(code);
				if (!mayTryAnother) throw error;
			}
		}
		await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
	} while (clock.now() < deadline);
	throw last;
}

/** Asks this replica. */
function askOne(
	environment: Environment,
	id: number,
	request: AdminRequest,
	timeoutMs: number,
): Promise<Extract<AdminReply, { ok: true }>> {
	return new Promise((resolve, reject) => {
		const timer = environment.clock.after(Math.max(1, timeoutMs), () => {
			link.close();
			reject(new Unavailable(`replica ${id} did not answer in time`));
		});
		const link = new Link(environment, id, {
			ready: ({ outbound }) => {
				const message = emptyMessage(MessageFrameKind.adminRequest);
				message.group = environment.group;
				outbound.message(message, 0, new TextEncoder().encode(JSON.stringify(request)));
				outbound.flush();
			},
			message: (message, memory, offset) => {
				if (message.kind !== MessageFrameKind.adminReply) return;
				timer.cancel();
				link.close();
				const reply = readReply(memory, offset);
				if (reply === null)
					reject(new ProtocolError(`replica ${id} sent an answer that can't be read`));
				else if (reply.ok) resolve(reply);
				else reject(new MillraceError(reply.code, reply.message));
			},
			batch: () => true,
			written: () => {},
			lost: (reason) => {
				timer.cancel();
				reject(reason);
			},
		});
	});
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
