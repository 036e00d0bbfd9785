import { once } from 'node:events';
import { type BatchView, openHost, type Replica } from 'millrace';

/** One per group: each group has its own log, its own leader and its own state. */
class Sum {
	sum = 0;
	apply = (batch: BatchView) =>
		Array.from({ length: batch.count }, (_, i) => (this.sum += batch.entry(i)[0]!));
	query = () => this.sum;
}

const peers = { 1: '127.0.0.1:7301', 2: '127.0.0.1:7302', 3: '127.0.0.1:7303' };
const open = (id: number) => openHost({ id, dir: `hosts/${id}`, peers });
const hosts = await Promise.all([1, 2, 3].map(open));

async function openGroup(group: number): Promise<Replica> {
	const each = hosts.map((host) => host.openGroup(group, { stateMachine: new Sum() }));
	const replicas = await Promise.all(each);
	const findLeader = () => replicas.find((replica) => replica.status().role === 'leader');
	while (!findLeader()) await Promise.race(replicas.map((replica) => once(replica, 'role')));
	return findLeader()!;
}

const leaders = await Promise.all([1, 2, 3, 4].map(openGroup));
const proposed = await Promise.all(leaders.map((leader) => leader.propose(Uint8Array.of(42))));
const reads = await Promise.all(leaders.map((leader) => leader.read('sum')));
console.log(`${proposed.length} groups say ${reads.join(', ')}`);
await Promise.all(hosts.map((host) => host.close()));
