import { expect, it } from 'vitest';
import { NoSpace } from '../../src/errors.js';
import { numbered } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';

/** Proposes until the leader's disk is too full for it. @returns how many were taken */
async function fill(small: SmallWorld, leader: Node): Promise<number> {
	for (let count = 0; ; count++) {
		try {
			await small.world.complete(leader.replica.propose(numbered(count, 4 * KIB)));
		} catch (error) {
			expect(error).toBeInstanceOf(NoSpace);
			return count;
		}
	}
}

function shrink({ machine }: Node, bytes: number): void {
	const { fileSystem } = machine.disk;
	fileSystem.capacityBytes += bytes - fileSystem.freeBytes;
}

it('rule 28: a leader whose disk is full makes way for one that has room', async () => {
	const small = await SmallWorld.open('one is full', 3);
	const leader = await small.leader();
	shrink(leader, 200 * KIB);
	const count = await fill(small, leader);
	await small.until('it is no leader', () => !leader.parts.loop.isLeader);
	const next = await small.leader();
	await small.world.complete(next.replica.propose(numbered(count)));
	expect(next.state.numbers.length).toBe(count + 1);
	expect(leader.replica.stopped).toBeNull();
});

it('rule 28: where nobody has room, leadership does not go round and round', async () => {
	const small = await SmallWorld.open('all are full', 3);
	for (const node of small.nodes) shrink(node, 200 * KIB);
	const leader = await small.leader();
	await fill(small, leader);
	const { term } = leader.parts.raft;
	await small.world.run(10_000);
	const after = Math.max(...small.nodes.map(({ parts }) => parts.raft.term));
	// Each of them may have tried once in six seconds.
	expect(after - term).toBeLessThan(7);
	expect((await small.leader()).replica.stopped).toBeNull();
});
