import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { Core } from './core.js';

const ack = (index: number) => {
	const head = { is: 'appendResponse', to: 2, term: 1 };
	return index === 0 ? head : { ...head, index };
};

describe('rule 1: no acknowledgement beyond the persisted index', () => {
	it('not for an append', () => {
		const core = new Core().follow();
		expect(core.receive('append', 2, { batches: [[3, 1]] })).toEqual([]);
		expect(core.persisted(3)).toEqual([ack(3)]);
	});

	it('not for a heartbeat while the write is under way', () => {
		const core = new Core().follow();
		core.receive('append', 2, { batches: [[3, 1]] });
		expect(core.receive('append', 2, { index: 3, logTerm: 1 })).toEqual([ack(0)]);
		core.persisted(3);
		expect(core.receive('append', 2, { index: 3, logTerm: 1 })).toEqual([ack(3)]);
	});

	it('not for the leader’s own count', () => {
		const core = new Core().lead();
		expect(core.raft.lastIndex).toBe(1);
		core.receive('appendResponse', 2, { index: 0 });
		expect(core.raft.committed).toBe(0);
		core.receive('appendResponse', 2, { index: 1 });
		expect(core.raft).toMatchObject({ committed: 0, persisted: 0 });
		core.persisted(1);
		expect(core.raft.committed).toBe(1);
	});

	it('not for a solitary voter either', () => {
		const core = new Core({ voters: [1] });
		core.tick();
		core.saved();
		core.propose();
		expect(core.raft.committed).toBe(0);
		core.persisted(1);
		expect(core.raft.committed).toBe(1);
	});

	it('one acknowledgement for all that one flush made durable', () => {
		const core = new Core().follow();
		core.receive('append', 2, { batches: [[1, 1]] });
		core.receive('append', 2, { index: 1, logTerm: 1, batches: [[2, 1]] });
		core.receive('append', 2, { index: 2, logTerm: 1, batches: [[7, 1]] });
		expect(core.persisted(2)).toEqual([ack(2)]);
		expect(core.persisted(7)).toEqual([ack(7)]);
	});
});

describe('rule 2: a follower acknowledges what it matched, never its last index', () => {
	it('the suffix of another leader isn’t acknowledged', () => {
		const core = new Core({ log: [1, 1, 1, 1] }).follow(2);
		const answer = { is: 'appendResponse', to: 2, term: 2, index: 2 };
		expect(core.receive('append', 2, { index: 2, logTerm: 1 })).toEqual([answer]);
		expect(core.receive('append', 2, { index: 1, logTerm: 1 })).toEqual([answer]);
	});

	it('nor when the disk gets to it', () => {
		const core = new Core({ term: 1 }).follow(1);
		core.receive('append', 2, { batches: [[1, 1]] });
		core.receive('append', 2, { index: 1, logTerm: 1, batches: [[5, 1]] });
		core.receive('append', 3, { term: 2, index: 1, logTerm: 1 });
		core.saved();
		const answer = { is: 'appendResponse', to: 3, term: 2, index: 1 };
		expect(core.persisted(5)).toEqual([answer]);
		expect(core.persisted(5)).toEqual([]);
	});

	it('what an earlier leader matched is void for the next', () => {
		const core = new Core({ log: [1, 1, 1] }).follow(1);
		core.receive('append', 2, { index: 3, logTerm: 1 });
		core.receive('append', 3, { term: 2, index: 1, logTerm: 1 });
		expect(core.saved()).toEqual([{ is: 'appendResponse', to: 3, term: 2, index: 1 }]);
	});

	it('and commits no further than it matched', () => {
		const core = new Core({ log: [1, 1, 1, 1] }).follow(2);
		core.receive('append', 2, { index: 2, logTerm: 1, commit: 4 });
		expect(core.raft.committed).toBe(2);
	});
});

describe('rule 3: only entries of the leader’s own term commit by counting', () => {
	it('an older entry on all disks waits for the no-op', () => {
		const core = new Core({ log: [1, 1, 2] }).lead();
		for (const peer of [2, 3]) core.receive('appendResponse', peer, { index: 3 });
		expect(core.raft.committed).toBe(0);
		core.persisted(4);
		core.receive('appendResponse', 2, { index: 4 });
		expect(core.raft.committed).toBe(4);
	});
});

