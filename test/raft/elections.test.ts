import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { timing } from './cluster.js';
import { Core } from './core.js';

const { electionTimeoutMs } = timing;

/** A core that stands in term 1, its own vote durable and its requests sent. */
function candidate(voters: readonly number[]): Core {
	const core = new Core({ voters });
	core.wait();
	for (const id of voters.slice(1)) {
		if (core.raft.role === Role.preCandidate) core.receive('preVoteResponse', id, { term: 1 });
	}
	core.saved();
	return core;
}

describe('standing for election', () => {
	it('waits between one and two time-outs, and not the same for every replica', () => {
		const waited = new Set<number>();
		for (let seed = 0; seed < 40; seed += 1) {
			const core = new Core({ seed });
			core.wait();
			expect(core.now).toBeGreaterThanOrEqual(electionTimeoutMs);
			expect(core.now).toBeLessThanOrEqual(2 * electionTimeoutMs);
			waited.add(core.now);
		}
		expect(waited.size).toBeGreaterThan(5);
	});

	it('asks first, without a new term', () => {
		const core = new Core({ log: [1, 1, 2] });
		expect(core.wait()).toEqual([
			{ is: 'preVote', to: 2, term: 3, index: 3, logTerm: 2 },
			{ is: 'preVote', to: 3, term: 3, index: 3, logTerm: 2 },
		]);
		expect(core.raft.term).toBe(2);
		expect(core.output.saveHardState).toBe(false);
	});

	it('a solitary voter elects itself at once, when its vote is durable', () => {
		const core = new Core({ voters: [1] });
		core.tick();
		expect(core.output).toMatchObject({
			saveHardState: true,
			term: 1,
			vote: 1,
			becameLeader: false,
		});
		core.saved();
		expect(core.output).toMatchObject({ becameLeader: true, role: Role.leader, leader: 1 });
	});

	it('a late tick judges nobody: what the others sent waits to be read', () => {
		const core = new Core().follow(1);
		core.tick(10 * electionTimeoutMs);
		expect(core.raft.role).toBe(Role.follower);
		core.receive('append', 2);
		core.tick();
		expect(core.raft.role).toBe(Role.follower);
	});

	it('a clock may have fractions, at birth too', () => {
		const core = new Core({ now: 0.7 });
		core.now = 0.7;
		core.tick(0);
		core.tick(0.2);
		expect(() => core.tick(-1)).toThrow('time never runs back');
	});

	it('but ticks that are always late judge in the end', () => {
		const core = new Core();
		core.tick(5 * electionTimeoutMs);
		core.tick(5 * electionTimeoutMs);
		expect(core.raft.role).toBe(Role.preCandidate);
	});
});

describe('rule 5: term and vote are durable before any message that depends on them', () => {
	it('a candidate asks for votes once its own is durable', () => {
		const core = new Core();
		core.wait();
		expect(core.receive('preVoteResponse', 2, { term: 1 })).toEqual([]);
		expect(core.output).toMatchObject({ saveHardState: true, term: 1, vote: 1 });
		expect(core.saved()).toEqual([
			{ is: 'vote', to: 2, term: 1 },
			{ is: 'vote', to: 3, term: 1 },
		]);
		expect(core.saved()).toEqual([]);
	});

	it('a vote is given once it is durable, and again if asked again', () => {
		const core = new Core();
		expect(core.receive('vote', 2, { term: 1 })).toEqual([]);
		expect(core.output).toMatchObject({ saveHardState: true, term: 1, vote: 2 });
		expect(core.receive('vote', 2)).toEqual([]);
		expect(core.output.saveHardState).toBe(false);
		expect(core.saved()).toEqual([{ is: 'voteResponse', to: 2, term: 1 }]);
		expect(core.receive('vote', 2)).toEqual([{ is: 'voteResponse', to: 2, term: 1 }]);
	});

	it('a vote in a term that is durable already waits for the disk too', () => {
		const core = new Core({ term: 1 });
		expect(core.receive('vote', 2)).toEqual([]);
		expect(core.output).toMatchObject({ saveHardState: true, term: 1, vote: 2 });
		expect(core.saved()).toEqual([{ is: 'voteResponse', to: 2, term: 1 }]);
	});

	it('an older hard state that becomes durable gives no vote', () => {
		const core = new Core();
		core.receive('voteResponse', 3, { term: 1, rejected: true });
		core.receive('vote', 2);
		expect(core.raft.vote).toBe(2);
		expect(core.saved(1, 0)).toEqual([]);
		expect(core.saved(1, 2)).toEqual([{ is: 'voteResponse', to: 2, term: 1 }]);
	});

	it('a heartbeat of a new term is answered once that term is durable', () => {
		const core = new Core();
		expect(core.receive('append', 2, { term: 1 })).toEqual([]);
		expect(core.saved()).toEqual([{ is: 'appendResponse', to: 2, term: 1 }]);
	});

	it('a rejection of a new term is left to the next heartbeat', () => {
		const core = new Core();
		expect(core.receive('append', 2, { term: 1, index: 4, logTerm: 1 })).toEqual([]);
		core.saved();
		const [rejection] = core.receive('append', 2, { index: 4, logTerm: 1 });
		expect(rejection).toMatchObject({ is: 'appendResponse', rejected: true, index: 4 });
	});

	it('even the news of a term waits until it is durable', () => {
		const core = new Core();
		core.receive('appendResponse', 3, { term: 5 });
		expect(core.receive('append', 2, { term: 4 })).toEqual([]);
		core.saved();
		const news = { to: 2, term: 5, rejected: true };
		expect(core.receive('append', 2, { term: 4 })).toEqual([{ is: 'appendResponse', ...news }]);
		expect(core.receive('vote', 2, { term: 4 })).toEqual([{ is: 'voteResponse', ...news }]);
	});

	it('entries and their term become durable together: one acknowledgement for both', () => {
		const core = new Core();
		core.receive('append', 2, { term: 1, batches: [[2, 1]] });
		expect(core.output).toMatchObject({ saveHardState: true, appendFrom: 0 });
		expect(core.saved()).toEqual([]);
		expect(core.persisted(2)).toEqual([{ is: 'appendResponse', to: 2, term: 1, index: 2 }]);
	});
});

