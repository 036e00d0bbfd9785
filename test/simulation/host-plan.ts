import type { Plan } from './cluster-plan.js';
import type { SimulatedRandom } from './random.js';

/** Less than a journal holds, so that every flush goes through it. */
const FLUSH_BYTES_MAX = 65_536;
const HOSTS_CHANCE = 0.15;

/**
 * In a share of the plans each replica is one of the groups of a host, and a host has one or two more (`Siblings`). The members
 * stay who they are there; on a connection that is shared no message can be dropped or repeated alone; and disks don't lie,
 * for a journal that rots in its middle is refused with all of its groups.
 */
export function onHosts(random: SimulatedRandom, plan: Plan, isWanted: boolean): Partial<Plan> {
	const isDrawn = random.chance(HOSTS_CHANCE);
	if (plan.durability === 'os' || !(isDrawn || isWanted)) return {};
	const faults = new Map(plan.faults);
	for (const name of ['bit-rot', 'lost-write', 'misdirected-write'] as const)
		faults.set(name, Number.POSITIVE_INFINITY);
	return {
		siblings: 1 + random.below(2),
		journalBytes: (random.chance(0.5) ? 2 : 8) * FLUSH_BYTES_MAX,
		joiners: 0,
		dropChance: 0,
		repeatChance: 0,
		faults,
		limits: {
			...plan.limits,
			flushBytesMax: Math.min(plan.limits.flushBytesMax, FLUSH_BYTES_MAX),
		},
	};
}
