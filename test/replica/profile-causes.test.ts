import { describe, expect, it } from 'vitest';
import type { Cause } from '../../src/profile/causes.js';
import type { Recording } from '../../src/profile/columns.js';
import { type ProfileReport, reportOf } from '../../src/profile/report.js';
import type { Profiling } from '../../src/replica/profiling.js';
import { numbered } from './machines.js';
import { type Node, SmallWorld } from './small-world.js';

/** What is planted is what a profile must find: in virtual time it is exact. */

const COMMITS = 20;
const FAST = [0.05, 0.1] as const;
const SLOW = [20, 21] as const;
/** Shorter than an election time-out, and longer than the beats by which it is noticed. */
const SUSPENDED_MS = 100;

/** Disks and ways that are all fast. */
async function open(seed: string, count: number): Promise<SmallWorld> {
	const small = await SmallWorld.open(seed, count);
	const names = small.nodes.map(({ machine }) => machine.name);
	for (const { machine } of small.nodes) {
		Object.assign(machine.disk, { latencyMs: FAST, spikeChance: 0 });
	}
	for (const link of small.world.network.links(names)) {
		Object.assign(link, { latencyMs: FAST, spikeChance: 0 });
	}
	return small;
}

/** What is done to each proposal. */
interface Treatment {
	before?(): void;
	/** Holds it up. */
	during?(): Promise<void>;
	/** Until the next. */
	pauseMs?: number;
	/** The clocks are to be put together by round trips. */
	isEstimated?: boolean;
}

/** Proposes one entry after the other. @returns the leader's report */
async function profile(
	small: SmallWorld,
	leader: Node,
	{ before = () => {}, during = async () => {}, pauseMs = 0, isEstimated = false }: Treatment = {},
): Promise<ProfileReport> {
	const nodes = [leader, ...small.nodes.filter((node) => node !== leader)];
	const profilings = nodes.map(({ replica }) => replica.profile());
	for (let i = 0; i < COMMITS; i++) {
		before();
		const proposed = leader.replica.propose(numbered(i));
		await during();
		await small.world.complete(proposed);
		await small.world.run(pauseMs);
	}
	await small.world.run(200);
	for (const profiling of profilings) profiling.stop();
	const recordings = profilings.map((profiling, i) =>
		isEstimated ? profiling.recording() : onOneClock(small, nodes[i]!, profiling),
	);
	return reportOf(recordings[0]!, recordings.slice(1));
}

/** With what is known here of the replica's clock. */
function onOneClock({ world }: SmallWorld, { doors }: Node, profiling: Profiling): Recording {
	return {
		...profiling.recording(),
		clock: { name: 'world', offset: world.now - doors.clock.now() },
	};
}

function share(report: ProfileReport, cause: Cause): number {
	return report.causes.find((one) => one.cause === cause)!.share;
}

/** It is the cause of nearly all the time, and decides every commit. */
function expectCause(report: ProfileReport, cause: Cause): void {
	const { commits } = report.causes.find((one) => one.cause === cause)!;
	expect([report.commits, commits]).toEqual([report.commits, report.commits]);
	expect(share(report, cause)).toBeGreaterThan(0.9);
	expect(report.slowest.every((commit) => commit.cause === cause)).toBe(true);
}

