import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { nativeDoors } from '../../native-free-io/index.js';
import type { Cause } from '../../src/profile/causes.js';
import { Cluster, pause, until } from './cluster.js';
import { numbered } from './machines.js';

/** The event loop of a real process is held up: no simulated one can be. */

const COMMITS = 15;
/** Longer than a write that nothing makes durable takes, even on a machine that is busy. */
const BLOCK_MS = 30;

let cluster: Cluster | null = null;

afterEach(async () => {
	await cluster?.close();
	cluster = null;
});

/** What most of the time went to while each commit is treated like that. */
async function mainCause(treat: () => void): Promise<Cause> {
	cluster = await Cluster.open(1, () => ({ durability: 'os' }));
	const leader = await cluster.leader();
	const profiling = leader.profile();
	for (let i = 0; i < COMMITS; i++) {
		const proposed = leader.propose(numbered(i));
		// At the end of this turn it goes into the log and to the disk; what is treated comes behind that.
		for (let turns = 0; turns < 5; turns++) await null;
		treat();
		await proposed;
	}
	// Collections are told of a little later.
	await pause(50);
	profiling.stop();
	const { causes, commits } = profiling.report();
	expect(commits).toBe(COMMITS);
	return causes.toSorted((a, b) => b.share - a.share)[0]!.cause;
}

function spin(): void {
	const end = performance.now() + BLOCK_MS;
	while (performance.now() < end);
}

it('a profile finds the event loop that was blocked in a turn of the replica’s', async () => {
	expect(await mainCause(spin)).toBe('event loop');
});

it('a profile finds the event loop that somebody else’s timer blocks over and over', async () => {
	const timer = setInterval(spin, 1);
	try {
		expect(await mainCause(() => {})).toBe('event loop');
	} finally {
		clearInterval(timer);
	}
});

it('a profile finds garbage collection', async () => {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as () => void;
	const held = Array.from({ length: 200_000 }, (_, i) => ({ i }));
	const cause = await mainCause(() => {
		const end = performance.now() + BLOCK_MS;
		while (performance.now() < end) collect();
	});
	expect(held).toHaveLength(200_000);
	expect(cause).toBe('garbage collection');
});

it('the process tells of collections, in the time of its clock', async () => {
	const { clock, pauses } = nativeDoors();
	const told: [number, number][] = [];
	const end = pauses!.watch((from, to) => told.push([from, to]));
	const before = clock.now();
	setFlagsFromString('--expose-gc');
	(runInNewContext('gc') as () => void)();
	const after = clock.now();
	await until('it is told', () => told.some(([from]) => from >= before && from <= after));
	const [from, to] = told.find(([at]) => at >= before && at <= after)!;
	expect(to).toBeGreaterThan(from);
	expect(to).toBeLessThanOrEqual(after);
	end();
	const { length } = told;
	(runInNewContext('gc') as () => void)();
	await pause(20);
	expect(told).toHaveLength(length);
});
