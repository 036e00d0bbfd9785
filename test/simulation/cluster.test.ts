import { describe, expect, it } from 'vitest';
import { drawPlan, faultNames } from './cluster-plan.js';
import { simulate } from './cluster-run.js';
import { SimulatedRandom } from './random.js';

const SEEDS = 200;
const GROUPS = 8;

/** What some seed must have come to: a world in which it never happens says nothing about it. */
const mustHappen = [
	...faultNames.map((name) => `fault ${name}`),
	...['failed write EIO', 'failed write ENOSPC', 'failed read EIO', 'failed sync EIO'],
	...['refused by a full disk', 'read from a full disk', 'throws'],
	...['lost', 'misdirected', 'refusals', 'repairs', 'admitted', 'foundRunning'],
	...['cut', 'isolate', 'one-way', 'partial', 'slow-link', 'suspend', 'kill', 'close'].map(
		(name) => `fault client ${name}`,
	),
	...['operations', 'cas', 'mismatches'],
	...['add', 'promote', 'remove', 'replace', 'swap'].map((kind) => `${kind} granted`),
	...['add not granted', 'add not now'],
	...['plans on hosts', 'hosts failed', 'siblings acknowledged', 'siblings resting'],
	...['siblings commits', 'siblings elections'],
	...[
		'acknowledged',
		'reads',
		'tailed',
		'elections',
		'repeated',
		'dropped',
		'tornBytes',
		'recycled',
		'resultsAgain',
		'sessionsEnded',
	],
];

describe('whole replicas on simulated doors', () => {
	const seen: Record<string, number> = {};

	// In groups, so that a failure names fewer seeds; each run names its own as well.
	for (let group = 0; group < GROUPS; group++) {
		const first = 1 + (group * SEEDS) / GROUPS;
		const last = first + SEEDS / GROUPS - 1;
		it(`keep every promise, seeds ${first} to ${last}`, async () => {
			for (let seed = first; seed <= last; seed++) {
				const outcome = await simulate(seed);
				for (const [name, count] of Object.entries(outcome.seen))
					seen[name] = (seen[name] ?? 0) + count;
			}
		});
	}

	it('and everything happened', () => {
		for (const name of mustHappen) expect(seen[name], name).toBeGreaterThan(0);
	});

	it('do the same again from the same seed', async () => {
		const first = await simulate('again');
		expect(await simulate('again')).toEqual(first);
		expect((await simulate('another')).hash).not.toBe(first.hash);
	});

	it('are of every size', () => {
		const sizes = new Set<number>();
		for (let seed = 0; seed < 100; seed++)
			sizes.add(drawPlan(new SimulatedRandom(`${seed}`)).replicas);
		expect([...sizes].sort()).toEqual([1, 2, 3, 5]);
	});
});
