import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReplicaOptions } from '../../src/index.js';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';
import { freePeers } from './ports.js';

let cluster: Cluster | undefined;
afterEach(async () => {
	await cluster?.close();
	cluster = undefined;
});

const KIB = 1024;
const small: Partial<ReplicaOptions> = {
	limits: {
		slabBytes: 128 * KIB,
		slabsMax: 16,
		batchBytes: 16 * KIB,
		batchEntriesMax: 1024,
		entryBytesMax: 32 * KIB,
		uncommittedBytesMax: 512 * KIB,
		segmentBytes: 512 * KIB,
		tailBytesMax: 128 * KIB,
	},
	retainBytes: 2048 * KIB,
};

describe('close', () => {
	it('may be called twice, and nothing of the replica is left', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		await leader.propose(numbered(1));
		const replicas = [...cluster.replicas.values()];
		await Promise.all(replicas.flatMap((replica) => [replica.close(), replica.close()]));
		for (const replica of replicas) {
			const { stopped, counters } = replica.status();
			expect(stopped).toContain('it was closed');
			// Every slab has come home.
			expect(counters['slabsFree']).toBe(replica.limits.slabsMax);
			expect(cluster.machine(replica.id).isClosed).toBe(true);
		}
		await Promise.all(replicas.map((replica) => replica.close()));
	});

	it('under load rejects everything that is open, and holds no memory', async () => {
		cluster = await Cluster.open(3, () => small);
		const leader = await cluster.leader();
		const open = [
			...Array.from({ length: 800 }, (_, i) =>
				leader.propose(numbered(i, KIB), { whenBusy: 'wait' }),
			),
			...Array.from({ length: 50 }, () => leader.read('last')),
		];
		const outcomes = Promise.allSettled(open);
		const replicas = [...cluster.replicas.values()];
		await new Promise((resolve) => setImmediate(resolve));
		await Promise.all(replicas.map((replica) => replica.close()));
		for (const outcome of await outcomes) {
			if (outcome.status === 'fulfilled') continue;
			expect(['STOPPED', 'UNKNOWN_OUTCOME', 'NOT_LEADER', 'READ_FAILED', 'BUSY']).toContain(
				outcome.reason.code,
			);
		}
		for (const replica of replicas) {
			expect(replica.status().counters['slabsFree']).toBe(replica.limits.slabsMax);
		}
	});

	it('lets the process end: no timer, socket or file is left open', async () => {
		const main = fileURLToPath(new URL('../../dist/src/index.js', import.meta.url));
		expect(existsSync(main), 'npm test builds first').toBe(true);
		const [one] = Object.values(await freePeers(1));
		const program = `
			import { mkdtempSync } from 'node:fs';
			const { openReplica } = await import(${JSON.stringify(main)});
			const replica = await openReplica({
				id: 1, dir: mkdtempSync('/tmp/millrace-end-'), peers: { 1: '${one}' },
				limits: { segmentBytes: 4194304 },
				stateMachine: { apply() {}, query: () => 5 },
			});
			const leads = new Promise((resolve) => replica.on('role', ({ role }) => role === 'leader' && resolve()));
			if (replica.status().role !== 'leader') await leads;
			await replica.propose(new Uint8Array(10));
			await replica.read('x');
			await replica.close();
			console.log('closed');
		`;
		const { stdout } = await promisify(execFile)(
			process.execPath,
			['--input-type=module', '-e', program],
			{ timeout: 30_000 },
		);
		expect(stdout).toBe('closed\n');
	});
});

