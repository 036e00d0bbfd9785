import { assert } from '../assert.js';
import type { Raft } from './raft.js';
import { Role } from './types.js';

/** Asserts what binds a role to everything else. */
export function assertRole(
	{ role, leader, vote, probation }: Raft,
	id: number,
	leadership: object | null,
	votes: object | null,
	isSaved: boolean,
): void {
	const isCandidate = role === Role.preCandidate || role === Role.candidate;
	assert((role === Role.leader) === (leadership !== null), 'only a leader has progress');
	assert(isCandidate === (votes !== null), 'only a candidate counts votes');
	assert(!isCandidate || leader === 0, 'a candidate knows no leader');
	assert((role === Role.leader) === (leader === id), 'a leader knows itself');
	const hasStood = role === Role.candidate || role === Role.leader;
	assert(!hasStood || vote === id, 'a candidate voted for itself');
	assert(role !== Role.leader || isSaved, 'a leader’s term is durable');
	assert(probation === null || role === Role.follower, 'who is on probation doesn’t stand');
}
