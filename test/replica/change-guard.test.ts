import { describe, expect, it } from 'vitest';
import type { PeerProgress } from '../../src/raft/progress.js';
import type { Raft } from '../../src/raft/raft.js';
import { ChangeGuard } from '../../src/replica/change-guard.js';
import type { Members } from '../../src/replica/members.js';

const OWN = 1;
const TIMEOUT_MS = 100;
const NOW = 1000;

type Known = Partial<Pick<PeerProgress, 'match' | 'contactAt' | 'isOnProbation'>>;

/** Replica 1 leads. Who isn't spoken of has answered just now, and is a voter. */
function guardOf(peers: Readonly<Record<number, Known>>): ChangeGuard {
	const progress = (id: number) => ({
		...{ match: 9, contactAt: NOW, isOnProbation: false },
		...peers[id],
	});
	const raft = { progress } as unknown as Raft;
	return new ChangeGuard({ raft, id: OWN, electionTimeoutMs: TIMEOUT_MS, now: () => NOW });
}

function joint(voters: readonly number[], outgoing: readonly number[]): Members {
	const members = (ids: readonly number[]) => ids.map((id) => ({ id, address: `r${id}:1` }));
	return { voters: members(voters), outgoing: members(outgoing), learners: [], removed: [] };
}

const silent = { contactAt: NOW - TIMEOUT_MS };
const neverHeard = { match: 0 };
const onProbation = { isOnProbation: true };

describe('which changes of the voters could not end', () => {
	it.each([
		['all are there', {}, [1, 3], [1, 2, 3]],
		['who is dead goes', { 2: silent }, [1, 3], [1, 2, 3]],
		['who is dead is replaced', { 3: silent }, [1, 2, 4], [1, 2, 3]],
		['who is on probation goes', { 2: onProbation }, [1, 3], [1, 2, 3]],
		['a majority is there', { 4: silent }, [1, 2, 3, 4], [1, 2, 3]],
		['only learners change', { 2: silent, 3: silent }, [1, 2, 3], []],
		[
			'the dead goes, whoever is on probation',
			{ 4: silent, 5: onProbation },
			[1, 2, 3, 5],
			[1, 2, 3, 4, 5],
		],
	])('%s: it may be', (_name, peers, voters, outgoing) => {
		expect(guardOf(peers).refusal(joint(voters, outgoing))).toBeNull();
	});

	it.each([
		['too few would be left', { 3: silent }, [1, 3], [1, 2, 3], 'replica 3 is not heard from'],
		['nor one never heard', { 4: neverHeard }, [1, 4], [1], 'replica 4 is not heard from'],
		[
			'one that can’t vote',
			{ 3: onProbation },
			[1, 3],
			[1, 2, 3],
			'could vote: replica 3 is on probation',
		],
		['the leader goes', { 3: silent }, [2, 3], [1, 2, 3], 'replica 3 is not heard from'],
		[
			'somebody waits for the answer of who goes',
			{ 4: onProbation },
			[1, 2, 4, 5],
			[1, 2, 3, 4, 5],
			'may need an answer of replica 3',
		],
	])('%s: refused', (_name, peers, voters, outgoing, why) => {
		expect(guardOf(peers).refusal(joint(voters, outgoing))).toContain(why);
	});
});