describe('memory', () => {
	it('rule 30: stays within the slabs under a flood that is refused', async () => {
		cluster = await Cluster.open(3, () => small);
		const leader = await cluster.leader();
		const { slabBytes, slabsMax, uncommittedBytesMax } = leader.limits;
		const before = process.memoryUsage().arrayBuffers;
		let taken = 0;
		let refused = 0;
		let most = 0;
		const entry = numbered(0, 2 * KIB);
		for (let round = 0; round < 200; round++) {
			for (let i = 0; i < 500; i++) {
				leader.propose(entry).then(
					() => {
						taken += 1;
					},
					() => {
						refused += 1;
					},
				);
			}
			const { counters } = leader.status();
			expect(counters['proposedBytes']).toBeLessThanOrEqual(uncommittedBytesMax);
			most = Math.max(most, process.memoryUsage().arrayBuffers);
			await new Promise((resolve) => setImmediate(resolve));
		}
		await until('all have their answer', () => taken + refused === 100_000);
		expect(refused).toBeGreaterThan(taken);
		expect(taken).toBeGreaterThan(200);
		for (const replica of cluster.replicas.values()) {
			expect(replica.status().counters['slabsMade']).toBeLessThanOrEqual(slabsMax);
		}
		// Three replicas' slabs, and as much again for whatever the test and Node hold.
		expect(most - before).toBeLessThan(6 * slabBytes * slabsMax + 32 * KIB * KIB);
	});

	it('that was lent comes back: as much is free after a load as before it', async () => {
		cluster = await Cluster.open(3, () => small);
		const leader = await cluster.leader();
		const round = async () => {
			for (let i = 0; i < 20; i++) {
				await Promise.all(Array.from({ length: 100 }, (_, n) => leader.propose(numbered(n, KIB))));
			}
			await cluster!.settled();
			return [...cluster!.replicas.values()].map(
				(replica) => replica.limits.slabsMax - replica.status().counters['slabsFree']!,
			);
		};
		for (let i = 0; i < 3; i++) {
			for (const held of await round()) {
				// Its window of the log, what it writes into, and one for each stream it reads.
				expect(held).toBeLessThanOrEqual(6);
			}
		}
	});
});

describe('what a replica tells', () => {
	it('status and the events of its role', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const { index } = await leader.propose(numbered(1));
		await cluster.settled();
		const status = leader.status();
		expect(status).toMatchObject({
			id: leader.id,
			group: 1,
			cluster: 'millrace',
			role: 'leader',
			leader: leader.id,
			first: 1,
			last: index,
			committed: index,
			applied: index,
			durability: 'sync',
			stopped: null,
		});
		expect(status.peers.map(({ id }) => id)).toEqual(cluster.ids.filter((id) => id !== leader.id));
		await until('both peers have it', () =>
			leader.status().peers.every((peer) => peer.connected && peer.match === index),
		);
		for (const follower of await cluster.followers()) {
			expect(follower.status()).toMatchObject({ role: 'follower', leader: leader.id });
			expect(follower.status().peers.every(({ match }) => match === -1)).toBe(true);
		}
		const told: { role: string; term: number; leader: number }[] = [];
		for (const replica of cluster.replicas.values()) {
			if (replica !== leader) replica.on('role', (role) => told.push(role));
		}
		await cluster.stop(leader.id);
		const next = await cluster.leader();
		const { term } = next.status();
		expect(term).toBeGreaterThan(status.term);
		expect(told).toContainEqual({ role: 'leader', term, leader: next.id });
		await until('the other one has told', () =>
			told.some(({ role, leader: id }) => role === 'follower' && id === next.id),
		);
	});

	it("durability 'os' replicates too, and says so", async () => {
		cluster = await Cluster.open(3, () => ({ durability: 'os' }));
		const leader = await cluster.leader();
		await leader.propose(numbered(1));
		expect(leader.status().durability).toBe('os');
	});
});

describe('uWebSockets.js', () => {
	const isLoadable = import('uWebSockets.js' as string).then(
		() => true,
		() => false,
	);

	it('is loaded where it is installed, and only when it is asked for', async ({ skip }) => {
		if (!(await isLoadable)) skip(`not installed for Node ${process.versions.node}`);
		const loaded: object = await import('uWebSockets.js' as string);
		expect(loaded).toHaveProperty('App');
	});
});
