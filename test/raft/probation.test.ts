import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { timing } from './cluster.js';
import { Core, type Said } from './core.js';

const { heartbeatMs } = timing;
const QUESTION = 1000;

/** A core whose disk is as `isNew` says. */
function suspect(isNew: boolean, settings: ConstructorParameters<typeof Core>[0] = {}): Core {
	return new Core({ probation: { question: QUESTION, isNew }, ...settings });
}

/** Answers the question that is asked now. */
function answer(core: Core, from: number, said: Said): void {
	core.receive('standingResponse', from, { context: QUESTION, ...said });
}

/** A damaged replica that has heard from both others and follows replica 2 in term 5. */
function catchingUp(): Core {
	const core = suspect(false, { log: [1, 1] });
	answer(core, 2, { term: 5, index: 9 });
	answer(core, 3, { term: 4, index: 9 });
	core.saved();
	return core;
}

describe('asking', () => {
	it('asks all others, at every heartbeat, who have not vouched yet', () => {
		const core = suspect(true);
		const questions = [
			{ is: 'standing', to: 2, context: QUESTION },
			{ is: 'standing', to: 3, context: QUESTION },
		];
		expect(core.tick(1)).toEqual(questions);
		expect(core.tick(1)).toEqual([]);
		expect(core.tick(heartbeatMs)).toEqual(questions);
		answer(core, 2, { term: 3, index: 7, rejected: true });
		expect(core.tick(heartbeatMs)).toEqual(questions);
		answer(core, 2, { term: 3, index: 7 });
		expect(core.tick(heartbeatMs)).toEqual([questions[1]]);
		expect(core.raft.probation).toEqual([3]);
	});

	it('takes part in nothing else, however long it takes', () => {
		const core = suspect(false, { log: [1, 1] });
		const requests = [
			core.receive('append', 2, { term: 3, index: 2, logTerm: 1, batches: [[3, 3]] }),
			core.receive('preVote', 2, { term: 4, index: 9, logTerm: 3 }),
			core.receive('vote', 2, { term: 4, index: 9, logTerm: 3 }),
		];
		expect(requests).toEqual([[], [], []]);
		expect(core.raft).toMatchObject({ term: 1, vote: 0, lastIndex: 2, leader: 0 });
		for (let i = 0; i < 60; i += 1) core.tick();
		expect(core.raft.role).toBe(Role.follower);
	});

	it('does not take an answer to an earlier life', () => {
		const core = suspect(true);
		answer(core, 2, {});
		answer(core, 3, { context: QUESTION - 1 });
		expect(core.output.probationOver).toBe(false);
		answer(core, 3, {});
		expect(core.output.probationOver).toBe(true);
	});
});

describe('answering', () => {
	it('a voter vouches for its term and the end of its log', () => {
		const core = new Core({ log: [1, 2] });
		expect(core.receive('standing', 3, { term: 0, context: 77 })).toEqual([
			{ is: 'standingResponse', to: 3, term: 2, index: 2, context: 77 },
		]);
	});

	it('who asks itself vouches for nothing; and only a new disk says that there was nothing', () => {
		const ask = (core: Core) => core.receive('standing', 3, { context: 77 });
		const blank = { is: 'standingResponse', to: 3, context: 77 };
		expect(ask(suspect(true))).toEqual([{ ...blank, rejected: true }]);
		expect(ask(suspect(false))).toEqual([{ ...blank, rejected: true, index: 1 }]);
		expect(ask(catchingUp())).toEqual([{ ...blank, term: 5, index: 2 }]);
		const wiped = suspect(true);
		answer(wiped, 2, { term: 1, index: 1 });
		answer(wiped, 3, { term: 1 });
		expect(ask(wiped)).toEqual([{ ...blank, term: 1, index: 1 }]);
	});
});

