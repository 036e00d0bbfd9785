import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { timing } from './cluster.js';
import { Core, type Heard } from './core.js';

const { electionTimeoutMs, heartbeatMs } = timing;

/** Leads in term 1; peers 2 and 3 have everything. */
function leader(settings: ConstructorParameters<typeof Core>[0] = {}): Core {
	const core = new Core({ mayRest: true, ...settings }).leadCommitted();
	core.send(3, core.raft.lastIndex);
	core.receive('appendResponse', 3, { index: core.raft.lastIndex });
	return core;
}

/** Time passes, and both peers answer each heartbeat. @returns the invitations of the last tick */
function pass(core: Core, milliseconds: number): Heard[] {
	let invitations: Heard[] = [];
	for (let passed = 0; passed < milliseconds && !core.raft.isResting; passed += heartbeatMs) {
		invitations = core.tick(heartbeatMs).filter(({ is }) => is === 'rest');
		for (const peer of [2, 3]) {
			core.receive('appendResponse', peer, { index: core.raft.lastIndex });
		}
	}
	return invitations;
}

/** Has invited all, and heard that they rest. */
function restingLeader(settings: ConstructorParameters<typeof Core>[0] = {}): Core {
	const core = leader(settings);
	const [invitation] = pass(core, 3 * electionTimeoutMs);
	for (const peer of [2, 3]) {
		core.receive('restResponse', peer, { context: invitation!.context! });
	}
	expect(core.raft.isResting).toBe(true);
	return core;
}

/** Follows replica 2 in term 1, and has its first entry, committed. */
function follower(): Core {
	const core = new Core({ mayRest: true }).follow(1, { batches: [[1, 1]] });
	core.persisted(1);
	core.receive('append', 2, { index: 1, logTerm: 1, commit: 1 });
	return core;
}

function restingFollower(): Core {
	const core = follower();
	core.receive('rest', 2, { index: 1, context: 7 });
	expect(core.raft.isResting).toBe(true);
	return core;
}

describe('a leader of an idle group', () => {
	it('invites its peers with a heartbeat, once nothing has happened for two time-outs', () => {
		const core = leader();
		expect(pass(core, 2 * electionTimeoutMs - heartbeatMs)).toEqual([]);
		const [first, second] = pass(core, 3 * heartbeatMs);
		expect([first, second]).toMatchObject([
			{ is: 'rest', to: 2, term: 1, index: 1 },
			{ is: 'rest', to: 3, term: 1, index: 1 },
		]);
		expect(core.raft.isResting).toBe(false);
	});

	it('rests when all have answered this invitation, and not one from before', () => {
		const core = leader();
		const [before] = pass(core, 3 * electionTimeoutMs);
		core.propose();
		core.persisted(2);
		for (const peer of [2, 3]) {
			core.send(peer, 2);
			core.receive('appendResponse', peer, { index: 2 });
		}
		const [invitation] = pass(core, 3 * electionTimeoutMs);
		for (const peer of [2, 3]) core.receive('restResponse', peer, { context: before!.context! });
		expect(core.raft.isResting).toBe(false);
		core.receive('restResponse', 2, { context: invitation!.context! });
		core.receive('restResponse', 2, { context: invitation!.context! });
		expect(core.raft.isResting).toBe(false);
		core.receive('restResponse', 3, { context: invitation!.context! });
		expect(core.raft.isResting).toBe(true);
	});

	it.each([
		['one of them lacks something', [2, 1], 2],
		['its own disk does', [2, 2], 1],
	] as const)('invites nobody while %s', (_, [second, third], persisted) => {
		const core = leader();
		core.propose();
		core.persisted(persisted);
		for (const peer of [2, 3]) core.send(peer, 2);
		for (let i = 0; i < 30; i++) {
			core.receive('appendResponse', 2, { index: second });
			core.receive('appendResponse', 3, { index: third });
			expect(core.tick(heartbeatMs).filter(({ is }) => is === 'rest')).toEqual([]);
		}
	});

	it('neither beats nor steps down while it rests', () => {
		const core = restingLeader();
		for (let i = 0; i < 100; i++) expect(core.tick(heartbeatMs)).toEqual([]);
		expect(core.raft.role).toBe(Role.leader);
	});

	it.each([
		['a proposal', (core: Core) => core.propose()],
		['a read', (core: Core) => core.read()],
		['a lost peer', (core: Core) => core.disconnected(3)],
		['a stream from a peer', (core: Core) => core.wake(3)],
		['a question', (core: Core) => core.receive('readIndex', 3, { context: 5 })],
		['a candidate', (core: Core) => core.receive('preVote', 3, { term: 2, index: 1, logTerm: 1 })],
		['a wish', (core: Core) => core.transfer(2)],
	])('wakes by %s, beats at once, and takes the silence for nobody’s', (_, happens) => {
		const core = restingLeader();
		core.tick(50 * electionTimeoutMs);
		happens(core);
		expect(core.raft.isResting).toBe(false);
		const beats = [...core.sent, ...core.tick(1)].filter(({ is }) => is === 'append');
		expect(beats.length).toBeGreaterThanOrEqual(2);
		core.tick(electionTimeoutMs / 2);
		expect(core.raft.role).toBe(Role.leader);
		// But of what follows it judges as ever.
		core.leadInVain();
		expect(core.raft.role).toBe(Role.follower);
	});

	it('sleeps on when what was on its way arrives', () => {
		const core = restingLeader();
		core.receive('appendResponse', 2, { index: 1 });
		core.receive('restResponse', 3, { context: 99 });
		expect(core.raft.isResting).toBe(true);
	});

	it('has no lease any more', () => {
		const core = leader({ leaseDriftMax: 0.1 });
		for (let i = 0; i < 30 && !core.raft.isResting; i++) {
			const said = core.tick(heartbeatMs);
			for (const peer of [2, 3]) {
				const context = Math.max(0, ...said.map((message) => message.context ?? 0));
				const round = said.find(({ is, to }) => is === 'append' && to === peer)?.context ?? context;
				core.receive('appendResponse', peer, {
					index: 1,
					context: round,
					commit: electionTimeoutMs,
				});
				const invitation = said.find(({ is, to }) => is === 'rest' && to === peer);
				if (invitation === undefined) continue;
				core.receive('restResponse', peer, { context: invitation.context! });
			}
		}
		expect(core.raft.isResting).toBe(true);
		expect(core.raft.leasedIndex(core.now)).toBe(1);
		expect(core.raft.leasedIndex(core.now + electionTimeoutMs)).toBe(-1);
	});
});

