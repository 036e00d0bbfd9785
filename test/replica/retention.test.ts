import { expect, it } from 'vitest';
import { numbered } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';

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
