import { expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { Core } from './core.js';

const hasUpTo = (index: number, term = 3) => [{ is: 'appendResponse', to: 2, term, index }];

/** Follows replica 2 in term 3; what it has was made by others, and nothing of it is known to be committed. */
const following = (...log: number[]) => new Core({ log, term: 3 }).follow(3);

it('rule 12: a conflicting entry at the snapshot’s own last index is dropped, and all that is behind it', () => {
	const core = following(1, 1, 2, 2, 2);
	expect(core.installed(4, 3)).toEqual(hasUpTo(4));
	expect(core.output).toMatchObject({ resetTo: 4, truncateTo: -1, appendFrom: -1, committed: 4 });
	expect(core.raft).toMatchObject({ lastIndex: 4, persisted: 4, compacted: 4, committed: 4 });
	expect([3, 4, 5].map((index) => core.raft.termAt(index))).toEqual([-1, 3, -1]);
});

it('rule 12: a log that ends before the snapshot begins anew behind it', () => {
	const core = following(1);
	expect(core.installed(9, 2)).toEqual(hasUpTo(9));
	expect(core.output.resetTo).toBe(9);
	expect(core.raft).toMatchObject({ lastIndex: 9, persisted: 9, compacted: 9, committed: 9 });
});

it('rule 12: what is behind a matching entry is kept', () => {
	const core = following(1, 1, 2, 2, 2);
	expect(core.installed(4, 2)).toEqual(hasUpTo(4));
	expect(core.output).toMatchObject({ resetTo: -1, committed: 4 });
	expect(core.raft).toMatchObject({ lastIndex: 5, persisted: 5, compacted: 0, committed: 4 });
});

it('rule 1: what matches and isn’t durable in the log yet is not acknowledged by the snapshot', () => {
	const core = following(1);
	core.receive('append', 2, {
		index: 1,
		logTerm: 1,
		batches: [
			[2, 3],
			[4, 3],
		],
	});
	expect(core.installed(2, 3)).toEqual(hasUpTo(1));
	expect(core.raft).toMatchObject({ committed: 2, persisted: 1, lastIndex: 4 });
	expect(core.persisted(4)).toEqual(hasUpTo(4));
});

it('rule 12: one that brings nothing new changes nothing, however often it comes', () => {
	const core = following(1, 1);
	core.installed(5, 3);
	core.receive('append', 2, {
		index: 5,
		logTerm: 3,
		batches: [[6, 3] as const, [7, 3]],
		commit: 6,
	});
	for (const [index, term] of [
		[5, 3],
		[6, 3],
		[2, 1],
	] as const) {
		expect(core.installed(index, term)).toEqual([]);
		expect(core.output.resetTo).toBe(-1);
		expect(core.raft).toMatchObject({ lastIndex: 7, committed: 6, compacted: 5 });
	}
});

it('rule 8: a completion of the log before doesn’t count in the new one', () => {
	const core = following(1);
	core.receive('append', 2, { index: 1, logTerm: 1, batches: [[9, 2]] });
	const { epoch } = core.raft;
	// Another leader, whose log is another one.
	core.receive('append', 3, { term: 4 });
	core.saved();
	core.installed(5, 4);
	core.receive('append', 3, { index: 5, logTerm: 4, batches: [[9, 4]] });
	expect(core.persisted(9, epoch)).toEqual([]);
	expect(core.raft.persisted).toBe(5);
	expect(core.persisted(9)).toEqual([{ is: 'appendResponse', to: 3, term: 4, index: 9 }]);
});

it('a leader goes on behind the snapshot once it is acknowledged, and sends none again', () => {
	const core = new Core({ log: [1, 1, 1], committed: 3 }).leadCommitted();
	core.compacted(3);
	core.receive('appendResponse', 3, { rejected: true, index: 3, hintIndex: 0 });
	expect(core.raft.needsSnapshot(3)).toBe(true);
	// Heartbeats go on meanwhile, and are answered.
	core.tick(20);
	expect(core.sent).toContainEqual({ is: 'append', to: 3, term: 2, commit: 4 });
	core.receive('appendResponse', 3, { index: 0 });
	expect(core.raft.needsSnapshot(3)).toBe(true);
	core.receive('appendResponse', 3, { index: 3 });
	expect(core.raft.needsSnapshot(3)).toBe(false);
	expect(core.raft.sendFrom(3)).toBe(4);
});

it('a leader takes none: it has all that was ever committed', () => {
	const core = new Core({ log: [1, 1] }).lead();
	core.installed(2, 1);
	expect(core.output.resetTo).toBe(-1);
	expect(core.raft).toMatchObject({ role: Role.leader, committed: 0, lastIndex: 3 });
});

it('without a leader it is taken, and nobody is told', () => {
	const core = new Core({ log: [1], term: 3 });
	expect(core.installed(4, 3)).toEqual([]);
	expect(core.raft).toMatchObject({ lastIndex: 4, committed: 4, leader: 0 });
	expect(core.receive('append', 3, { index: 4, logTerm: 3, term: 4 })).toEqual([]);
	expect(core.saved()).toEqual(hasUpTo(4, 4).map((answer) => ({ ...answer, to: 3 })));
});

it('rule 24: a replica on probation has caught up by a snapshot, too', () => {
	const core = new Core({ probation: { question: 7, isNew: true } });
	core.tick(20);
	for (const peer of [2, 3])
		core.receive('standingResponse', peer, { term: 2, index: 9, context: 7 });
	core.saved();
	core.receive('append', 2, { term: 3, index: 8, logTerm: 2 });
	core.saved();
	core.tick(20);
	core.receive('standingResponse', 2, { hintIndex: 1, index: 9, context: 9 });
	expect(core.raft.probation).toEqual([]);
	core.installed(8, 3);
	expect(core.output.probationOver).toBe(false);
	core.receive('append', 2, { index: 8, logTerm: 3, batches: [[9, 3]] });
	core.persisted(9);
	expect(core.output.probationOver).toBe(true);
});