describe('a follower of an idle group', () => {
	it('rests when it has all that its leader has, committed and durable, and says so', () => {
		const core = follower();
		expect(core.receive('rest', 2, { index: 1, context: 7 })).toEqual([
			{ is: 'restResponse', to: 2, term: 1, context: 7 },
		]);
		for (let i = 0; i < 100; i++) expect(core.tick(heartbeatMs)).toEqual([]);
	});

	it.each([
		['lacks something', () => [follower(), 2, 2] as const],
		['has more', () => [follower(), 2, 0] as const],
		['is asked by who doesn’t lead', () => [follower(), 3, 1] as const],
		[
			'doesn’t know what is committed',
			() => [new Core({ mayRest: true }).follow(1, { batches: [[1, 1]] }), 2, 1] as const,
		],
	])('doesn’t if it %s', (_, make) => {
		const [core, from, index] = make();
		core.receive('rest', from, { index, context: 7 });
		expect(core.raft.isResting).toBe(false);
	});

	it('doesn’t where groups don’t rest', () => {
		const core = new Core().follow(1, { batches: [[1, 1]] });
		core.persisted(1);
		core.receive('append', 2, { index: 1, logTerm: 1, commit: 1 });
		expect(core.receive('rest', 2, { index: 1, context: 7 })).toEqual([]);
		expect(core.raft.isResting).toBe(false);
	});

	it('wakes when the stream from its leader is lost, and stands a time-out later', () => {
		const core = restingFollower();
		core.tick(50 * electionTimeoutMs);
		core.wake(3);
		expect(core.raft.isResting).toBe(true);
		core.wake(2);
		expect(core.raft.isResting).toBe(false);
		for (let passed = 0; passed < electionTimeoutMs - 10; passed += 10) core.tick(10);
		expect(core.raft.role).toBe(Role.follower);
		core.wait();
		expect(core.raft.role).toBe(Role.preCandidate);
	});

	it('takes its leader for alive when it is asked for a vote, and wakes', () => {
		const core = restingFollower();
		core.tick(50 * electionTimeoutMs);
		const answer = core.receive('preVote', 3, { term: 2, index: 1, logTerm: 1 });
		expect(answer).toMatchObject([{ is: 'preVoteResponse', rejected: true }]);
		expect(core.raft.isResting).toBe(false);
		core.tick(electionTimeoutMs);
		const later = core.receive('preVote', 3, { term: 2, index: 1, logTerm: 1 });
		expect(later[0]).not.toMatchObject({ rejected: true });
	});

	it('wakes with the next heartbeat, and rests again when it is told', () => {
		const core = restingFollower();
		core.receive('append', 2, { index: 1, logTerm: 1, commit: 1 });
		expect(core.raft.isResting).toBe(false);
		core.receive('rest', 2, { index: 1, context: 8 });
		expect(core.raft.isResting).toBe(true);
	});
});