describe('a new cluster', () => {
	it('begins when all have said that they are empty', () => {
		const core = suspect(true);
		answer(core, 2, { rejected: true });
		expect(core.output.probationOver).toBe(false);
		answer(core, 3, { rejected: true });
		expect(core.output).toMatchObject({ probationOver: true, saveHardState: false });
		core.tick();
		expect(core.output.probationOver).toBe(false);
		expect(core.wait()).toEqual([]);
		core.admitted();
		expect(core.raft.probation).toBeNull();
		expect(core.wait().map(({ is }) => is)).toEqual(['preVote', 'preVote']);
	});

	it('says that it is new as long as it is not a voter yet', () => {
		const core = suspect(true);
		answer(core, 2, { rejected: true });
		answer(core, 3, { rejected: true });
		const [said] = core.receive('standing', 3, { context: 1 });
		expect(said).toEqual({ is: 'standingResponse', to: 3, context: 1 });
	});

	it('is not one where anybody has an entry', () => {
		const core = suspect(true);
		answer(core, 2, { term: 1, index: 1 });
		answer(core, 3, { term: 1 });
		expect(core.output.probationOver).toBe(false);
		expect(core.raft.probation).toEqual([]);
	});

	it('an election of the time before the disk was lost binds: that vote is spent', () => {
		const core = suspect(true);
		answer(core, 2, { term: 3 });
		answer(core, 3, { term: 2 });
		expect(core.output).toMatchObject({ saveHardState: true, term: 3, vote: 1 });
		expect(core.output.probationOver).toBe(false);
		core.saved();
		expect(core.output.probationOver).toBe(true);
		core.admitted();
		expect(core.receive('vote', 3, { term: 3 })).toMatchObject([{ rejected: true }]);
		expect(core.receive('vote', 3, { term: 4 })).toEqual([]);
		expect(core.saved()).toMatchObject([{ is: 'voteResponse', to: 3, term: 4 }]);
	});

	it('a damaged disk is never taken for a new one', () => {
		const core = suspect(false);
		answer(core, 2, { rejected: true });
		answer(core, 3, { rejected: true });
		expect(core.output.probationOver).toBe(false);
		expect(core.raft.probation).toEqual([2, 3]);
	});
});

describe('the bound', () => {
	it('is the highest term of all others, one after the other', () => {
		const core = suspect(false, { log: [1, 1] });
		answer(core, 2, { term: 5, index: 9 });
		expect(core.raft.term).toBe(1);
		answer(core, 3, { term: 8, index: 9 });
		expect(core.output).toMatchObject({ saveHardState: true, term: 8, vote: 1 });
	});

	it('needs an answer of everyone, not of a majority', () => {
		const core = suspect(false, { voters: [1, 2, 3, 4, 5], log: [1, 1] });
		for (const id of [2, 3, 4]) answer(core, id, { term: 5, index: 9 });
		expect(core.raft).toMatchObject({ term: 1, probation: [5] });
		answer(core, 5, { term: 8, index: 2 });
		expect(core.raft).toMatchObject({ term: 8, probation: [] });
	});

	it('a vote that is known stays what it is; a later term of its own too', () => {
		const voted = suspect(false, { log: [1, 1], term: 5, vote: 3 });
		answer(voted, 2, { term: 5, index: 9 });
		answer(voted, 3, { term: 4, index: 9 });
		expect(voted.raft).toMatchObject({ term: 5, vote: 3 });
		const ahead = suspect(false, { log: [1, 1], term: 7 });
		answer(ahead, 2, { term: 5, index: 9 });
		answer(ahead, 3, { term: 4, index: 9 });
		expect(ahead.raft).toMatchObject({ term: 7, vote: 1 });
	});

	it('needs so many that are sure that each majority has one', () => {
		const voters = [1, 2, 3, 4, 5];
		const settle = (unsure: number) => {
			const core = suspect(true, { voters });
			for (const id of [2, 3, 4, 5]) {
				answer(core, id, { term: 2, index: 3, rejected: id < 2 + unsure });
			}
			return core.raft.probation?.length;
		};
		expect([settle(0), settle(1), settle(2)]).toEqual([0, 0, 2]);
		const three = suspect(true);
		answer(three, 2, { term: 2, index: 3 });
		answer(three, 3, { term: 2, index: 3, rejected: true });
		expect(three.raft.probation).toEqual([3]);
		answer(three, 3, { term: 2, index: 3 });
		expect(three.raft.probation).toEqual([]);
	});
});

