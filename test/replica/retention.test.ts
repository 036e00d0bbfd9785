import { expect, it } from 'vitest';
import { StateMachineFailed } from '../../src/errors.js';
import { NumberMachine, numbered, SnapshotMachine } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';
import { expectAsInTable, recorder } from './told.js';

const RETAIN_BYTES = 128 * KIB;
/** As in `src/replica/loop.ts`: how many times as much is kept for one that lags and answers. */
const LAG_FACTOR = 4;

interface Lagging {
	readonly small: SmallWorld;
	readonly leader: Node;
	readonly follower: Node;
	/** Proposes so many KiB through the leader. */
	readonly grow: (kibibytes: number) => Promise<void>;
}

/** Three replicas, one of which answers and gets on with nothing: its disk is stuck. */
async function lagging(seed: string): Promise<Lagging> {
	const small = await SmallWorld.open(seed, 3, () => ({ retainBytes: RETAIN_BYTES }));
	const leader = await small.leader();
	const follower = small.nodes.find((node) => node !== leader)!;
	const grow = async (kibibytes: number) => {
		for (let i = 0; i < kibibytes; i += 4) {
			const four = [0, 1, 2, 3].map((n) => leader.replica.propose(numbered(n, KIB)));
			await small.world.complete(Promise.all(four));
		}
		await small.world.run(100);
	};
	await grow(8);
	return { small, leader, follower, grow };
}

const matchOf = ({ leader, follower }: Lagging) => leader.parts.raft.progress(follower.id)!.match;

it('rule 13: what a live follower lacks is kept beyond retainBytes, and it catches up from there', async () => {
	const world = await lagging('keeps');
	const { small, leader, follower, grow } = world;
	follower.machine.disk.stall();
	await grow(RETAIN_BYTES / KIB + 192);
	// More than is asked for is kept, for the sake of one that can still catch up.
	expect(leader.parts.log.liveBytes).toBeGreaterThan(RETAIN_BYTES + 64 * KIB);
	expect(leader.parts.log.base.index).toBeLessThanOrEqual(matchOf(world));
	// It loses what it has in memory, so that it needs all of that.
	follower.machine.crash();
	small.nodes[small.nodes.indexOf(follower)] = await small.start(follower.id);
	await small.until('it has caught up', () => matchOf(world) === leader.parts.raft.lastIndex);
	// Nobody lags any more: what was kept for it goes.
	await grow(64);
	expect(leader.parts.log.liveBytes).toBeLessThanOrEqual(RETAIN_BYTES + 64 * KIB);
});

it('rule 30: one that lags too far is waited for no more', async () => {
	const world = await lagging('bounded');
	const { leader, follower, grow } = world;
	follower.machine.disk.stall();
	await grow((LAG_FACTOR * RETAIN_BYTES) / KIB + 256);
	expect(leader.parts.log.liveBytes).toBeLessThanOrEqual(LAG_FACTOR * RETAIN_BYTES + 64 * KIB);
	expect(leader.parts.log.base.index).toBeGreaterThan(matchOf(world));
});

it('one that is gone is not waited for', async () => {
	const world = await lagging('gone');
	const { small, leader, follower, grow } = world;
	follower.machine.crash();
	await small.world.run(3000);
	await grow(RETAIN_BYTES / KIB + 192);
	expect(leader.parts.log.liveBytes).toBeLessThanOrEqual(RETAIN_BYTES + 64 * KIB);
	expect(leader.parts.log.base.index).toBeGreaterThan(matchOf(world));
});

it('a state machine that neither keeps its state nor gives snapshots is warned of what it can’t do, and can’t', async () => {
	const { told, log } = recorder();
	const small = await SmallWorld.open('no way back', 1, () => ({ retainBytes: 0, log }));
	expectAsInTable(told);
	const { fields } = told.find(({ event }) => event === 'state-not-kept')!;
	expect(fields['retainBytes']).toBe(0);
	const { replica, machine } = await small.leader();
	for (let i = 0; replica.status().first === 1; i++)
		await small.world.complete(replica.propose(numbered(i, KIB)));
	// The file is used again, or gone.
	await small.world.run(100);
	machine.kill();
	const error = await small.start(1, { retainBytes: 0 }).catch((reason: unknown) => reason);
	expect(error).toBeInstanceOf(StateMachineFailed);
	expect((error as Error).message).toMatch(/it holds entries up to 0, but the log begins at/);
});

it('those that can come back aren’t', async () => {
	const { told, log } = recorder();
	class Kept extends NumberMachine {
		open(): number {
			return 0;
		}
	}
	await SmallWorld.open('whole', 1, () => ({ log }));
	const bounded = { retainBytes: 0, log };
	await SmallWorld.open('given', 1, () => ({ ...bounded, stateMachine: new SnapshotMachine() }));
	await SmallWorld.open('kept', 1, () => ({ ...bounded, stateMachine: new Kept() }));
	const names = told.map(({ event }) => event);
	expect(names.filter((event) => event === 'started')).toHaveLength(3);
	expect(names).not.toContain('state-not-kept');
});
