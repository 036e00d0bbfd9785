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
	const propose = async (first: number, last: number) => {
		for (let n = first; n <= last; n++)
			await small.world.complete(leader.replica.propose(numbered(n, KIB)));
	};
	await propose(1, 400);
	await small.world.run(500);
	const follower = small.nodes.find((node) => node !== leader)!;
	follower.machine.crash();
	const { fileSystem } = follower.machine.disk;
	return {
		follower,
		lines,
		propose,
		/** Flips a bit in the newest snapshot of the leader, which goes on. @returns the leader */
		damageOf: async () => {
			await small.world.complete(leader.replica.snapshot());
			const { disk } = leader.machine;
			const name = disk.fileSystem
				.list('/data/snapshots')
				.findLast((each) => each.endsWith('.mrs'));
			disk.flipBit(`/data/snapshots/${name}`, 1500, 2);
			return leader;
		},
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
		back: async (last = 400): Promise<Node> => {
			const { id } = follower;
			const node = await small.start(id, options(id));
			small.nodes[id - 1] = node;
			const isThere = () =>
				machines.get(id)!.numbers.length >= last && node.replica.status().standing === 'voter';
			await small.until('it has everything', isThere);
			expect(machines.get(id)!.numbers).toEqual(Array.from({ length: last }, (_, i) => i + 1));
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

it('of the leader, since it was verified: a follower finds out, and is sent a fresh one', async () => {
	const { follower, lines, back, damageOf, propose } = await crashed('rotten', 0);
	await propose(401, 800);
	const leader = await damageOf();
	const { identity } = leader.parts.store.latest!;
	await back(800);
	expect(lines.join('\n')).toMatch(
		/snapshot-\d+-\d+\.mrs: damaged at byte .*: a fresh snapshot takes its place/,
	);
	expect(lines.filter((line) => line.includes('is no use'))).toHaveLength(1);
	expect(leader.parts.store.latest!.identity).not.toBe(identity);
	expect(follower.id).not.toBe(leader.id);
	expect(leader.replica.stopped).toBeNull();
});
