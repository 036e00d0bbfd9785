import type { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind, messageBody } from '../format/message.js';
import type { Member, ReplicaStatus } from '../replica/types.js';
import { ask } from './ask.js';
import type { Environment } from './environment.js';
import type { Link } from './link.js';
import type { PeerReport } from './types.js';

export const STATUS_TIMEOUT_MS = 2_000;

/** Asks one replica what it is doing, over a connection of its own. Rejects with the signal's reason alone. */
async function askReplica(
	environment: Environment,
	id: number,
	signal: AbortSignal | undefined,
): Promise<PeerReport> {
	const { host, port } = environment.addressOf(id);
	const address = `${host}:${port}`;
	try {
		const status = await ask(environment, id, {
			name: 'a status',
			send: (link) => requestStatus(environment, link, false),
			answer: MessageFrameKind.statusReply,
			read: readStatus,
			timeoutMs: Math.min(STATUS_TIMEOUT_MS, environment.timeoutMs),
			signal,
		});
		environment.learn(status);
		return { id, address, status, error: null };
	} catch (error) {
		signal?.throwIfAborted();
		return { id, address, status: null, error: error as Error };
	}
}

/** Errors: the signal's reason. */
export function askAll(environment: Environment, signal?: AbortSignal): Promise<PeerReport[]> {
	const ids = [...environment.addresses.keys()];
	return Promise.all(ids.map((id) => askReplica(environment, id, signal)));
}

/** Asks the replica on this connection; `follows`: it shall answer again when it knows of another leader or other members. */
export function requestStatus(environment: Environment, { outbound }: Link, follows = true): void {
	const request = emptyMessage(MessageFrameKind.statusRequest);
	request.group = environment.group;
	request.hintIndex = follows ? 1 : 0;
	outbound.message(request);
	outbound.flush();
}

/** All replicas that the one which says this knows of, by the addresses of their ports and of their gateways: some are of
 * use here. */
export function membersOf({ members, gateways }: ReplicaStatus): Member[] {
	const { voters = [], outgoing = [], learners = [] } = members ?? {};
	const others = Object.entries(gateways ?? {}).map(([id, address]) => ({
		id: Number(id),
		address,
	}));
	return [...outgoing, ...voters, ...learners, ...others];
}

const NUMBERS = ['id', 'leader', 'term', 'first', 'last', 'persisted', 'committed', 'applied'];

/** The status in a reply, or `null` if it isn't one. */
export function readStatus(memory: Memory, offset: number): ReplicaStatus | null {
	try {
		const status = JSON.parse(new TextDecoder().decode(messageBody(memory, offset)));
		const isStatus =
			typeof status.role === 'string' && NUMBERS.every((name) => Number.isInteger(status[name]));
		return isStatus ? status : null;
	} catch {
		return null;
	}
}

/** An index behind everything that was acknowledged before the replicas were asked; null if they can't tell: a leader has every
 * acknowledged entry. */
export function confirmedEnd(reports: readonly PeerReport[]): number | null {
	return confirmedLeader(reports)?.last ?? null;
}

/**
 * Who leads, in its own words, if nobody was elected later before the replicas were asked; null if they can't tell.
 *
 * That there was no later leader is known when a majority is at no later
 * term: to be elected, that one would have needed one of them.
 */
export function confirmedLeader(reports: readonly PeerReport[]): ReplicaStatus | null {
	const statuses = reports.flatMap(({ status }) => (status === null ? [] : [status]));
	const term = Math.max(...statuses.map((status) => status.term));
	const leader = statuses.find((status) => status.role === 'leader' && status.term === term);
	if (leader === undefined) return null;
	const asked = reports.map(({ id }) => id);
	const answered = reports.filter(({ status }) => status !== null).map(({ id }) => id);
	const { voters = asked.map((id) => ({ id })), outgoing = [] } = leader.members ?? {};
	const hasMajority = (of: readonly { readonly id: number }[]) =>
		of.filter(({ id }) => answered.includes(id)).length > of.length / 2;
	return hasMajority(voters) && (outgoing.length === 0 || hasMajority(outgoing)) ? leader : null;
}
