import { once } from 'node:events';
import { openReplica } from 'millrace';

const peers = { 1: '127.0.0.1:7301', 2: '127.0.0.1:7302', 3: '127.0.0.1:7303' };
const stateMachine = { apply: () => undefined };
const open = (id: number) => openReplica({ id, dir: `profiled/${id}`, peers, stateMachine });
const replicas = await Promise.all([1, 2, 3].map(open));
const findLeader = () => replicas.find((replica) => replica.status().role === 'leader');
while (!findLeader()) await Promise.race(replicas.map((replica) => once(replica, 'role')));
const leader = findLeader()!;

const own = leader.profile();
// On other machines: `recording()` is plain data, to be sent here as you like.
const others = replicas.filter((replica) => replica !== leader).map((replica) => replica.profile());
for (let i = 0; i < 100; i++) await leader.propose(Uint8Array.of(i));
for (const profiling of [own, ...others]) profiling.stop();

const report = own.report(others.map((profiling) => profiling.recording()));
console.log(`${report.commits} commits, p99 ${report.total.p99.toFixed(2)} ms`);
for (const { cause, share } of report.causes) console.log(`${(share * 100).toFixed(1)} % ${cause}`);
await Promise.all(replicas.map((replica) => replica.close()));
