import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { timing } from './cluster.js';
import { Core } from './core.js';

/** Leads in term 1; peers 2 and 3 have everything. */
function leader(): Core {
	const core = new Core().leadCommitted();
	core.send(3, core.raft.lastIndex);
	core.receive('appendResponse', 3, { index: core.raft.lastIndex });
	return core;
}

/** Follows replica 2 in term 1, and has its first entry. */
function follower(): Core {
	const core = new Core().follow(1, { batches: [[1, 1]] });
	core.persisted(1);
	return core;
}

describe('a leader that hands over', () => {
	it('tells who has everything at once, and takes its request for a vote', () => {
		const core = leader();
		expect(core.transfer(3)).toEqual([{ is: 'timeoutNow', to: 3, term: 1, index: 1, logTerm: 1 }]);
		expect(core.raft.transfer).toMatchObject({ isHolding: true, successor: 3 });
		core.receive('vote', 3, { term: 2, index: 1, logTerm: 1, context: 1 });
		expect(core.output).toMatchObject({ role: Role.follower, successor: 3, vote: 3 });
	});

	it('goes on with proposals until the target has what was there when it was wished', () => {
		const core = leader();
		core.propose(3);
		core.send(2, 4);
		core.send(3, 4);
		expect(core.transfer(3)).toEqual([]);
		expect(core.raft.transfer?.isHolding).toBe(false);
		core.propose();
		core.receive('appendResponse', 3, { index: 4 });
		expect(core.raft.transfer).toMatchObject({ isHolding: true, isDue: false });
		core.send(3, 5);
		expect(core.raft.transfer?.isDue).toBe(true);
		expect(core.transfer(3)).toEqual([{ is: 'timeoutNow', to: 3, term: 1, index: 5, logTerm: 1 }]);
	});

	it('tells it again with each heartbeat, and goes on after one election time-out', () => {
		const core = leader();
		core.transfer(3);
		core.tick(timing.heartbeatMs);
		expect(core.raft.transfer?.isDue).toBe(true);
		let waited = timing.heartbeatMs;
		while (core.raft.transfer?.isHolding === true && waited < 1000) {
			core.receive('appendResponse', 2, { index: 1 });
			core.receive('appendResponse', 3, { index: 1 });
			waited += 10;
			core.tick(10);
		}
		expect(waited).toBe(timing.electionTimeoutMs);
		expect(core.output).toMatchObject({ transferFailed: true, role: Role.leader });
		// What was told can't be taken back.
		expect(core.raft.transfer).toMatchObject({ hasTold: true, successor: 0, target: 0 });
	});

	it('goes on at once when the target is gone, or can’t', () => {
		const core = leader();
		core.transfer(3);
		core.disconnected(3);
		expect(core.output.transferFailed).toBe(true);
		core.transfer(2);
		core.receive('timeoutNow', 3, { rejected: true });
		expect(core.raft.transfer?.target).toBe(2);
		core.receive('timeoutNow', 2, { rejected: true });
		expect(core.raft.transfer?.target).toBe(0);
	});

	it('gives up a target that answers no more, before anybody repeats the wish for ever', () => {
		const core = leader();
		core.transfer(3);
		core.tick(timing.heartbeatMs);
		expect(core.raft.transfer?.isDue).toBe(true);
		core.now += timing.electionTimeoutMs;
		expect(core.transfer(3)).toEqual([]);
		expect(core.output).toMatchObject({ refused: true, transferFailed: true });
		expect(core.raft.transfer).toMatchObject({ target: 0, isDue: false });
	});

	it('chooses who has most of those that answer', () => {
		const core = leader();
		core.propose();
		core.send(3, 2);
		core.receive('appendResponse', 3, { index: 2 });
		core.transfer(0);
		expect(core.raft.transfer?.target).toBe(3);
		// Another wish is about the same; but not one for somebody else.
		core.transfer(0);
		expect(core.output.refused).toBe(false);
		core.transfer(2);
		expect(core.output.refused).toBe(true);
	});

	it('doesn’t for a stranger, nor before its first entry, nor to who is silent', () => {
		const core = leader();
		core.transfer(7);
		expect(core.output.refused).toBe(true);
		core.tick(timing.electionTimeoutMs - 1);
		core.receive('appendResponse', 2, { index: 1 });
		core.tick(1);
		core.transfer(3);
		expect(core.output.refused).toBe(true);
	});

	it('answers a follower whose wish can’t be', () => {
		const core = leader();
		expect(core.receive('transfer', 2, { index: 7 })).toEqual([
			{ is: 'transfer', to: 2, term: 1, rejected: true },
		]);
		const sent = core.receive('transfer', 2, { index: 2 });
		expect(sent.map(({ is, to }) => [is, to])).toEqual([['timeoutNow', 2]]);
	});
});

