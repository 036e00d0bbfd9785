/** What all examples need: three replicas in one process, where yours would be three machines. */
import { once } from 'node:events';
import { openReplica, type Replica, type StateMachine } from 'millrace';

export interface Three<Machine> {
	readonly leader: Replica;
	/** The leader's state machine, and the others'. */
	readonly machine: Machine;
	readonly machines: readonly Machine[];
	/** As `connect` wants it. */
	readonly peers: Readonly<Record<number, string>>;
	close(): Promise<void>;
}

export async function openThree<Machine extends StateMachine>(
	directory: string,
	make: (id: number) => Machine,
): Promise<Three<Machine>> {
	const peers = { 1: '127.0.0.1:7211', 2: '127.0.0.1:7212', 3: '127.0.0.1:7213' };
	const machines = [1, 2, 3].map(make);
	const open = (stateMachine: Machine, i: number) =>
		openReplica({ id: i + 1, dir: `${directory}/${i + 1}`, peers, stateMachine });
	const replicas = await Promise.all(machines.map(open));
	const find = () => replicas.findIndex((replica) => replica.status().role === 'leader');
	while (find() < 0) await Promise.race(replicas.map((replica) => once(replica, 'role')));
	const leader = replicas[find()]!;
	const { voters } = leader.status().members;
	return {
		leader,
		machine: machines[find()]!,
		machines,
		peers: Object.fromEntries(voters.map(({ id, address }) => [id, address])),
		async close() {
			await Promise.all(replicas.map((replica) => replica.close()));
		},
	};
}
