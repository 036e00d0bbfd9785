import { isMember } from './configuration.js';
import type { Raft } from './raft.js';
import { type Message, MessageKind, type RaftOptions } from './types.js';

/**
 * Is the message to be heard at all? Who asks may be of a configuration that this replica hasn't got yet: a candidate,
 * or a leader, that is in that one only is judged by what it says. An answer counts only if it comes from somebody
 * who is asked (a leader asks those, too, who are about to leave); who was removed tells nobody its term.
 */
export function isHeard(
	{ kind, group, from, to }: Message,
	options: RaftOptions,
	raft: Raft,
): boolean {
	if (group !== options.group || to !== options.id || from === options.id) return false;
	return raft.progress(from) !== null || isRequest(kind) || isMember(raft.configuration, from);
}

function isRequest(kind: MessageKind): boolean {
	return (
		kind === MessageKind.append ||
		kind === MessageKind.preVote ||
		kind === MessageKind.vote ||
		kind === MessageKind.standing ||
		kind === MessageKind.timeoutNow
	);
}