describe('rule 4: a vote needs a log at least as up to date: term first, then index', () => {
	const cases: [string, number, number, boolean][] = [
		['the same log', 3, 2, true],
		['a longer log', 4, 2, true],
		['a shorter log of the same term', 2, 2, false],
		['a shorter log of a later term', 1, 3, true],
		['a longer log of an older term', 9, 1, false],
	];
	for (const [what, index, logTerm, isGranted] of cases) {
		it(`${what}: ${isGranted ? 'yes' : 'no'}`, () => {
			const core = new Core({ log: [1, 2, 2] });
			const [answer] = core.receive('preVote', 2, { term: 5, index, logTerm });
			expect(answer?.rejected ?? false).toBe(!isGranted);
			core.receive('vote', 2, { term: 5, index, logTerm });
			expect(core.raft.vote).toBe(isGranted ? 2 : 0);
			expect(core.raft.term).toBe(5);
		});
	}

	it('one vote in a term, however good the second candidate is', () => {
		const core = new Core();
		core.receive('vote', 2, { term: 1 });
		core.saved();
		const no = { is: 'voteResponse', to: 3, term: 1, rejected: true };
		expect(core.receive('vote', 3, { index: 9, logTerm: 1 })).toEqual([no]);
		expect(core.raft.vote).toBe(2);
	});

	it('a vote outlives a restart', () => {
		const core = new Core({ term: 3, vote: 2 });
		expect(core.receive('vote', 3)).toMatchObject([{ to: 3, rejected: true }]);
		expect(core.receive('vote', 2)).toEqual([{ is: 'voteResponse', to: 2, term: 3 }]);
	});
});

describe('rule 7: a majority of n is floor(n/2) + 1, and each replica counts once', () => {
	for (const [count, others] of [
		[2, 1],
		[3, 1],
		[4, 2],
		[5, 2],
	] as const) {
		it(`${count} voters: a candidate needs ${others} besides itself`, () => {
			const voters = [1, 2, 3, 4, 5].slice(0, count);
			const core = candidate(voters);
			for (let i = 0; i < others; i += 1) {
				expect(core.raft.role).toBe(Role.candidate);
				for (let times = 0; times < 5; times += 1) {
					if (core.raft.role === Role.candidate) core.receive('voteResponse', voters[i + 1]!);
				}
			}
			expect(core.raft.role).toBe(Role.leader);
		});
	}

	it('pre-votes count once, too', () => {
		const core = new Core({ voters: [1, 2, 3, 4, 5] });
		core.wait();
		for (let i = 0; i < 5; i += 1) core.receive('preVoteResponse', 2, { term: 1 });
		expect(core.raft.role).toBe(Role.preCandidate);
		core.receive('preVoteResponse', 3, { term: 1 });
		expect(core.raft.role).toBe(Role.candidate);
	});

	it('acknowledgements count once', () => {
		const core = new Core({ voters: [1, 2, 3, 4, 5] }).lead();
		core.receive('voteResponse', 3);
		core.persisted(1);
		for (let i = 0; i < 5; i += 1) core.receive('appendResponse', 2, { index: 1 });
		expect(core.raft.committed).toBe(0);
		core.receive('appendResponse', 4, { index: 1 });
		expect(core.raft.committed).toBe(1);
	});

	it('votes of strangers, of other groups and for others count for nothing', () => {
		const core = candidate([1, 2, 3]);
		core.receive('voteResponse', 7);
		core.receive('voteResponse', 1);
		core.receive('voteResponse', 2, { group: 9 });
		core.receive('voteResponse', 2, { to: 3 });
		core.receive('voteResponse', 2, { rejected: true });
		core.receive('voteResponse', 2, { term: 0 });
		expect(core.raft.role).toBe(Role.candidate);
	});
});

