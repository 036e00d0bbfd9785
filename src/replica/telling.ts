/** Events whose fields take some gathering. */
import { MillraceError } from '../errors.js';
import type { FieldsOf } from './events.js';
import type { ReplicaParts } from './open.js';
import { textOf } from './options.js';
import { canSnapshot } from './snapshots.js';
import { standingOf } from './status.js';
import type { RoleName } from './types.js';

/** The log is recovered, and this replica takes part. */
export function started(parts: ReplicaParts): void {
	const { settings, log, store, raft, chronicle } = parts;
	const { tornBytes, base, end } = log.recovered;
	chronicle.tell('', 'recovered', {
		first: base.index + 1,
		last: end.index,
		term: raft.term,
		tornBytes,
		snapshotIndex: store.latest?.index ?? 0,
	});
	chronicle.tell('', 'started', {
		cluster: settings.cluster,
		address: textOf(settings.addresses.get(settings.id)!),
		durability: settings.durability,
		standing: standingOf(parts),
	});
	warnOfNoWayBack(parts);
}

/** What a state machine in memory without snapshots was given comes back from the whole log only. */
function warnOfNoWayBack({ settings, machine, applier, chronicle }: ReplicaParts): void {
	const { retainBytes } = settings;
	if (retainBytes === Number.POSITIVE_INFINITY || canSnapshot(machine) || applier.isKept) return;
	const line =
		`its state machine neither keeps its state nor gives snapshots: once more than retainBytes (${retainBytes}) of ` +
		'log are there and the front is dropped, it can’t be opened again';
	chronicle.tell(line, 'state-not-kept', { retainBytes });
}

/** Another configuration is in force. */
export function members({ members: { current, index }, chronicle }: ReplicaParts): void {
	const idsOf = (of: readonly { readonly id: number }[]) => of.map(({ id }) => id);
	const { voters, outgoing, learners } = current;
	chronicle.tell('', 'members-changed', {
		index,
		voters: idsOf(voters),
		outgoing: idsOf(outgoing),
		learners: idsOf(learners),
	});
}

/** It led in `term`; `successor`: whom it told to lead instead, or 0. */
export function leadershipLost(parts: ReplicaParts, successor: number, term: number): void {
	const why = successor > 0 ? 'it was handed over' : whyLost(parts, term);
	parts.chronicle.tell('', 'leadership-lost', { term, why, successor });
}

function whyLost({ raft, settings, members }: ReplicaParts, term: number): string {
	if (raft.term > term) return 'there is a later term';
	const isVoter = members.current.voters.some(({ id }) => id === settings.id);
	return isVoter ? 'no majority answers' : 'it is no voter any more';
}

/** It is something else in its term now, or knows of another leader. */
export function role({ raft, chronicle }: ReplicaParts, role: RoleName): void {
	const { term, leader } = raft;
	const line = `${role} in term ${term}, leader ${leader === 0 ? 'unknown' : leader}`;
	chronicle.tell(line, `became-${role}`, { term, leader });
}

/** Replica `peer` needs what was dropped. */
export function behind({ chronicle }: ReplicaParts, peer: number): void {
	const line = `replica ${peer} needs entries that are not kept any more`;
	chronicle.tell(line, 'peer-behind', { peer });
}

/** A snapshot that was taken here is durable. */
export function taken({ chronicle }: ReplicaParts, taken: FieldsOf<'snapshot-taken'>): void {
	const { index, bytes, isFull } = taken;
	const what = isFull === true ? `${bytes} bytes` : 'the state is kept elsewhere';
	chronicle.tell(`has a snapshot up to ${index}: ${what}`, 'snapshot-taken', taken);
}

/** A leader's snapshot stands for everything up to its end. */
export function installed(
	{ chronicle }: ReplicaParts,
	installed: FieldsOf<'snapshot-installed'>,
): void {
	const { index, bytes } = installed;
	const line = `goes on from a snapshot up to ${index} that came from the leader: ${bytes} bytes`;
	chronicle.tell(line, 'snapshot-installed', installed);
}

/** It does nothing any more. */
export function stopped({ chronicle }: ReplicaParts, error: Error): void {
	const code = error instanceof MillraceError ? error.code : 'FAILED';
	const line = `stopped for good: ${error.message}`;
	chronicle.tell(line, 'stopped', { code, why: error.message });
}
