import { describe, expect, it } from 'vitest';
import { ProgressState } from '../../src/raft/progress.js';
import { Role } from '../../src/raft/types.js';
import { Core } from './core.js';

describe('what a leader proposes', () => {
	it('the no-op comes first; then batches get the indexes that follow', () => {
		const core = new Core({ log: [1, 1] }).lead();
		expect(core.output).toMatchObject({ firstIndex: 3, term: 2, wakeSenders: true });
		expect(core.propose(5)).toBe(4);
		expect(core.propose()).toBe(9);
		expect(core.raft.lastIndex).toBe(9);
	});

	it('a first batch of several entries is no no-op', () => {
		const core = new Core();
		core.wait();
		core.receive('preVoteResponse', 2, { term: 1 });
		core.saved();
		core.receive('voteResponse', 2);
		expect(core.output.becameLeader).toBe(true);
		expect(() => core.propose(2)).toThrow('no-op');
	});

	it('nobody else proposes, sends or reads', () => {
		const core = new Core().follow(1);
		core.propose();
		expect(core.output).toMatchObject({ refused: true, firstIndex: 0 });
		core.read();
		// That a follower asks its leader; who knows none can't.
		expect(core.output).toMatchObject({ refused: false, messageCount: 1 });
		core.send(2, 1);
		expect(core.output).toMatchObject({ refused: true, messageCount: 0 });
	});
});