describe('a profile finds', () => {
	it('the leader’s disk, where that is slow and no majority is without it', async () => {
		const small = await open('disk', 2);
		const leader = await small.leader();
		leader.machine.disk.latencyMs = SLOW;
		const report = await profile(small, leader);
		expect(report.commits).toBe(COMMITS);
		expectCause(report, 'disk');
	});

	it('the follower’s disk, where that is slow', async () => {
		const small = await open('follower disk', 2);
		const leader = await small.leader();
		small.nodes.find((node) => node !== leader)!.machine.disk.latencyMs = SLOW;
		expectCause(await profile(small, leader), 'follower disk');
	});

	it('a disk that stands still for a while', async () => {
		const small = await open('stall', 1);
		const leader = await small.leader();
		const stall = async () => {
			leader.machine.disk.stall();
			await small.world.run(50);
			leader.machine.disk.unstall();
		};
		const report = await profile(small, leader, { during: stall });
		expectCause(report, 'disk');
		expect(report.total.p50).toBeGreaterThanOrEqual(50);
	});

	it('no disk at fault that nobody waited for: two followers are a majority', async () => {
		const small = await open('leader behind', 3);
		const leader = await small.leader();
		leader.machine.disk.latencyMs = SLOW;
		// With more to do for its disk the leader would gather what comes meanwhile: that is waiting for it, too.
		const report = await profile(small, leader, { pauseMs: 3 * SLOW[1] });
		expect(report.commits).toBe(COMMITS);
		expect(share(report, 'disk')).toBe(0);
		expect(report.slowest.every(({ decider }) => decider !== leader.id)).toBe(true);
		expect(report.total.max).toBeLessThan(SLOW[0]);
		// It is seen, but it is on nobody’s way.
		const flush = report.stages.find(
			({ name, place }) => name === 'flush started - persisted' && place === 'leader',
		);
		expect(flush).toMatchObject({ share: 0 });
		expect(flush!.p50).toBeGreaterThanOrEqual(SLOW[0]);
	});

	it('the network, where that is slow', async () => {
		const small = await open('network', 3);
		const leader = await small.leader();
		for (const link of small.world.network.links(small.nodes.map(({ machine }) => machine.name))) {
			link.latencyMs = SLOW;
		}
		const report = await profile(small, leader);
		expectCause(report, 'network');
		const going = report.stages.find(({ name }) => name === 'sent - received')!;
		const returning = report.stages.find(({ name }) => name === 'persisted - ack received')!;
		for (const { p50 } of [going, returning]) {
			expect(p50).toBeGreaterThanOrEqual(SLOW[0]);
			expect(p50).toBeLessThan(SLOW[1] + 1);
		}
	});

	it('a leader whose event loop stood still', async () => {
		const small = await open('leader blocked', 2);
		const leader = await small.leader();
		const follower = small.nodes.find((node) => node !== leader)!;
		const during = async () => {
			const { last } = leader.replica.status();
			await small.until('the answer is on its way', () => follower.parts.raft.persisted > last);
			leader.machine.suspend();
			await small.world.run(SUSPENDED_MS);
			leader.machine.resume();
		};
		const report = await profile(small, leader, { during });
		expectCause(report, 'event loop');
	});

	it('a follower whose event loop stood still', async () => {
		const small = await open('follower blocked', 2);
		const leader = await small.leader();
		const follower = small.nodes.find((node) => node !== leader)!;
		const during = async () => {
			await small.world.run(SUSPENDED_MS);
			follower.machine.resume();
		};
		const before = () => follower.machine.suspend();
		const report = await profile(small, leader, { before, during });
		expectCause(report, 'follower');
	});

	it('what it can’t tell apart where a follower was not recorded', async () => {
		const small = await open('unseen', 2);
		const leader = await small.leader();
		for (const link of small.world.network.links(small.nodes.map(({ machine }) => machine.name))) {
			link.latencyMs = SLOW;
		}
		const profiling = leader.replica.profile();
		for (let i = 0; i < COMMITS; i++) {
			await small.world.complete(leader.replica.propose(numbered(i)));
		}
		expectCause(profiling.report(), 'unseen');
	});
});

describe('the clocks of replicas', () => {
	it('are put together by round trips, within the bound that is stated', async () => {
		const small = await open('clocks', 3);
		const leader = await small.leader();
		// There it takes ten times as long as back.
		for (const { machine } of small.nodes) {
			if (machine === leader.machine) continue;
			small.world.network.link(leader.machine.name, machine.name).latencyMs = [5, 6];
		}
		const report = await profile(small, leader, { isEstimated: true });
		expect(report.clocks).toHaveLength(2);
		for (const { replica, offsetMs, isShared, estimateMs, boundMs } of report.clocks) {
			const { doors } = small.nodes.find(({ id }) => id === replica)!;
			const truth = leader.doors.clock.now() - doors.clock.now();
			expect([isShared, offsetMs]).toEqual([false, estimateMs]);
			expect(Math.abs(estimateMs! - truth)).toBeLessThanOrEqual(boundMs! + 1e-6);
			expect(boundMs!).toBeLessThan(4);
		}
	});
});
