import { describe, expect, it } from 'vitest';
import { simulate } from './cluster-run.js';

const SEEDS = 40;
const GROUPS = 4;

describe('replicas of different versions', () => {
	const seen: Record<string, number> = {};

	for (let group = 0; group < GROUPS; group++) {
		const first = 1 + (group * SEEDS) / GROUPS;
		const last = first + SEEDS / GROUPS - 1;
		it(`keep every promise while they are upgraded, seeds ${first} to ${last}`, async () => {
			for (let seed = first; seed <= last; seed++) {
				const outcome = await simulate(seed, { upgrades: true });
				for (const [name, count] of Object.entries(outcome.seen))
					seen[name] = (seen[name] ?? 0) + count;
			}
		});
	}

	it('and it happened, among faults and with remote clients', () => {
		for (const name of ['upgraded', 'downgraded', 'mixed', 'acknowledged', 'elections'])
			expect(seen[name], name).toBeGreaterThan(SEEDS);
		for (const name of ['leftMixed', 'upgradedAll']) expect(seen[name], name).toBeGreaterThan(5);
		for (const name of ['installed', 'repairs', 'fault client kill', 'leadership handed over'])
			expect(seen[name], name).toBeGreaterThan(0);
	});
});
