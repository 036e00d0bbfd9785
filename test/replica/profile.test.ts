import { afterEach, describe, expect, it } from 'vitest';
import { BadOption, ProfileRunning, Stopped } from '../../src/errors.js';
import { Column, rowWidth } from '../../src/profile/columns.js';
import type { ProfileReport } from '../../src/profile/report.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';

let cluster: Cluster | null = null;

afterEach(async () => {
	await cluster?.close();
	cluster = null;
});

async function propose(leader: Replica, count: number): Promise<void> {
	for (let i = 0; i < count; i++) await leader.propose(numbered(i));
}

/** The shares of all stages and of all causes are 1 each; so are those of each of the slowest. */
function expectWhole(report: ProfileReport): void {
	const sum = (shares: readonly { readonly share: number }[]) =>
		shares.reduce((all, { share }) => all + share, 0);
	expect(sum(report.stages)).toBeCloseTo(1, 9);
	expect(sum(report.causes)).toBeCloseTo(1, 9);
	expect(report.causes.reduce((all, { commits }) => all + commits, 0)).toBe(report.commits);
	for (const { ms, stages, causes } of report.slowest) {
		expect(stages.reduce((all, stage) => all + stage.ms, 0)).toBeCloseTo(ms, 6);
		expect(Object.values(causes).reduce((all, its) => all + its, 0)).toBeCloseTo(ms, 6);
		for (const stage of stages) expect(stage.ms).toBeGreaterThanOrEqual(0);
	}
}

describe('a profile', () => {
	it('tells each stage of each commit, in its order, the followers’ too', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const followers = await cluster.followers();
		const [own, ...others] = [leader, ...followers].map((replica) => replica.profile());
		await propose(leader, 50);
		await cluster.settled();
		for (const profiling of [own!, ...others]) profiling.stop();
		const recordings = others.map((other) => other.recording());
		const report = own!.report(recordings);
		expect(report.commits).toBe(50);
		expect(report.entries).toBe(50);
		expect(report.others.toSorted()).toEqual(followers.map(({ id }) => id).toSorted());
		expectWhole(report);
		const places = (place: string) =>
			report.stages.filter((stage) => stage.place === place).map(({ name }) => name);
		// Whose news decided is left to chance.
		const isLeft = (name: string) => !/^(?:persisted|ack received) - committed$/.test(name);
		expect(places('leader').filter(isLeft)).toEqual([
			'accepted - batched',
			'batched - stamped',
			'stamped - flush queued',
			'flush queued - flush started',
			'flush started - persisted',
			'stamped - sent',
			'committed - applied',
			'applied - resolved',
		]);
		expect(places('network')).toEqual(['sent - received', 'persisted - ack received']);
		expect(places('follower')).toEqual([
			'received - validated',
			'validated - flush queued',
			'flush queued - flush started',
			'flush started - persisted',
		]);
		expect(places('elsewhere')).toEqual([]);
		// All run on one clock here, and the round trips say so.
		for (const { estimateMs, boundMs } of report.clocks) {
			expect(Math.abs(estimateMs!)).toBeLessThanOrEqual(boundMs! + 0.001);
		}
	});

	it('without the others’ recordings tells their part as one', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const profiling = leader.profile();
		await propose(leader, 20);
		const report = profiling.report();
		profiling.stop();
		expect(report.commits).toBe(20);
		expectWhole(report);
		const names = report.stages.map(({ name }) => name);
		expect(names).toContain('sent - ack received');
		expect(names).not.toContain('sent - received');
		expect(report.clocks).toEqual([]);
	});

	it('of a solitary replica is its own disk’s', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const profiling = leader.profile();
		await leader.proposeBatch([numbered(1), numbered(2), numbered(3)]);
		profiling.stop();
		const { commits, entries, slowest } = profiling.report();
		expect([commits, entries]).toEqual([1, 3]);
		expect(slowest[0]!.decider).toBe(leader.id);
		expect(slowest[0]!.stages.map(({ name }) => name)).toContain('flush started - persisted');
	});

	it('keeps the latest batches, and says how many there were', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		const profiling = leader.profile({ batchesMax: 5 });
		await propose(leader, 12);
		profiling.stop();
		const { batches, kept, commits, slowest } = profiling.report();
		expect([batches, kept, commits]).toEqual([12, 5, 5]);
		const { committed } = leader;
		expect(slowest.map(({ last }) => last).toSorted((a, b) => a - b)).toEqual(
			Array.from({ length: 5 }, (_, i) => committed - 4 + i),
		);
	});

	it('records nothing before it begins and after it ends, and can begin again', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		await propose(leader, 3);
		const first = leader.profile();
		await propose(leader, 2);
		first.stop();
		first.stop();
		await propose(leader, 4);
		const second = leader.profile();
		await propose(leader, 1);
		expect(first.report().commits).toBe(2);
		expect(second.report().commits).toBe(1);
		second.stop();
	});

	it('is one at a time, of a size that can be, of a replica that lives', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		for (const batchesMax of [0, -1, 1.5, Number.NaN, 1e9]) {
			expect(() => leader.profile({ batchesMax })).toThrow(BadOption);
		}
		const profiling = leader.profile();
		expect(() => leader.profile()).toThrow(ProfileRunning);
		await propose(leader, 1);
		await cluster.close();
		expect(profiling.report().commits).toBe(1);
		expect(() => leader.profile()).toThrow(Stopped);
	});

	it('goes on with a new leader: the entries of the old one that are cut are no commits', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const profiles = new Map([...cluster.replicas.values()].map((r) => [r.id, r.profile()]));
		await propose(leader, 5);
		const next = await leader.transferLeadership();
		await until('the next one leads', () => cluster!.replica(next).status().role === 'leader');
		await propose(cluster.replica(next), 7);
		await cluster.settled();
		const reports = [...profiles.values()].map((profiling) => profiling.report());
		const commits = new Map(reports.map((report) => [report.replica, report.commits]));
		expect(commits.get(leader.id)).toBe(5);
		expect(commits.get(next)).toBe(7);
		// Rows lie in the order of the log, whoever led.
		for (const profiling of profiles.values()) {
			const { rows, peers } = profiling.recording();
			const width = rowWidth(peers.length);
			let last = 0;
			for (let at = 0; at < rows.length; at += width) {
				expect(rows[at + Column.last]!).toBeGreaterThan(last);
				last = rows[at + Column.last]!;
			}
		}
	});
});
