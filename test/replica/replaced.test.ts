import { afterEach, expect, it } from 'vitest';
import { connect } from '../../src/client/index.js';
import type { RemoteClient } from '../../src/client/remote-client.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, until } from './cluster.js';
import { freePeers } from './ports.js';

let cluster: Cluster;
let client: RemoteClient;
afterEach(async () => {
	await client.close();
	await cluster.close();
});

const entry = (number: number) => new TextEncoder().encode(String(number));

/** Whoever leads, of those that are open. */
async function leader(): Promise<Replica> {
	const find = () => [...cluster.replicas.values()].find((each) => each.status().role === 'leader');
	await until('somebody leads', () => find() !== undefined);
	return find()!;
}

it('a client that was given one address goes on when all replicas have been replaced, one by one', async () => {
	cluster = await Cluster.open(3);
	await cluster.leader();
	const fresh = await freePeers(6);
	client = connect({ peers: { 1: cluster.peers[1]! } });
	let count = 0;
	const propose = async () => {
		count += 1;
		await client.propose(entry(count));
	};
	await propose();
	for (const old of [2, 3, 1]) {
		const id = old + 3;
		const peers: Record<number, string> = { [id]: fresh[id]! };
		for (const { id: voter, address } of (await leader()).status().members.voters) {
			peers[voter] = address;
		}
		await cluster.start(id, { peers, join: true });
		await (await leader()).replaceMember(old, { id, address: fresh[id]! });
		await propose();
		await cluster.stop(old);
		await propose();
	}
	expect([...cluster.replicas.keys()].sort()).toEqual([4, 5, 6]);
	await propose();
	await until('all has come', () => cluster.machine(5).numbers.length === count);
	const reports = await client.status();
	const answering = reports.flatMap(({ id, status }) => (status === null ? [] : [id]));
	expect(answering).toEqual([4, 5, 6]);
	// One that begins now, and knows one of the new ones only.
	const other = connect({ peers: { 5: fresh[5]! } });
	await other.propose(entry(0));
	await other.close();
});
