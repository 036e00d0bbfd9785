import { afterEach, describe, expect, it } from 'vitest';
import { NotLeader, ReadFailed, Stopped } from '../../src/index.js';
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

	it('a follower names the leader', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const [follower] = await cluster.followers();
		await expect(follower!.read('last')).rejects.toBeInstanceOf(NotLeader);
		await expect(follower!.read('last')).rejects.toMatchObject({ leader: leader.id });
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
