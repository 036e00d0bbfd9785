import { access, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Corruption } from '../../src/errors.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, pause, until } from './cluster.js';
import { numbered } from './machines.js';

/** Replicas that have lost a part of what they promised, or all of it: rules 23 and 24. */

let cluster: Cluster;
afterEach(() => cluster.close());

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const standing = (replica: Replica) => replica.status().standing;
const isThere = (path: string) =>
	access(path).then(
		() => true,
		() => false,
	);

async function propose(from: number, to: number): Promise<void> {
	const leader = await cluster.leader();
	for (const n of range(from, to)) await leader.propose(numbered(n, 100));
}

async function logFiles(id: number): Promise<string[]> {
	return (await readdir(join(cluster.directoryOf(id), 'log'))).sort();
}

/** Flips a bit of an entry in the log of a replica that is closed. */
async function damage(id: number, n: number): Promise<void> {
	const content = numbered(n, 100);
	for (const name of await logFiles(id)) {
		const path = join(cluster.directoryOf(id), 'log', name);
		const offset = (await readFile(path)).indexOf(content);
		if (offset < 0) continue;
		const file = await open(path, 'r+');
		await file.write(Uint8Array.of(content[50]! ^ 0x40), 0, 1, offset + 50);
		return await file.close();
	}
	throw new Error('it is in no segment');
}

async function settledVoters(numbers: readonly number[]): Promise<void> {
	await cluster.voting();
	await cluster.settled();
	for (const id of cluster.ids) expect(cluster.machine(id).numbers).toEqual(numbers);
}

describe('a replica whose log is damaged', () => {
	it('fetches what it lost from its peers, and is a voter again by itself', async () => {
		cluster = await Cluster.open(3);
		await propose(0, 50);
		await cluster.settled();
		await cluster.stop(1);
		await damage(1, 20);
		await cluster.start(1);
		await until('it is on its way', () => standing(cluster.replica(1)) !== 'asking');
		await settledVoters(range(0, 50));
		const lines = cluster.lines.get(1)!.join('\n');
		expect(lines).toMatch(/damaged at byte \d+.*will be fetched from the peers/);
		expect(lines).toContain('it is a voter');
		expect((await logFiles(1)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
		expect(await isThere(join(cluster.directoryOf(1), 'probation.json'))).toBe(false);
		// With another one gone, its vote and its disk count.
		await cluster.stop((await cluster.followers()).find(({ id }) => id !== 1)?.id ?? 2);
		await propose(50, 60);
	});

	it('keeps what it sets aside until then, and neither votes nor stands', async () => {
		cluster = await Cluster.open(3);
		await propose(0, 50);
		await cluster.settled();
		await cluster.stop(1);
		await cluster.stop(2);
		await damage(1, 20);
		const hurt = await cluster.start(1);
		await until('replica 3 has vouched', () => hurt.status().peers.some((peer) => peer.connected));
		await pause(1500);
		expect(standing(hurt)).toBe('asking');
		expect(hurt.status()).toMatchObject({ role: 'follower', leader: 0 });
		expect(cluster.replica(3).status().leader).not.toBe(3);
		expect((await logFiles(1)).some((name) => name.endsWith('.damaged'))).toBe(true);
		await cluster.start(2);
		await settledVoters(range(0, 50));
	});

	it('is still on probation after a restart in the middle of it', async () => {
		cluster = await Cluster.open(3);
		await propose(0, 50);
		await cluster.settled();
		await cluster.stop(1);
		await cluster.stop(2);
		await damage(1, 20);
		await cluster.start(1);
		await cluster.stop(1);
		const hurt = await cluster.start(1);
		expect(standing(hurt)).toBe('asking');
		await cluster.start(2);
		await settledVoters(range(0, 50));
	});

	it.each([1, 2])('is refused where there are %i replicas: nobody can be spared', async (count) => {
		cluster = await Cluster.open(count);
		await propose(0, 50);
		await cluster.settled();
		await cluster.stop(1);
		await damage(1, 20);
		await expect(cluster.start(1)).rejects.toBeInstanceOf(Corruption);
		await expect(cluster.start(1)).rejects.toBeInstanceOf(Corruption);
	});
});

describe('a replica whose disk is wiped', () => {
	it.each([
		['everything', ''],
		['the log', 'log'],
	])('has lost %s: it gets all of it back before it votes again', async (_, what) => {
		cluster = await Cluster.open(3);
		await propose(0, 50);
		await cluster.settled();
		await cluster.voting();
		await cluster.stop(1);
		await rm(join(cluster.directoryOf(1), what), { recursive: true });
		await propose(50, 60);
		expect(standing(await cluster.start(1))).toBe('asking');
		await settledVoters(range(0, 60));
	});

	it('does not make a new cluster with one that was never up: what the third holds stays', async () => {
		cluster = await Cluster.open(3);
		await propose(0, 10);
		await cluster.voting();
		await cluster.settled();
		for (const id of cluster.ids) await cluster.stop(id);
		for (const id of [1, 2]) await rm(cluster.directoryOf(id), { recursive: true });
		await cluster.start(1);
		await cluster.start(2);
		await pause(1500);
		for (const id of [1, 2]) {
			expect(standing(cluster.replica(id))).toBe('asking');
			expect(cluster.replica(id).status()).toMatchObject({ leader: 0, last: 0 });
		}
		// Two of three have lost everything: nobody knows whether the third has all that was acknowledged.
		await cluster.start(3);
		await pause(1500);
		for (const id of [1, 2]) expect(standing(cluster.replica(id))).toBe('asking');
		expect(cluster.replica(3).status().leader).toBe(0);
	});
});

describe('a new cluster', () => {
	it('begins when all its replicas are there, and from then on a majority is enough', async () => {
		cluster = await Cluster.openOnly([1, 2], 3);
		await pause(1500);
		expect(cluster.replica(1).status()).toMatchObject({ leader: 0, standing: 'asking' });
		await cluster.start(3);
		await cluster.voting();
		await propose(0, 1);
		await cluster.settled();
		await Promise.all(cluster.ids.map((id) => cluster.stop(id)));
		await cluster.start(1);
		await cluster.start(3);
		await propose(1, 2);
	});

	it('of one replica needs nobody', async () => {
		cluster = await Cluster.open(1);
		await propose(0, 5);
		await until('that is durable', () => cluster.lines.get(1)!.join().includes('it is a voter'));
		await cluster.stop(1);
		await rm(join(cluster.directoryOf(1), 'log'), { recursive: true });
		await expect(cluster.start(1)).rejects.toThrow('no segment of it is left');
	});
});