describe('rule 9: pre-vote checks the log and that no leader lives; with check-quorum', () => {
	it('nobody wants another leader within a time-out of hearing from this one', () => {
		const core = new Core().follow(1);
		core.tick(electionTimeoutMs - 1);
		const no = { is: 'preVoteResponse', to: 3, term: 1, rejected: true };
		expect(core.receive('preVote', 3, { term: 2, index: 9, logTerm: 1 })).toEqual([no]);
		core.tick(1);
		const yes = { is: 'preVoteResponse', to: 3, term: 2 };
		expect(core.receive('preVote', 3, { term: 2, index: 9, logTerm: 1 })).toEqual([yes]);
	});

	it('a vote of a higher term doesn’t depose a live leader, here or there', () => {
		const follower = new Core().follow(1);
		expect(follower.receive('vote', 3, { term: 9, index: 9, logTerm: 1 })).toEqual([]);
		expect(follower.raft.term).toBe(1);
		const leader = new Core().lead();
		expect(leader.receive('vote', 3, { term: 9, index: 9, logTerm: 1 })).toEqual([]);
		expect(leader.raft.role).toBe(Role.leader);
		const no = { is: 'preVoteResponse', to: 3, term: 1, rejected: true };
		expect(leader.receive('preVote', 3, { term: 9, index: 9, logTerm: 1 })).toEqual([no]);
	});

	it('a pre-vote leaves term, vote and election time alone', () => {
		const core = new Core();
		core.receive('preVote', 2, { term: 7 });
		expect(core.raft).toMatchObject({ term: 0, vote: 0, role: Role.follower });
		expect(core.output.saveHardState).toBe(false);
		expect(core.receive('preVote', 3, { term: 7 })).toMatchObject([{ term: 7, to: 3 }]);
	});

	it('a leader that hears no majority steps down, and its reads fail', () => {
		const core = new Core().leadCommitted();
		const since = core.now;
		core.read();
		core.leadInVain();
		expect(core.now - since).toBeLessThan(2 * electionTimeoutMs);
		expect(core.now - since).toBeGreaterThanOrEqual(electionTimeoutMs);
		expect(core.output).toMatchObject({ readsFailed: true, leader: 0, roleChanged: true });
		expect(core.raft.sendFrom(2)).toBe(0);
		expect(core.raft.progress(2)).toBeNull();
	});

	it('any answer of a majority keeps it in office, a rejection like another', () => {
		const core = new Core().leadCommitted();
		for (let i = 0; i < 50; i += 1) {
			core.tick();
			core.receive('appendResponse', 3, { rejected: true, index: 1 });
		}
		expect(core.raft.role).toBe(Role.leader);
	});

	it('a candidate learns of a higher term from whoever refuses', () => {
		const core = new Core();
		core.wait();
		core.receive('preVoteResponse', 2, { term: 6, rejected: true });
		expect(core.raft).toMatchObject({ term: 6, vote: 0, role: Role.follower });
		expect(core.output.saveHardState).toBe(true);
	});

	it('it doesn’t stand while its hard state is still being written', () => {
		const core = new Core();
		core.receive('vote', 2, { term: 1 });
		for (let i = 0; i < 60; i += 1) core.tick();
		expect(core.raft.role).toBe(Role.follower);
		core.saved();
		core.wait();
		expect(core.raft.role).toBe(Role.preCandidate);
	});
});

describe('rule 10: a leader whose own disk makes no progress steps down', () => {
	function heartbeats(core: Core, milliseconds: number): void {
		for (let passed = 0; passed < milliseconds; passed += 10) {
			core.tick();
			if (core.raft.role === Role.leader) core.receive('appendResponse', 2, { index: 1 });
		}
	}

	it('after two time-outs, although followers could go on without it', () => {
		const core = new Core().leadCommitted();
		core.propose();
		heartbeats(core, 2 * electionTimeoutMs);
		expect(core.raft.role).toBe(Role.leader);
		heartbeats(core, 30);
		expect(core.raft.role).toBe(Role.follower);
	});

	it('not while it gets on, and not while it has nothing to do', () => {
		const core = new Core().leadCommitted();
		heartbeats(core, 5 * electionTimeoutMs);
		for (let i = 0; i < 5; i += 1) core.propose();
		for (let index = 2; index <= 6; index += 1) {
			heartbeats(core, 1.5 * electionTimeoutMs);
			core.persisted(index);
		}
		expect(core.raft.role).toBe(Role.leader);
	});

	it('nor does one stand whose disk is stuck: it could not keep a term’s promises', () => {
		const core = new Core().follow(1, { batches: [[1, 1]] });
		for (let passed = 0; passed <= 2 * electionTimeoutMs; passed += 10) {
			core.tick(10);
			core.receive('append', 2, { index: 1, logTerm: 1 });
		}
		for (let passed = 0; passed < 4 * electionTimeoutMs; passed += 10) core.tick(10);
		expect(core.raft.role).toBe(Role.follower);
		core.persisted(1);
		core.wait();
		expect(core.raft.role).toBe(Role.preCandidate);
	});
});
