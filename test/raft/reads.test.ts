import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { Core } from './core.js';

const five = { voters: [1, 2, 3, 4, 5] };

function leaderOfFive(): Core {
	const core = new Core(five);
	core.wait();
	for (const peer of [2, 3]) core.receive('preVoteResponse', peer, { term: 1 });
	core.saved();
	for (const peer of [2, 3]) core.receive('voteResponse', peer);
	core.propose();
	core.persisted(1);
	for (const peer of [2, 3]) core.receive('appendResponse', peer, { index: 1 });
	return core;
}

describe('rule 16: a read waits for the term’s first commit and a quorum round that began after it', () => {
	it('a round is confirmed at the commit index of its start', () => {
		const core = new Core().leadCommitted();
		core.propose();
		core.persisted(2);
		expect(core.read()).toBe(1);
		expect(core.sent).toMatchObject([
			{ is: 'append', to: 2, context: 1 },
			{ is: 'append', to: 3, context: 1 },
		]);
		core.receive('appendResponse', 2, { index: 2, context: 1 });
		expect(core.output).toMatchObject({ readConfirmed: 1, readIndex: 1, committed: 2 });
	});

	it('before the first commit of the term, no round begins', () => {
		const core = new Core({ log: [1, 1], committed: 1 }).lead();
		expect(core.read()).toBe(1);
		expect(core.sent).toEqual([]);
		core.receive('appendResponse', 2, { index: 2 });
		core.tick(20);
		expect(core.sent[0]?.context ?? 0).toBe(0);
		core.persisted(3);
		core.receive('appendResponse', 2, { index: 3 });
		expect(core.output).toMatchObject({ committed: 3, readConfirmed: 0 });
		expect(core.sent).toMatchObject([{ context: 1 }, { context: 1 }]);
		core.receive('appendResponse', 3, { context: 1 });
		expect(core.output).toMatchObject({ readConfirmed: 1, readIndex: 3 });
	});

	it('a read that comes during a round joins the next, which begins when that one ends', () => {
		const core = new Core().leadCommitted();
		expect(core.read()).toBe(1);
		expect(core.read()).toBe(2);
		expect(core.sent).toEqual([]);
		expect(core.read()).toBe(2);
		core.receive('appendResponse', 2, { index: 1, context: 1 });
		expect(core.output.readConfirmed).toBe(1);
		expect(core.sent).toMatchObject([{ context: 2 }, { context: 2 }]);
		core.receive('appendResponse', 2, { index: 1, context: 1 });
		expect(core.output.readConfirmed).toBe(0);
		core.receive('appendResponse', 3, { index: 1, context: 2 });
		expect(core.output.readConfirmed).toBe(2);
		core.receive('appendResponse', 2, { index: 1, context: 2 });
		expect(core.output.readConfirmed).toBe(0);
	});

	it('each replica counts once', () => {
		const core = leaderOfFive();
		core.read();
		for (let i = 0; i < 4; i += 1) {
			core.receive('appendResponse', 2, { index: 1, context: 1 });
			expect(core.output.readConfirmed).toBe(0);
		}
		core.receive('appendResponse', 5, { context: 1 });
		expect(core.output.readConfirmed).toBe(1);
	});

	it('an answer to an older append confirms nothing, nor does one of an older term', () => {
		const core = new Core().leadCommitted();
		core.read();
		core.receive('appendResponse', 2, { index: 1, context: 0 });
		core.receive('appendResponse', 3, { context: 1, term: 0 });
		expect(core.output.readConfirmed).toBe(0);
	});

	it('a rejection confirms that this replica leads as well as an acknowledgement', () => {
		const core = new Core().leadCommitted();
		core.read();
		core.receive('appendResponse', 3, { rejected: true, index: 1, context: 1 });
		expect(core.output.readConfirmed).toBe(1);
	});

	it('a lost round is asked for again by heartbeats and appends', () => {
		const core = new Core().leadCommitted();
		core.read();
		core.propose();
		expect(core.send(2, 2)).toMatchObject([{ context: 1 }]);
		expect(core.tick(20)).toMatchObject([{ context: 1 }, { context: 1 }]);
	});

	it('a solitary voter answers in the same step, from its first commit on', () => {
		const core = new Core({ voters: [1] });
		core.tick();
		core.saved();
		core.propose();
		expect(core.read()).toBe(1);
		expect(core.output.readConfirmed).toBe(0);
		core.persisted(1);
		expect(core.output).toMatchObject({ readConfirmed: 1, readIndex: 1 });
		expect(core.read()).toBe(2);
		expect(core.output).toMatchObject({ readConfirmed: 2, readIndex: 1 });
	});
});

describe('rule 17: rounds are made by the leader, and never used twice', () => {
	it('not even by a later leadership of the same replica', () => {
		const core = new Core().leadCommitted();
		const rounds = [core.read(), core.read()];
		core.leadInVain();
		expect(core.output.readsFailed).toBe(true);
		core.leadCommitted();
		expect(core.raft).toMatchObject({ role: Role.leader, term: 2 });
		const round = core.read();
		expect(rounds).not.toContain(round);
		core.receive('appendResponse', 2, { index: 1, context: Math.max(...rounds) });
		expect(core.output.readConfirmed).toBe(0);
		core.receive('appendResponse', 2, { index: 1, context: round });
		expect(core.output.readConfirmed).toBe(round);
	});

	it('an answer to a round that was never begun counts as one to the latest', () => {
		const core = leaderOfFive();
		core.receive('appendResponse', 2, { index: 1, context: 99 });
		core.read();
		core.receive('appendResponse', 3, { index: 1, context: 1 });
		expect(core.output.readConfirmed).toBe(0);
	});
});

describe('a follower of a leader that reads', () => {
	it('answers with the highest round it saw from this leader', () => {
		const core = new Core().follow(1, { context: 4 });
		expect(core.receive('append', 2, { context: 2 })).toMatchObject([{ context: 4 }]);
		core.receive('append', 3, { term: 2, context: 1 });
		expect(core.saved()).toMatchObject([{ to: 3, context: 1 }]);
	});

	it('an acknowledgement that was held back for the disk carries the round', () => {
		const core = new Core().follow();
		core.receive('append', 2, { batches: [[1, 1]], context: 7 });
		expect(core.persisted(1)).toMatchObject([{ index: 1, context: 7 }]);
	});
});
