import { afterEach, describe, expect, it } from 'vitest';
import { ReadFailed, Stopped } from '../../src/index.js';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';

let cluster: Cluster;
afterEach(() => cluster.close());

describe('reads', () => {
	it('rule 16: each sees whatever was acknowledged before it was asked', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		for (let round = 0; round < 50; round++) {
			const writes = Array.from({ length: 20 }, (_, i) => leader.propose(numbered(round * 20 + i)));
			const { result } = await writes[10]!;
			expect(await leader.read<number>('count')).toBeGreaterThan(result as number);
			await Promise.all(writes);
		}
		expect(await leader.read('last')).toBe(999);
	});

	it('rule 16: a new leader answers with everything that the one before had acknowledged', async () => {
		cluster = await Cluster.open(3);
		const first = await cluster.leader();
		await Promise.all(Array.from({ length: 100 }, (_, i) => first.propose(numbered(i))));
		await cluster.stop(first.id);
		let answer: unknown;
		await until('a leader that says so', () =>
			[...cluster.replicas.values()].some((replica) => replica.status().role === 'leader'),
		);
		// Asked at once, before the first entry of its term is committed.
		for (const replica of cluster.replicas.values()) {
			const { role } = replica.status();
			if (role === 'leader') answer = await replica.read('count').catch((error) => error);
		}
		if (answer instanceof ReadFailed) answer = await (await cluster.leader()).read('count');
		expect(answer).toBe(100);
	});

	it('many at once are answered together', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await leader.propose(numbered(7));
		const answers = await Promise.all(Array.from({ length: 2000 }, () => leader.read('last')));
		expect(new Set(answers)).toEqual(new Set([7]));
		expect(leader.status().counters['pendingReads']).toBe(0);
	});

	it('rules 16, 17: a follower answers with whatever was acknowledged before, once its leader has told it how much', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const followers = await cluster.followers();
		for (let round = 0; round < 50; round++) {
			const { result } = await leader.propose(numbered(round));
			for (const follower of followers) {
				expect(await follower.read<number>('count')).toBeGreaterThan(result as number);
			}
		}
		const answers = Array.from({ length: 2000 }, () => followers[0]!.read('last'));
		expect(new Set(await Promise.all(answers))).toEqual(new Set([49]));
	});

	it('a follower answers a client that wants the leader with its name', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const [follower] = await cluster.followers();
		const read = follower!.readAt(new Uint8Array(0), 'linearizable', 'leader');
		await expect(read).rejects.toMatchObject({ code: 'NOT_LEADER', leader: leader.id });
	});

	it('a follower without a leader answers only what may be stale', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await leader.propose(numbered(4));
		const [follower, other] = await cluster.followers();
		expect(await follower!.read('last')).toBe(4);
		await cluster.stop(leader.id);
		await cluster.stop(other!.id);
		expect(await follower!.read('last', { consistency: 'stale' })).toBe(4);
		expect(await follower!.read('last', { consistency: { maxLagMs: 60_000 } })).toBe(4);
		for (const consistency of ['linearizable', 'lease', { maxLagMs: 0 }] as const) {
			const read = follower!.read('last', { consistency, timeoutMs: 100 });
			await expect(read).rejects.toBeInstanceOf(ReadFailed);
		}
	});

	it('those of a follower whose leader dies are answered by way of the next one', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await leader.propose(numbered(5));
		const [follower] = await cluster.followers();
		const stopped = cluster.stop(leader.id);
		const answers = Array.from({ length: 10 }, () => follower!.read('last', { timeoutMs: 20_000 }));
		expect(new Set(await Promise.all(answers))).toEqual(new Set([5]));
		await stopped;
	});

	it('rule 18: with leases, leader and followers answer without a round, and nothing old', async () => {
		cluster = await Cluster.open(3, () => ({ leaseReads: { clockDriftMax: 0.1 } }));
		const leader = await cluster.leader();
		const replicas = [leader, ...(await cluster.followers())];
		for (let round = 0; round < 50; round++) {
			const { result } = await leader.propose(numbered(round));
			for (const replica of replicas) {
				const count = await replica.read<number>('count', { consistency: 'lease' });
				expect(count).toBeGreaterThan(result as number);
			}
		}
	});

	it('a consistency that there is not is refused', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		for (const consistency of ['eventual', { maxLagMs: -1 }, { maxLagMs: Number.NaN }, null, 7]) {
			const read = leader.read('last', { consistency: consistency as 'stale' });
			await expect(read).rejects.toMatchObject({ code: 'BAD_OPTION' });
		}
	});

	it('rule 16: a leader that has lost its majority answers nothing', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await leader.propose(numbered(1));
		const followers = await cluster.followers();
		await Promise.all(followers.map(({ id }) => cluster.stop(id)));
		const reads = Array.from({ length: 10 }, () => leader.read('last').catch((error) => error));
		for (const outcome of await Promise.all(reads)) expect(outcome).toBeInstanceOf(ReadFailed);
		await until('it has stepped down', () => leader.status().role !== 'leader');
	});

	it('gives up after the time allowed', async () => {
		cluster = await Cluster.open(3, () => ({ electionTimeoutMs: 3000 }));
		const leader = await cluster.leader();
		await Promise.all((await cluster.followers()).map(({ id }) => cluster.stop(id)));
		await expect(leader.read('last', { timeoutMs: 20 })).rejects.toBeInstanceOf(ReadFailed);
		const giveUp = new AbortController();
		const read = leader.read('last', { signal: giveUp.signal });
		giveUp.abort();
		await expect(read).rejects.toBeInstanceOf(ReadFailed);
	});

	it('what the query throws is the answer of that read alone', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		await leader.propose(numbered(3));
		const [failed, answered] = await Promise.allSettled([leader.read('fail'), leader.read('last')]);
		expect(failed).toMatchObject({ reason: { message: 'this query fails' } });
		expect(answered).toEqual({ status: 'fulfilled', value: 3 });
	});

	it('end with the replica', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await Promise.all((await cluster.followers()).map(({ id }) => cluster!.stop(id)));
		const read = leader.read('last').catch((error) => error);
		await cluster.stop(leader.id);
		expect(await read).toBeInstanceOf(ReadFailed);
		await expect(leader.read('last')).rejects.toBeInstanceOf(Stopped);
	});
});
