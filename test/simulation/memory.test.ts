import { expect, test } from 'vitest';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { drawPlan } from './cluster-plan.js';
import { World } from './world.js';

test('what two leaders leave uncommitted on a replica leaves it memory to hear that it is', async () => {
	const world = new World('memory');
	const plan = drawPlan(world.random.fork('plan'));
	const cluster = new Cluster(world, {
		...plan,
		replicas: 3,
		joiners: 0,
		durability: 'sync',
		entryBytesMax: 12_000,
		retainBytes: Number.POSITIVE_INFINITY,
		clockRates: [1, 1, 1],
		cutChance: 0,
		dropChance: 0,
		repeatChance: 0,
		limits: {
			...plan.limits,
			slabBytes: 32_768,
			slabsMax: 8,
			batchBytes: 16_384,
			entryBytesMax: 12_288,
			uncommittedBytesMax: 131_072,
			inflightBytesMax: 1_048_576,
			inflightMessagesMax: 256,
		},
	});
	const { nodes, ledger } = cluster;
	const { network } = world;
	for (const node of nodes) node.start();
	const until = async (condition: () => boolean) =>
		expect(await world.until(condition, 20_000)).toBe(true);
	const leader = () => nodes.find((node) => node.isLeader && node.parts!.loop.isReadyLeader);
	await until(() => nodes.every((node) => node.replica?.status().standing === 'voter'));
	await until(() => leader() !== undefined);
	await world.run(500);

	/** Fills what a leader may have uncommitted. */
	const fill = ({ replica }: ClusterNode) => {
		for (let left = 12; left > 0; ) {
			const entry = ledger.entry();
			if (entry.length < 12_000) continue;
			left -= 1;
			replica!.propose(entry).catch(() => {});
		}
	};
	// The first one's entries reach one other, whose answers get lost.
	const first = leader()!;
	const [second, third] = nodes.filter((node) => node !== first);
	network.partition([third!.name], [first.name, second!.name]);
	network.block([second!.name], [first.name]);
	fill(first);
	await world.run(20);
	await until(() => second!.parts!.raft.persisted === first.parts!.raft.lastIndex);
	// That one leads next, and adds its own.
	network.heal();
	network.partition([first.name], [second!.name, third!.name]);
	await until(() => second!.isLeader);
	network.block([third!.name], [second!.name]);
	fill(second!);
	// What it is sent meanwhile comes before the news, and is more than the slabs it reads into can take.
	await world.run(150_000);
	network.heal();
	const { lastIndex } = second!.parts!.raft;
	await until(() => nodes.every((node) => node.parts!.applier.applied >= lastIndex));
	expect(ledger.violation).toBe(null);
});
