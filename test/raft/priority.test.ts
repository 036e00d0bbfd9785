import { describe, expect, it } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.js';
import { Patience } from '../../src/raft/priority.js';
import { Role } from '../../src/raft/types.js';
import { timing } from './cluster.js';
import { Core } from './core.js';

/** Replicas 1, 2 and 3, which have these. */
function withPriorities(...priorities: readonly number[]): Configuration {
	const entries = priorities.map((priority, i): [number, number] => [i + 1, priority]);
	return { voters: [1, 2, 3], outgoing: [], learners: [], priorities: new Map(entries) };
}

/** How many rounds replica 1 leaves to others. */
function roundsLeft(configuration: Configuration): number {
	const patience = new Patience();
	let rounds = 0;
	while (rounds < 20 && !patience.mayStand(configuration, 1, 7)) rounds += 1;
	return rounds;
}

describe('who stands for election', () => {
	it('whoever has the highest priority stands at once, and so do all where none is said', () => {
		expect(roundsLeft(withPriorities(60, 60, 10))).toBe(0);
		expect(roundsLeft({ voters: [1, 2, 3], outgoing: [], learners: [] })).toBe(0);
	});

	it('who has a lower one leaves rounds to others, the more the lower it is, and never all', () => {
		expect(roundsLeft(withPriorities(50, 100, 100))).toBe(1);
		expect(roundsLeft(withPriorities(49, 100, 100))).toBe(2);
		expect(roundsLeft(withPriorities(10, 100))).toBe(4);
		expect(roundsLeft(withPriorities(0, 100))).toBe(7);
		expect(roundsLeft(withPriorities(0, 0, 0))).toBe(0);
	});

	it('begins anew when a leader was heard from', () => {
		const configuration = withPriorities(50, 100);
		const patience = new Patience();
		expect([1, 1, 1].map((at) => patience.mayStand(configuration, 1, at))).toEqual([
			false,
			true,
			true,
		]);
		expect(patience.mayStand(configuration, 1, 2)).toBe(false);
	});

	it('counts voters only, those who leave as well', () => {
		const priorities = new Map([[4, 100]]);
		const learner = { voters: [1, 2, 3], outgoing: [], learners: [4], priorities };
		expect(roundsLeft(learner)).toBe(0);
		expect(roundsLeft({ voters: [1, 2, 3], outgoing: [1, 4], learners: [], priorities })).toBe(1);
	});

	it('a core whose leader is gone waits longer, and stands', () => {
		const core = new Core().follow(1, { batches: [[1, 1, withPriorities(10, 100, 50)]] });
		core.persisted(1);
		for (let ms = 0; ms < 4 * timing.electionTimeoutMs; ms += 10) core.tick(10);
		expect(core.raft.role).toBe(Role.follower);
		for (let ms = 0; ms < 6 * timing.electionTimeoutMs; ms += 10) core.tick(10);
		expect(core.raft.role).toBe(Role.preCandidate);
	});
});

describe('a leader that isn’t the one of the highest priority', () => {
	const QUIET_MS = 10 * timing.electionTimeoutMs;

	/** Replica 1 leads with 50; all have everything. */
	function leader(configuration = withPriorities(50, 50, 80)): Core {
		const core = new Core().leadCommitted();
		const index = core.configure(configuration);
		core.persisted(index);
		for (const id of [2, 3]) {
			core.send(id, index);
			core.receive('appendResponse', id, { index });
		}
		return core;
	}

	/** Time passes, and these answer. @returns whom it told to stand, by ms */
	function pass(core: Core, milliseconds: number, ...answering: readonly number[]): number[] {
		const told: number[] = [];
		for (let ms = 0; ms < milliseconds; ms += timing.heartbeatMs) {
			core.tick(timing.heartbeatMs);
			const { lastIndex: index } = core.raft;
			const sent = [...core.sent];
			for (const id of answering) sent.push(...core.receive('appendResponse', id, { index }));
			for (const { is, to } of sent) if (is === 'timeoutNow') told.push(to!);
		}
		return told;
	}

	it('hands over, after a while', () => {
		const core = leader();
		expect(pass(core, QUIET_MS - 2 * timing.heartbeatMs, 2, 3)).toEqual([]);
		expect(pass(core, 4 * timing.heartbeatMs, 2, 3)).toContain(3);
		expect(core.raft.transfer?.target).toBe(3);
	});

	it('to nobody who is silent, on probation, or behind', () => {
		expect(pass(leader(), 2 * QUIET_MS, 2)).toEqual([]);
		const unsure = leader();
		for (let ms = 0; ms < 2 * QUIET_MS; ms += timing.heartbeatMs) {
			unsure.tick(timing.heartbeatMs);
			const { lastIndex: index } = unsure.raft;
			for (const id of [2, 3]) unsure.receive('appendResponse', id, { index, hintTerm: 1 });
			expect(unsure.raft.transfer?.target).toBe(0);
		}
		const behind = leader();
		const index = behind.propose(5);
		behind.persisted(index + 4);
		behind.send(2, index + 4);
		behind.send(3, index + 4);
		for (let ms = 0; ms < 2 * QUIET_MS; ms += timing.heartbeatMs) {
			behind.tick(timing.heartbeatMs);
			behind.receive('appendResponse', 2, { index: index + 4 });
			behind.receive('appendResponse', 3, { index: index - 1 });
			expect(behind.raft.transfer?.target).toBe(0);
		}
	});

	it('not again soon, when the other one didn’t take over', () => {
		const core = leader();
		const told = pass(core, QUIET_MS + 2 * timing.electionTimeoutMs, 2, 3);
		expect(new Set(told)).toEqual(new Set([3]));
		expect(core.raft.transfer?.target).toBe(0);
		expect(pass(core, QUIET_MS / 2, 2, 3)).toEqual([]);
		expect(pass(core, QUIET_MS, 2, 3)).toContain(3);
	});

	it('to nobody of its own priority or a lower one, and to no learner', () => {
		expect(pass(leader(withPriorities(50, 50, 40)), 2 * QUIET_MS, 2, 3)).toEqual([]);
		const priorities = new Map([[3, 100]]);
		const core = new Core({ voters: [1, 2] }).leadCommitted();
		const index = core.configure({ voters: [1, 2], outgoing: [], learners: [3], priorities });
		core.persisted(index);
		for (const id of [2, 3]) {
			core.send(id, index);
			core.receive('appendResponse', id, { index });
		}
		expect(pass(core, 2 * QUIET_MS, 2, 3)).toEqual([]);
	});
});