describe('rule 6: a repeated or reordered append cuts nothing that matches', () => {
	const first = { batches: [[2, 1]] as const };
	const second = { index: 2, logTerm: 1, batches: [[3, 1]] as const };

	it('an old append that arrives late leaves the suffix', () => {
		const core = new Core().follow();
		core.receive('append', 2, first);
		core.receive('append', 2, second);
		core.receive('append', 2, first);
		expect(core.output).toMatchObject({ truncateTo: -1, appendFrom: -1 });
		expect(core.raft.lastIndex).toBe(3);
		core.receive('append', 2, { index: 2, logTerm: 1 });
		expect(core.raft.lastIndex).toBe(3);
	});

	it('of a run that overlaps, only what is new is appended', () => {
		const core = new Core().follow();
		core.receive('append', 2, first);
		const overlap = { batches: [[2, 1] as const, [3, 1] as const, [6, 1] as const] };
		core.receive('append', 2, overlap);
		expect(core.output).toMatchObject({ truncateTo: -1, appendFrom: 1 });
		expect(core.raft.lastIndex).toBe(6);
	});

	it('a repeated append that is durable is answered at once; one that isn’t, when it is', () => {
		const core = new Core().follow();
		core.receive('append', 2, first);
		expect(core.receive('append', 2, first)).toEqual([]);
		expect(core.persisted(2)).toEqual([ack(2)]);
		expect(core.receive('append', 2, first)).toEqual([ack(2)]);
	});

	it('the commit index never goes back', () => {
		const core = new Core().follow();
		core.receive('append', 2, { ...first, commit: 2 });
		core.receive('append', 2, { ...second, commit: 1 });
		expect(core.raft.committed).toBe(2);
		core.receive('append', 2, { commit: 0 });
		expect(core.raft.committed).toBe(2);
	});

	it('cut is from the first conflict on, and that is when the epoch changes', () => {
		const core = new Core({ log: [1, 1, 2, 2, 2] }).follow(3);
		core.receive('append', 2, {
			index: 1,
			logTerm: 1,
			batches: [[2, 1] as const, [3, 3] as const],
		});
		expect(core.output).toMatchObject({ truncateTo: 2, appendFrom: 1, epoch: 1 });
		expect(core.raft).toMatchObject({ lastIndex: 3, persisted: 2, epoch: 1 });
		expect(core.raft.termAt(3)).toBe(3);
	});

	it('a conflict with a committed entry must not exist', () => {
		const core = new Core({ log: [1, 1, 2], committed: 3 }).follow(3);
		const append = () => core.receive('append', 2, { index: 1, logTerm: 1, batches: [[2, 3]] });
		expect(append).toThrow('committed entries never differ');
	});

	it('two leaders in one term must not exist', () => {
		const core = new Core().follow(1);
		expect(() => core.receive('append', 3)).toThrow('a term has one leader');
	});
});

describe('rule 8: a completion of a range that was truncated since is ignored', () => {
	it('the same index may be another entry by now', () => {
		const core = new Core().follow(1);
		core.receive('append', 2, { batches: [[4, 1]] });
		const { epoch } = core.raft;
		core.receive('append', 3, { term: 2, batches: [[4, 2]] });
		expect(core.output).toMatchObject({ truncateTo: 0, appendFrom: 0, epoch: epoch + 1 });
		core.saved();
		expect(core.persisted(4, epoch)).toEqual([]);
		expect(core.raft.persisted).toBe(0);
		const answer = { is: 'appendResponse', to: 3, term: 2, index: 4 };
		expect(core.persisted(4, epoch + 1)).toEqual([answer]);
	});

	it('a completion that comes late, or twice, takes nothing back', () => {
		const core = new Core().follow(1);
		core.receive('append', 2, { batches: [[1, 1] as const, [2, 1] as const] });
		core.persisted(2);
		expect(core.persisted(1)).toEqual([]);
		expect(core.raft.persisted).toBe(2);
	});
});

