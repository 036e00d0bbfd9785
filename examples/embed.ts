import { once } from 'node:events';
import { type BatchView, openReplica } from 'millrace';

class Sum {
	sum = 0;
	/** Called with the same batches in the same order on every replica; each proposer gets its result. */
	apply = (batch: BatchView) =>
		Array.from({ length: batch.count }, (_, i) => (this.sum += batch.entry(i)[0]!));
	query = () => this.sum;
}

const peers = { 1: '127.0.0.1:7201', 2: '127.0.0.1:7202', 3: '127.0.0.1:7203' };
const open = (id: number) => openReplica({ id, dir: `sums/${id}`, peers, stateMachine: new Sum() });
const replicas = await Promise.all([1, 2, 3].map(open));
const findLeader = () => replicas.find((replica) => replica.status().role === 'leader');
while (!findLeader()) await Promise.race(replicas.map((replica) => once(replica, 'role')));

const leader = findLeader()!;
const { index, result } = await leader.propose(Uint8Array.of(42));
console.log(`entry ${index} made the sum ${result}; a read says ${await leader.read('sum')}`);
await Promise.all(replicas.map((replica) => replica.close()));
