import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { timing } from './cluster.js';
import { Core } from './core.js';

const { electionTimeoutMs, heartbeatMs } = timing;
const leases = { leaseDriftMax: 0.1 };

/** Leads; replica 2 has answered the round that a heartbeat began at `sentAt`, and promised this much. */
function leader(promisedMs = electionTimeoutMs, settings = leases) {
	const core = new Core({ ...settings, electionTimeoutMs: 250 }).leadCommitted();
	core.tick(heartbeatMs);
	const sentAt = core.now;
	const context = core.sent[0]!.context!;
	core.now += 7;
	core.receive('appendResponse', 2, { index: 1, context, commit: promisedMs });
	return { core, sentAt, context };
}

const leased = (core: Core, now: number) => core.raft.leasedIndex(now) !== -1;

describe('rule 18: a lease', () => {
	it('counts from when the round began, by the least that a majority promised, less the drift', () => {
		const { core, sentAt } = leader();
		const ms = Math.floor((electionTimeoutMs - 1) * 0.9);
		expect(core.raft.leasedIndex(sentAt + ms - 0.001)).toBe(1);
		expect(leased(core, sentAt + ms)).toBe(false);
		// By the clock of a voter that goes as much faster as it may, its promise has not ended before.
		expect(ms / 0.9).toBeLessThanOrEqual(electionTimeoutMs - 1);
	});

	it('needs the answers of a majority, each to the very round or a later one', () => {
		const five = new Core({ ...leases, voters: [1, 2, 3, 4, 5] });
		five.wait();
		for (const peer of [2, 3]) five.receive('preVoteResponse', peer, { term: 1 });
		five.saved();
		for (const peer of [2, 3]) five.receive('voteResponse', peer);
		five.propose();
		five.persisted(1);
		for (const peer of [2, 3]) five.receive('appendResponse', peer, { index: 1 });
		const [head] = five.tick(heartbeatMs);
		const answer = (peer: number, context: number) =>
			five.receive('appendResponse', peer, { index: 1, context, commit: electionTimeoutMs });
		answer(2, head!.context!);
		answer(2, head!.context!);
		answer(4, head!.context! - 1);
		expect(leased(five, five.now)).toBe(false);
		five.receive('appendResponse', 5, { index: 1, context: head!.context! });
		// The round is confirmed, but of those that answered it too few have promised anything.
		expect(five.output.readConfirmed).toBe(head!.context!);
		expect(leased(five, five.now)).toBe(false);
		const [next] = five.tick(heartbeatMs);
		answer(5, next!.context!);
		answer(3, next!.context!);
		expect(leased(five, five.now)).toBe(true);
	});

	it('is not given by those who promise nothing, nor for longer than they promise', () => {
		const silent = leader(0);
		expect(leased(silent.core, silent.core.now)).toBe(false);
		const { core, sentAt } = leader(31);
		expect(leased(core, sentAt + 26)).toBe(true);
		expect(leased(core, sentAt + 27)).toBe(false);
		// Whatever a voter says, this replica's own time-out is the most.
		const liar = leader(2 ** 40);
		expect(leased(liar.core, liar.sentAt + 223)).toBe(true);
		expect(leased(liar.core, liar.sentAt + 224)).toBe(false);
	});

	it('is renewed by each heartbeat, though nobody reads', () => {
		const { core, context } = leader();
		const [head] = core.tick(heartbeatMs);
		expect(head?.context).toBe(context + 1);
		const sentAt = core.now;
		core.receive('appendResponse', 3, { index: 1, context: context + 1, commit: 100 });
		expect(leased(core, sentAt + 88)).toBe(true);
	});

	it('is not renewed by an answer to an earlier round, however late it comes', () => {
		const { core, sentAt, context } = leader();
		core.tick(heartbeatMs);
		core.receive('appendResponse', 3, { index: 1, context, commit: electionTimeoutMs });
		expect(leased(core, sentAt + 89)).toBe(false);
	});

	it('says nothing before the term’s first commit', () => {
		const core = new Core({ ...leases, log: [1], committed: 1 }).lead();
		core.tick(heartbeatMs);
		core.receive('appendResponse', 2, { index: 1, context: 1, commit: 100 });
		core.receive('appendResponse', 3, { index: 1, context: 1, commit: 100 });
		expect(leased(core, core.now)).toBe(false);
	});

	it('is over for good in a term in which somebody was told to stand, whatever came of it', () => {
		const { core, context } = leader();
		core.send(2, 1);
		core.receive('appendResponse', 2, { index: 1, context, commit: electionTimeoutMs });
		core.transfer(2);
		expect(core.sent).toMatchObject([{ is: 'timeoutNow', to: 2 }]);
		expect(leased(core, core.now)).toBe(false);
		// It is declined; but what said "stand" may come again.
		core.receive('timeoutNow', 2, { rejected: true });
		expect(core.raft.transfer?.target).toBe(0);
		core.tick(heartbeatMs);
		core.receive('appendResponse', 2, { index: 1, context: context + 1, commit: 100 });
		expect(leased(core, core.now)).toBe(false);
	});

	it('ends with its leadership', () => {
		const { core } = leader();
		core.receive('append', 3, { term: core.raft.term + 1 });
		expect(leased(core, core.now)).toBe(false);
	});

	it('is off by default', () => {
		const core = new Core().leadCommitted();
		const [head] = core.tick(heartbeatMs);
		expect(head?.context ?? 0).toBe(0);
		core.read();
		core.receive('appendResponse', 2, { index: 1, context: 1, commit: 100 });
		expect(core.output.readConfirmed).toBe(1);
		expect(leased(core, core.now)).toBe(false);
	});
});