describe('finding where the logs agree', () => {
	const rejection = (core: Core, index: number, logTerm: number) =>
		core.receive('append', 2, { index, logTerm })[0];

	it('a short log says where it ends', () => {
		const core = new Core({ log: [1, 1] }).follow(5);
		const hint = { rejected: true, index: 9, hintIndex: 2, hintTerm: 1 };
		expect(rejection(core, 9, 4)).toMatchObject(hint);
	});

	it('entries newer than what was asked for are skipped, a term at a time', () => {
		const core = new Core({ log: [1, 1, 2, 3, 3, 3, 4, 4] }).follow(5);
		expect(rejection(core, 7, 2)).toMatchObject({ hintIndex: 3, hintTerm: 2 });
	});

	it('never below what is committed', () => {
		const core = new Core({ log: [1, 3, 3, 3], committed: 2 }).follow(5);
		expect(rejection(core, 4, 2)).toMatchObject({ hintIndex: 2, hintTerm: 3 });
	});

	it('the leader skips its entries newer than the hint, a term at a time', () => {
		const core = new Core({ log: [1, 1, 2, 2, 5, 5, 5] }).lead();
		expect(core.raft.sendFrom(2)).toBe(8);
		const hint = { rejected: true, index: 7, hintIndex: 6, hintTerm: 3 };
		core.receive('appendResponse', 2, hint);
		expect(core.raft.sendFrom(2)).toBe(5);
	});

	it('an answer that was overtaken moves nothing', () => {
		const core = new Core({ log: [1, 1, 2, 2, 5, 5, 5] }).lead();
		const hint = { rejected: true, index: 7, hintIndex: 4, hintTerm: 2 };
		core.receive('appendResponse', 2, hint);
		core.receive('appendResponse', 2, { ...hint, hintIndex: 1, hintTerm: 1 });
		expect(core.raft.sendFrom(2)).toBe(5);
		core.receive('appendResponse', 2, { index: 6 });
		core.receive('appendResponse', 2, { rejected: true, index: 6, hintIndex: 3, hintTerm: 2 });
		expect(core.raft.sendFrom(2)).toBe(7);
	});

	it('an answer about more than this log has counts for nothing', () => {
		const core = new Core().lead();
		core.receive('appendResponse', 2, { index: 99 });
		expect(core.raft.progress(2)).toMatchObject({ match: 0 });
	});

	it('nor does a rejection that says the logs agree beyond what was asked', () => {
		const core = new Core({ log: [1, 1, 1] }).lead();
		core.propose();
		core.send(2, 5);
		core.receive('appendResponse', 2, { rejected: true, index: 2, hintIndex: 3, hintTerm: 1 });
		expect(core.raft.progress(2)).toMatchObject({ next: 6, match: 0 });
	});

	it('a hint within a batch is no place for a heartbeat, which might match half of it', () => {
		const core = new Core({ runs: [{ index: 1, term: 1 }], lastIndex: 9, term: 4 }).lead();
		core.receive('appendResponse', 2, { rejected: true, index: 9, hintIndex: 6, hintTerm: 3 });
		expect(core.raft.sendFrom(2)).toBe(7);
		core.tick(20);
		const heartbeat = core.sent.find(({ to }) => to === 2);
		expect(heartbeat).toEqual({ is: 'append', to: 2, term: 5 });
	});
});

describe('terms of others', () => {
	it('a leader of an old term is told the current one, and steps down by it', () => {
		const core = new Core({ term: 4 });
		const [answer] = core.receive('append', 3, { term: 2 });
		expect(answer).toEqual({ is: 'appendResponse', to: 3, term: 4, rejected: true });
		const leader = new Core().lead();
		leader.receive('appendResponse', 2, { term: 4, rejected: true });
		expect(leader.raft).toMatchObject({ role: Role.follower, term: 4, leader: 0 });
	});

	it('a candidate follows who won', () => {
		const core = new Core();
		core.wait();
		core.receive('append', 2, { term: 1 });
		expect(core.output).toMatchObject({ role: Role.follower, leader: 2, roleChanged: true });
	});

	it('what is for others, and what others than the members answer, is ignored', () => {
		const core = new Core().follow(1);
		for (const said of [{ group: 2 }, { to: 2 }]) {
			expect(core.receive('append', 2, { term: 9, ...said })).toEqual([]);
		}
		for (const kind of ['appendResponse', 'voteResponse', 'preVoteResponse'] as const) {
			expect(core.receive(kind, 9, { term: 9, rejected: true })).toEqual([]);
		}
		expect(core.raft.term).toBe(1);
	});

	it('a leader may be in a configuration that this replica has yet to get', () => {
		const core = new Core().follow(1);
		core.receive('append', 9, { term: 9 });
		expect(core.raft).toMatchObject({ term: 9, leader: 9 });
	});
});