describe('catching up', () => {
	it('follows and acknowledges, but neither votes nor stands', () => {
		const core = catchingUp();
		expect(core.receive('preVote', 3, { term: 9, index: 9, logTerm: 5 })).toMatchObject([
			{ is: 'preVoteResponse', rejected: true },
		]);
		expect(core.receive('vote', 3, { term: 9, index: 9, logTerm: 5 })).toEqual([]);
		expect(core.saved()).toEqual([]);
		expect(core.raft).toMatchObject({ term: 9, vote: 0 });
		expect(core.receive('append', 2, { term: 9, index: 2, logTerm: 1 })).toMatchObject([
			{ is: 'appendResponse', to: 2, index: 2 },
		]);
		for (let i = 0; i < 60; i += 1) core.tick();
		expect(core.raft.role).toBe(Role.follower);
	});

	it('refuses leaders of terms in which it may have promised something to another', () => {
		const core = catchingUp();
		expect(core.receive('append', 3, { term: 4, index: 2, logTerm: 1 })).toMatchObject([
			{ is: 'appendResponse', rejected: true, term: 5 },
		]);
	});

	it('asks the leader where its log ends, with another question than before', () => {
		const core = catchingUp();
		core.receive('append', 2, { term: 5, index: 2, logTerm: 1, commit: 2 });
		expect(core.output.probationOver).toBe(false);
		const [asked] = core.tick(heartbeatMs);
		expect(asked).toMatchObject({ is: 'standing', to: 2, term: 5 });
		expect(asked?.context).not.toBe(QUESTION);
		// What it said while it was asked for its term only was said too early.
		answer(core, 2, { term: 5, index: 2 });
		expect(core.output.probationOver).toBe(false);
		expect(core.tick(heartbeatMs)).toEqual([asked]);
	});

	it('is over when all of that is here, the leader’s, and durable', () => {
		const core = catchingUp();
		core.receive('append', 2, { term: 5, index: 2, logTerm: 1 });
		const [asked] = core.tick(heartbeatMs);
		core.receive('standingResponse', 2, {
			index: 4,
			hintIndex: 1,
			context: asked?.context as number,
		});
		const batches = [[3, 5] as const, [4, 5] as const];
		core.receive('append', 2, { index: 2, logTerm: 1, commit: 4, batches });
		expect(core.output.probationOver).toBe(false);
		core.persisted(3);
		expect(core.output.probationOver).toBe(false);
		core.persisted(4);
		expect(core.output.probationOver).toBe(true);
		core.admitted();
		expect(core.wait().map(({ is }) => is)).toEqual(['preVote', 'preVote']);
	});

	it('rule 24: is not over by what its leader says once that leads no more, and may have lost its log', () => {
		const core = catchingUp();
		core.receive('append', 2, { term: 5, index: 2, logTerm: 1 });
		const [asked] = core.tick(heartbeatMs);
		core.receive('standingResponse', 2, { index: 1, context: asked?.context as number });
		expect(core.output.probationOver).toBe(false);
	});

	it('asks again under another leader; what the last one said is void', () => {
		const core = catchingUp();
		core.receive('append', 2, { term: 5, index: 1, logTerm: 1 });
		const [first] = core.tick(heartbeatMs);
		core.receive('standingResponse', 2, {
			index: 2,
			hintIndex: 1,
			context: first?.context as number,
		});
		core.receive('append', 3, { term: 6, index: 2, logTerm: 1 });
		core.saved();
		expect(core.output.probationOver).toBe(false);
		const [second] = core.tick(heartbeatMs);
		expect(second).toMatchObject({ is: 'standing', to: 3, term: 6 });
		expect(second?.context).not.toBe(first?.context);
		core.receive('standingResponse', 3, {
			index: 2,
			hintIndex: 1,
			context: second?.context as number,
		});
		expect(core.output.probationOver).toBe(true);
	});

	it('asks voters that only the log has told of, and in their later term takes nobody for its leader', () => {
		const core = catchingUp();
		core.receive('append', 2, { term: 5, index: 2, logTerm: 1 });
		const [asked] = core.tick(heartbeatMs);
		core.receive('standingResponse', 2, {
			index: 3,
			hintIndex: 1,
			context: asked?.context as number,
		});
		const voters = { voters: [1, 2, 3, 4], outgoing: [], learners: [] };
		core.receive('append', 2, { index: 2, logTerm: 1, commit: 3, batches: [[3, 5, voters]] });
		core.persisted(3);
		expect(core.output.probationOver).toBe(false);
		const [again] = core.tick(heartbeatMs);
		expect(again).toMatchObject({ is: 'standing', to: 4 });
		expect(core.raft.leader).toBe(2);
		const context = again?.context as number;
		core.receive('standingResponse', 4, { term: 7, index: 3, context });
		expect(core.raft).toMatchObject({ term: 7, leader: 0 });
		core.saved();
		core.receive('append', 4, { term: 7, index: 3, logTerm: 5 });
		expect(core.raft.leader).toBe(4);
	});
});
