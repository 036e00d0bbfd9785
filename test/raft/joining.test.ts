import { describe, expect, it } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.js';
import { timing } from './cluster.js';
import { Core, type Said } from './core.js';

const QUESTION = 1000;
/** What an answerer says of somebody who is no voter to it. */
const NO_VOTER = 1;

/** Replica 1, whose disk is new, joins 2, 3 and 4. */
function joiner(): Core {
	const probation = { question: QUESTION, isNew: true, isJoining: true };
	return new Core({ probation, voters: [2, 3, 4] });
}

function answer(core: Core, from: number, said: Said): void {
	core.receive('standingResponse', from, { context: QUESTION, ...said });
}

describe('rule 24: who joins', () => {
	it('takes part when a majority of those it was told of says that it is no voter, and the rest may be dead', () => {
		const core = joiner();
		answer(core, 2, { term: 5, index: 9, hintTerm: NO_VOTER });
		expect(core.output.probationOver).toBe(false);
		answer(core, 3, { term: 4, index: 9, hintTerm: NO_VOTER });
		expect(core.output.probationOver).toBe(true);
		expect(core.raft).toMatchObject({ term: 0, vote: 0 });
		core.admitted();
		for (let i = 0; i < 40; i++) expect(core.tick(20)).toEqual([]);
	});

	it('takes no answer for it of somebody who can vouch for nothing', () => {
		const core = joiner();
		answer(core, 2, { index: 9, hintTerm: NO_VOTER });
		answer(core, 3, { index: 9, hintTerm: NO_VOTER, rejected: true });
		expect(core.output.probationOver).toBe(false);
	});

	it('who is known as a voter has lost its disk: it asks all, and catches up', () => {
		const core = joiner();
		answer(core, 2, { term: 5, index: 9 });
		answer(core, 3, { term: 4, index: 9, hintTerm: NO_VOTER });
		expect(core.output.probationOver).toBe(false);
		answer(core, 4, { term: 4, index: 9, hintTerm: NO_VOTER });
		expect(core.output.probationOver).toBe(false);
		expect(core.raft).toMatchObject({ term: 5, vote: 1, probation: [] });
	});

	it('makes no voter of itself where all logs are empty', () => {
		const core = joiner();
		for (const id of [2, 3, 4]) answer(core, id, {});
		expect(core.output.probationOver).toBe(false);
	});

	it('everybody says of a replica whether it is a voter, as far as is known', () => {
		const core = new Core();
		expect(core.receive('standing', 9)).toMatchObject([{ hintTerm: NO_VOTER }]);
		expect(core.receive('standing', 3)).toEqual([{ is: 'standingResponse', to: 3 }]);
		const joint = { voters: [1, 2, 9], outgoing: [1, 2, 3], learners: [] };
		core.follow(1, { batches: [[1, 1, joint]] });
		for (const id of [3, 9]) {
			expect(core.receive('standing', id)).toEqual([
				{ is: 'standingResponse', to: id, term: 1, index: 1 },
			]);
		}
	});
});

describe('rule 24: whom one on probation asks', () => {
	function lost(configuration: Configuration): Core {
		const core = new Core({ probation: { question: QUESTION, isNew: true } });
		answer(core, 2, { term: 3, index: 9 });
		answer(core, 3, { term: 3, index: 9 });
		core.saved();
		core.receive('append', 2, { term: 3, batches: [[1, 3, configuration]] });
		core.tick(timing.heartbeatMs);
		core.receive('standingResponse', 2, {
			term: 3,
			index: 1,
			context: QUESTION + 2,
			hintIndex: 1,
		});
		core.persisted(1);
		return core;
	}

	it('voters that the log tells of are asked, too, before it is done', () => {
		const core = lost({ voters: [1, 2, 5], outgoing: [], learners: [] });
		expect(core.output.probationOver).toBe(false);
		expect(core.raft.probation).toEqual([5]);
		expect(core.tick(timing.heartbeatMs)).toMatchObject([{ is: 'standing', to: 5 }]);
		core.receive('standingResponse', 5, { term: 3, index: 9, context: QUESTION + 2 });
		expect(core.output.probationOver).toBe(true);
	});

	it('where these are in a later term, it catches up with that one', () => {
		const core = lost({ voters: [1, 2, 5], outgoing: [], learners: [] });
		core.receive('standingResponse', 5, { term: 8, index: 9, context: QUESTION + 2 });
		expect(core.output.probationOver).toBe(false);
		expect(core.raft).toMatchObject({ term: 8, vote: 1 });
	});

	it('where the log tells of nobody new, it is done', () => {
		expect(lost({ voters: [1, 2, 3], outgoing: [], learners: [4] }).output.probationOver).toBe(
			true,
		);
	});
});

describe('a leader knows who is on probation', () => {
	it('by being asked for its standing, and by acknowledgements, which say when it is over', () => {
		const core = new Core().leadCommitted();
		const index = core.raft.lastIndex;
		expect(core.raft.progress(3)?.isOnProbation).toBe(false);
		core.receive('standing', 3, { context: QUESTION });
		expect(core.raft.progress(3)?.isOnProbation).toBe(true);
		core.receive('appendResponse', 3, { index, hintTerm: 1 });
		expect(core.raft.progress(3)?.isOnProbation).toBe(true);
		core.receive('appendResponse', 3, { index });
		expect(core.raft.progress(3)?.isOnProbation).toBe(false);
	});

	it('who is on probation says so with each acknowledgement, until it is a voter', () => {
		const core = new Core({ probation: { question: QUESTION, isNew: false } });
		for (const id of [2, 3]) answer(core, id, { term: 2, index: 1 });
		core.saved();
		core.receive('append', 2, { term: 2 });
		expect(core.sent).toMatchObject([{ is: 'appendResponse', hintTerm: 1 }]);
		core.admitted();
		expect(core.receive('append', 2, { term: 2 })).toEqual([
			{ is: 'appendResponse', to: 2, term: 2 },
		]);
	});
});
