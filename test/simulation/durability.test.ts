import { expect, test } from 'vitest';
import { Corruption } from '../../src/errors.js';
import type { Recovered } from '../../src/log/types.js';
import { open } from '../../src/replica/open.js';
import type { Durability } from '../../src/replica/types.js';
import { Cluster } from './cluster.js';
import { Clients } from './cluster-clients.js';
import type { ClusterNode } from './cluster-node.js';
import { drawPlan } from './cluster-plan.js';
import { readFlush } from './cluster-witness.js';
import { World } from './world.js';

const SEEDS = 30;

/** What became of clusters that lost all their power at once. */
class Aftermath {
	/** Clusters in which something acknowledged is on no disk any more. */
	losses = 0;
	/** Replicas that refuse to open, and that have less than they reported durable. */
	refusals = 0;
	shortened = 0;
}

/** Every batch a node ever gave to its disk: its last index, by its checksum. */
function watch({ machine: { disk } }: ClusterNode): Map<number, number> {
	const written = new Map<number, number>();
	const note = (bytes: Uint8Array) => {
		for (const { checksum, last } of readFlush(bytes)?.batches ?? []) written.set(checksum, last);
	};
	const { onWritten, onTorn } = disk;
	disk.onWritten = (write, isDurable) => {
		onWritten?.(write, isDurable);
		note(write.bytes);
	};
	disk.onTorn = (write) => {
		onTorn?.(write);
		note(write.bytes);
	};
	return written;
}

async function losePower(seed: number, durability: Durability, sum: Aftermath): Promise<void> {
	const world = new World(`power ${seed}`);
	const cluster = new Cluster(world, {
		...drawPlan(world.random.fork('plan')),
		replicas: 3,
		joiners: 0,
		clockRates: [1, 1, 1],
		// All is in the log: what is on a disk is what it finds of that.
		retainBytes: Number.POSITIVE_INFINITY,
		snapshotEveryBytes: Number.POSITIVE_INFINITY,
		keeps: false,
		tails: 0,
		durability,
	});
	const written = cluster.nodes.map(watch);
	for (const node of cluster.nodes) node.start();
	new Clients(cluster).begin();
	expect(await world.until(() => cluster.ledger.acknowledged > 50, 20_000)).toBe(true);
	const { acknowledged } = cluster.ledger;
	for (const node of cluster.nodes) node.end(true);
	let kept = 0;
	for (const node of cluster.nodes) {
		const found = await look(cluster, node);
		if (found === null) sum.refusals += 1;
		else {
			// What is there is what was written.
			const { index, checksum } = found.end;
			if (index > 0) expect(written[node.id - 1]!.get(checksum)).toBe(index);
			if (index < node.witness.last!.last) sum.shortened += 1;
			kept = Math.max(kept, index);
		}
	}
	if (kept < acknowledged) sum.losses += 1;
}

/** What a replica finds of its log; null if it refuses it. */
async function look(cluster: Cluster, { id, machine }: ClusterNode): Promise<Recovered | null> {
	const { plan, peers, world } = cluster;
	const stateMachine = { apply: () => undefined };
	const { limits, electionTimeoutMs, heartbeatMs } = plan;
	const options = {
		id,
		dir: '/data',
		peers,
		limits,
		electionTimeoutMs,
		heartbeatMs,
		stateMachine,
		onDamage: 'refuse' as const,
	};
	let recovered: Recovered | null = null;
	const opening = open(options, machine.start(), ({ log }) => {
		recovered = log.recovered;
	});
	try {
		await world.complete(opening);
	} catch (error) {
		expect(error).toBeInstanceOf(Corruption);
		expect((error as Corruption).path).toMatch(/\.segment$/);
	}
	machine.kill();
	return recovered;
}

test("what 'sync' acknowledged survives a power failure of all", async () => {
	const sum = new Aftermath();
	for (let seed = 0; seed < SEEDS; seed++) await losePower(seed, 'sync', sum);
	expect(sum).toEqual(new Aftermath());
});

test("of what 'os' acknowledged some may be lost, or refused; what is there is true", async () => {
	const sum = new Aftermath();
	for (let seed = 0; seed < SEEDS; seed++) await losePower(seed, 'os', sum);
	expect(sum.losses).toBeGreaterThan(0);
	expect(sum.refusals).toBeGreaterThan(0);
	expect(sum.shortened).toBeGreaterThan(0);
});
