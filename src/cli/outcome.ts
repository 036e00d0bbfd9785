import { confirmedLeader } from '../client/ask-status.js';
import type { Client } from '../client/types.js';
import { MillraceError } from '../errors.js';
import type { ReplicaStatus } from '../replica/types.js';
import { oneLine } from './one-line.js';

const POLL_MS = 200;

/** It was sent, or had begun, and nobody has said what became of it. */
export function isUnknown(error: unknown): error is MillraceError {
	return error instanceof MillraceError && error.code === 'UNKNOWN_OUTCOME';
}

/**
 * Asks until the leader's word is what is, and null if that isn't so in time: a majority knows of no later leader; all that was in its
 * log when it was first asked is committed, so that nothing which it hasn't can be any more; and no change of the members is under way.
 */
async function settledLeader(
	client: Pick<Client, 'status'>,
	timeoutMs: number,
): Promise<ReplicaStatus | null> {
	const deadline = performance.now() + timeoutMs;
	let first: ReplicaStatus | null = null;
	for (;;) {
		const leader = confirmedLeader(await client.status());
		const isSame = first !== null && first.id === leader?.id && first.term === leader.term;
		if (!isSame) first = leader;
		else if (leader!.committed >= first!.last && leader!.members?.isPending !== true) return leader;
		if (performance.now() >= deadline) return null;
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}

/**
 * Finds out what became of something whose outcome isn't known. `isDone` looks at what is, so it doesn't matter who did it.
 * @returns what is, if it is done. Errors: it isn't, or nobody can tell; in words for who gave the command.
 */
export async function becameOf(
	unknown: MillraceError,
	client: Pick<Client, 'status'>,
	timeoutMs: number,
	isDone: (leader: ReplicaStatus) => boolean | null,
): Promise<ReplicaStatus> {
	process.stderr.write(`${oneLine(unknown.message)}; asking what became of it\n`);
	const leader = await settledLeader(client, timeoutMs);
	const done = leader === null ? null : isDone(leader);
	if (done === null) {
		const seconds = Math.ceil(timeoutMs / 1000);
		const why = `whether it was done is not known: nobody could tell within ${seconds} s`;
		throw new MillraceError('UNKNOWN_OUTCOME', why, { cause: unknown });
	}
	if (done) return leader!;
	const why = `it is not done, replica ${leader!.id} leads, and no change is under way: run it again`;
	throw new MillraceError('NOT_DONE', why, { cause: unknown });
}