describe('sending to a peer', () => {
	it('the head names the entry before, the commit index and nothing else', () => {
		const core = new Core({ log: [1, 1] }).lead();
		const head = { is: 'append', to: 2, term: 2, index: 2, logTerm: 1 };
		expect(core.send(2, 3)).toEqual([head]);
	});

	it('while probing, one append is under way until it is answered', () => {
		const core = new Core().lead();
		core.propose();
		core.send(2, 1);
		expect(core.raft.sendFrom(2)).toBe(0);
		core.send(2, 2);
		expect(core.output.refused).toBe(true);
		core.receive('appendResponse', 2, { index: 1 });
		expect(core.output.wakeSenders).toBe(true);
		expect(core.raft.sendFrom(2)).toBe(2);
		expect(core.raft.progress(2)).toMatchObject({ state: ProgressState.replicate, match: 1 });
	});

	it('a lost probe is made up for by the next heartbeat', () => {
		const core = new Core().lead();
		core.send(2, 1);
		core.tick(20);
		expect(core.sent).toContainEqual({ is: 'append', to: 2, term: 1, index: 1, logTerm: 1 });
		core.receive('appendResponse', 2, { rejected: true, index: 1 });
		expect(core.raft.sendFrom(2)).toBe(1);
	});

	it('once the logs agree, appends don’t wait, up to a number of messages', () => {
		const core = new Core({ inflightMessagesMax: 3 }).leadCommitted();
		for (let i = 0; i < 5; i += 1) core.propose();
		for (const index of [2, 3, 4]) {
			expect(core.raft.sendFrom(2)).toBe(index);
			core.send(2, index);
		}
		expect(core.raft.sendFrom(2)).toBe(0);
		core.receive('appendResponse', 2, { index: 3 });
		expect(core.raft.sendFrom(2)).toBe(5);
		expect(core.raft.progress(2)).toMatchObject({ match: 3, next: 5, inflightMessages: 1 });
	});

	it('and up to a number of bytes, which the last batch may exceed', () => {
		const core = new Core({ inflightBytesMax: 100 }).leadCommitted();
		for (let i = 0; i < 5; i += 1) core.propose();
		core.send(2, 2, 60);
		expect(core.raft.sendBytesMax(2)).toBe(40);
		core.send(2, 3, 70);
		expect(core.raft.sendBytesMax(2)).toBe(0);
		expect(core.raft.sendFrom(2)).toBe(0);
		core.receive('appendResponse', 2, { index: 2 });
		expect(core.raft.sendBytesMax(2)).toBe(30);
		expect(core.raft.sendFrom(2)).toBe(4);
		core.receive('appendResponse', 2, { index: 3 });
		expect(core.raft.progress(2)).toMatchObject({ inflightBytes: 0, inflightMessages: 0 });
	});

	it('the window’s ring goes round and round', () => {
		const core = new Core({ inflightMessagesMax: 3, inflightBytesMax: 1000 }).leadCommitted();
		for (let index = 2; index < 50; index += 1) {
			core.propose();
			core.send(2, index, index);
			if (index > 3) core.receive('appendResponse', 2, { index: index - 2 });
			if (index > 3) expect(core.raft.progress(2)?.inflightBytes).toBe(2 * index - 1);
		}
	});

	it('a lost stream: what was in flight is sent again, one by one at first', () => {
		const core = new Core().leadCommitted();
		for (let i = 0; i < 3; i += 1) core.propose();
		core.send(2, 2);
		core.send(2, 4);
		core.disconnected(2);
		expect(core.output.wakeSenders).toBe(true);
		expect(core.raft.sendFrom(2)).toBe(2);
		expect(core.raft.progress(2)).toMatchObject({ state: ProgressState.probe, inflightBytes: 0 });
	});

	it('a lost stream to a peer that never answered says nothing about its log', () => {
		const core = new Core({ log: [1, 1, 1, 1] }).lead();
		core.propose();
		core.send(2, 5);
		core.disconnected(2);
		expect(core.raft.sendFrom(2)).toBe(0);
		core.propose();
		expect(core.raft.sendFrom(2)).toBe(7);
	});

	it('a rejection in full flow: back to probing, behind what is known', () => {
		const core = new Core().leadCommitted();
		for (let i = 0; i < 4; i += 1) core.propose();
		core.send(2, 2);
		core.send(2, 4);
		core.receive('appendResponse', 2, { rejected: true, index: 2, hintIndex: 0 });
		expect(core.raft.progress(2)).toMatchObject({ state: ProgressState.probe, next: 2, match: 1 });
	});

	it('entries that were dropped need a snapshot; heartbeats go on, and match whatever is there', () => {
		const core = new Core({ log: [1, 1, 1], committed: 3 }).leadCommitted();
		core.compacted(2);
		core.receive('appendResponse', 3, { rejected: true, index: 3, hintIndex: 0 });
		expect(core.raft.needsSnapshot(3)).toBe(true);
		expect(core.raft.needsSnapshot(2)).toBe(false);
		expect(core.raft.sendFrom(3)).toBe(0);
		core.tick(20);
		expect(core.sent).toContainEqual({ is: 'append', to: 3, term: 2, commit: 4 });
		core.receive('appendResponse', 3, { index: 2 });
		expect(core.raft.needsSnapshot(3)).toBe(false);
		expect(core.raft.sendFrom(3)).toBe(3);
	});

	it('such a heartbeat is answered with what is committed, not with what isn’t matched', () => {
		const core = new Core({ log: [1, 1, 1], committed: 2 }).follow(2);
		core.compacted(1);
		const answer = { is: 'appendResponse', to: 2, term: 2, index: 2 };
		expect(core.receive('append', 2, { commit: 9 })).toEqual([answer]);
		expect(core.raft.committed).toBe(2);
	});

	it('heartbeats carry the commit index to idle followers', () => {
		const core = new Core().leadCommitted();
		expect(core.tick(20)).toContainEqual({
			is: 'append',
			to: 2,
			term: 1,
			index: 1,
			logTerm: 1,
			commit: 1,
		});
	});
});

describe('a follower whose log begins later', () => {
	it('skips batches that it dropped, and takes what follows', () => {
		const core = new Core({
			compactedIndex: 5,
			compactedTerm: 1,
			runs: [{ index: 6, term: 1 }],
			lastIndex: 7,
			term: 1,
			committed: 6,
		}).follow(1);
		const batches = [[3, 1] as const, [6, 1] as const, [7, 1] as const, [9, 1] as const];
		core.receive('append', 2, { index: 2, logTerm: 1, batches });
		expect(core.output).toMatchObject({ truncateTo: -1, appendFrom: 3 });
		expect(core.raft).toMatchObject({ lastIndex: 9, role: Role.follower, compacted: 5 });
	});

	it('forgets what it drops, but for the last term', () => {
		const core = new Core({ log: [1, 1, 2, 2, 3], committed: 4 });
		core.compacted(4);
		expect([2, 3, 4, 5, 6].map((index) => core.raft.termAt(index))).toEqual([-1, -1, 2, 3, -1]);
		expect(() => core.compacted(5)).toThrow('only what is committed');
	});
});