describe('who is told to stand', () => {
	const now = { index: 1, logTerm: 1 };

	it('stands without asking first, and says why', () => {
		const core = follower();
		core.receive('timeoutNow', 2, now);
		expect(core.output).toMatchObject({ role: Role.candidate, term: 2, vote: 1 });
		const [request] = core.saved();
		expect(request).toMatchObject({ is: 'vote', term: 2, context: 1 });
	});

	it('rule 9: but the next time it stands, voters insist on their leader again', () => {
		const core = follower();
		core.receive('timeoutNow', 2, now);
		core.saved();
		core.wait();
		expect(core.raft.role).toBe(Role.preCandidate);
		core.receive('preVoteResponse', 3, { term: 3 });
		const [request] = core.saved();
		expect(request).toMatchObject({ is: 'vote', term: 3 });
		expect(request?.context).toBeUndefined();
	});

	it('rule 9: doesn’t for anybody but its leader of this term', () => {
		const core = follower();
		core.receive('timeoutNow', 3, now);
		core.receive('timeoutNow', 2, { ...now, term: 0 });
		expect(core.raft.role).toBe(Role.follower);
	});

	it('waits while it lacks some of the leader’s log, or has another one', () => {
		const core = follower();
		core.receive('timeoutNow', 2, { index: 2, logTerm: 1 });
		core.receive('timeoutNow', 2, { index: 1, logTerm: 0 });
		expect(core.raft.role).toBe(Role.follower);
	});

	it('rule 24: says no on probation', () => {
		const core = new Core({ probation: { question: 1, isNew: false }, log: [1] });
		for (const from of [2, 3]) {
			core.tick(timing.electionTimeoutMs);
			core.receive('standingResponse', from, { context: 1, index: 1, term: 1 });
		}
		core.saved();
		core.follow(1, { index: 1, logTerm: 1 });
		expect(core.raft.probation).toEqual([]);
		expect(core.receive('timeoutNow', 2, now)).toEqual([
			{ is: 'timeoutNow', to: 2, term: 1, rejected: true },
		]);
		expect(core.raft.role).toBe(Role.follower);
	});

	it('rule 10: says no while its disk is stalled', () => {
		const core = follower();
		core.receive('append', 2, { index: 1, logTerm: 1, batches: [[2, 1]] });
		for (let i = 0; i < 25; i += 1) {
			core.tick(10);
			core.receive('append', 2, { index: 2, logTerm: 1 });
		}
		core.receive('timeoutNow', 2, { index: 2, logTerm: 1 });
		expect(core.sent).toMatchObject([{ is: 'timeoutNow', rejected: true }]);
	});
});

describe('a voter', () => {
	it('doesn’t insist on a leader that wants another one; but who lacks something gets no vote', () => {
		const core = follower();
		core.receive('vote', 3, { term: 2, index: 0, context: 1 });
		expect(core.output).toMatchObject({ term: 2, vote: 0 });
		core.receive('vote', 3, { term: 2, index: 1, logTerm: 1, context: 1 });
		expect(core.output.vote).toBe(3);
	});
});

describe('a wish', () => {
	it('goes to the leader, if there is one', () => {
		const core = follower();
		expect(core.transfer(3)).toEqual([{ is: 'transfer', to: 2, term: 1, index: 3 }]);
		core.receive('transfer', 3, { rejected: true });
		expect(core.output.transferFailed).toBe(false);
		core.receive('transfer', 2, { rejected: true });
		expect(core.output.transferFailed).toBe(true);
		const lonely = new Core();
		lonely.transfer(3);
		expect(lonely.output.refused).toBe(true);
	});
});
