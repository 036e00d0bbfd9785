/** What a replica makes of damage to its snapshot, and to what its snapshot covers. */
import { expect, it } from 'vitest';
import { segmentNumber } from '../../src/log/segment-store.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { numbered, SnapshotMachine } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';

/** Three replicas that have taken snapshots; the last follower, crashed. */
async function crashed(seed: string, retainBytes: number) {
	const machines = new Map<number, SnapshotMachine>();
	const lines: string[] = [];
	const options = (id: number): Partial<ReplicaOptions> => {
		machines.set(id, new SnapshotMachine());
		const stateMachine = machines.get(id)!;
		const log = (line: string) => lines.push(line);
		return { stateMachine, snapshotEveryBytes: 128 * KIB, retainBytes, log };
	};
	const small = await SmallWorld.open(seed, 3, options);
	const leader = await small.leader();
	for (let n = 1; n <= 400; n++) {
		await small.world.complete(leader.replica.propose(numbered(n, KIB)));
	}
	await small.world.run(500);
	const follower = small.nodes.find((node) => node !== leader)!;
	follower.machine.crash();
	const { fileSystem } = follower.machine.disk;
	return {
		follower,
		lines,
		/** Flips a bit in the oldest segment, or the newest snapshot. */
		damage: (where: string, at: number) => {
			const path = `/data/${where}`;
			const isWhole = (name: string) => segmentNumber(name) !== null || name.endsWith('.mrs');
			const names = fileSystem.list(path).filter(isWhole);
			// A crash may bring the snapshot before back.
			const name = where === 'log' ? names[0] : names.at(-1);
			follower.machine.disk.flipBit(`${path}/${name}`, at, 2);
		},
		/** Starts it again, and waits until it has everything and is a voter. */
		back: async (): Promise<Node> => {
			const { id } = follower;
			const node = await small.start(id, options(id));
			small.nodes[id - 1] = node;
			const isThere = () =>
				machines.get(id)!.numbers.length >= 400 && node.replica.status().standing === 'voter';
			await small.until('it has everything', isThere);
			expect(machines.get(id)!.numbers).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
			return node;
		},
	};
}

it('of which the log has everything: it goes on, and says so', async () => {
	const { damage, back, lines } = await crashed('log has it', 10_000 * KIB);
	damage('snapshots', 150);
	await back();
	expect(lines.filter((line) => line.includes('the log has all of that'))).toHaveLength(1);
	expect(lines.join()).not.toContain('fetched from the peers');
});

it('to a part of the log of which the snapshot has everything: it goes on, and says so', async () => {
	const { damage, back, lines } = await crashed('snapshot has it', 10_000 * KIB);
	damage('log', 5000);
	const { parts } = await back();
	expect(parts.log.recovered.covered!.message).toContain('damaged at byte');
	expect(lines.filter((line) => line.includes('the snapshot has all of that'))).toHaveLength(1);
	expect(lines.join()).not.toContain('fetched from the peers');
});

it('to a snapshot behind which the log begins: it fetches all from its peers, on probation', async () => {
	const { damage, back, lines } = await crashed('neither', 0);
	damage('snapshots', 150);
	await back();
	expect(lines.filter((line) => line.includes('will be fetched from the peers'))).toHaveLength(1);
});