describe('rule 18: a voter that has answered', () => {
	it('says for how long it keeps still, or nothing if leases are off', () => {
		expect(new Core(leases).follow(1).sent).toMatchObject([{ commit: electionTimeoutMs }]);
		const core = new Core({ ...leases, log: [1] }).follow(1);
		core.receive('append', 2, { index: 9, logTerm: 1 });
		expect(core.sent).toMatchObject([{ rejected: true, commit: electionTimeoutMs }]);
		expect(new Core().follow(1).sent[0]).not.toHaveProperty('commit');
	});

	for (const [how, hear] of [
		['a later term that it hears of', { kind: 'preVoteResponse', rejected: true }],
		['a candidate of a term that it entered', { kind: 'appendResponse', rejected: true }],
	] as const) {
		it(`gives its vote to nobody before that is over, not for ${how}`, () => {
			const core = new Core(leases).follow(1);
			const heardAt = core.now;
			core.receive(hear.kind, 3, { term: 7, rejected: true });
			core.saved();
			expect(core.raft).toMatchObject({ term: 7, leader: 0 });
			core.now = heardAt + electionTimeoutMs - 1;
			for (const term of [7, 8]) core.receive('vote', 3, { term });
			core.receive('preVote', 3, { term: 9 });
			expect(core.sent).toMatchObject([{ is: 'preVoteResponse', rejected: true }]);
			expect(core.raft).toMatchObject({ term: 7, vote: 0 });
			core.now = heardAt + electionTimeoutMs;
			core.receive('vote', 3, { term: 7 });
			expect(core.raft.vote).toBe(3);
		});
	}

	it('nor after a restart: it may have answered the moment before', () => {
		const core = new Core({ ...leases, term: 4, log: [4], now: 500 });
		core.now = 500 + electionTimeoutMs - 1;
		core.receive('vote', 3, { term: 5, index: 9, logTerm: 4 });
		core.receive('vote', 3, { term: 4, index: 9, logTerm: 4 });
		expect(core.raft).toMatchObject({ term: 4, vote: 0 });
		core.now += 1;
		core.receive('vote', 3, { term: 5, index: 9, logTerm: 4 });
		expect(core.raft).toMatchObject({ term: 5, vote: 3 });
	});

	it('nor stands at once after a restart, be it the only voter: the leader that made it so may still have its lease', () => {
		const core = new Core({ ...leases, voters: [1], term: 4, log: [4], now: 500 });
		core.now = 500;
		core.wait();
		expect(core.now).toBeGreaterThanOrEqual(500 + electionTimeoutMs);
		const alone = new Core({ voters: [1], term: 4, log: [4], now: 500 });
		alone.now = 500;
		alone.tick(1);
		expect(alone.raft.role).toBe(Role.candidate);
	});

	it('doesn’t stand before that is over either', () => {
		const core = new Core(leases).follow(1);
		const heardAt = core.now;
		core.receive('preVoteResponse', 3, { term: 7, rejected: true });
		core.saved();
		core.wait();
		expect(core.now).toBeGreaterThanOrEqual(heardAt + electionTimeoutMs);
		expect(core.raft.role).toBe(Role.preCandidate);
	});

	it('but votes at once where its leader asked for the election', () => {
		const core = new Core(leases).follow(1);
		core.receive('vote', 3, { term: 2, context: 1 });
		expect(core.raft).toMatchObject({ term: 2, vote: 3 });
	});
});
