import type { SimulatedRandom } from '../simulation/random.js';
import type { NetworkAbility, TortureNetwork } from './network.js';

/** Every kind of fault there is. */
export const FAULTS = [
	'kill',
	'kill-majority',
	'kill-all',
	'kill-again-and-again',
	'pause',
	'pause-majority',
	'isolate',
	'isolate-with-clients',
	'deaf',
	'mute',
	'split',
	'cut-pair',
	'latency',
	'loss',
	'slow',
	'reset',
	'flip-bits',
	'truncate-file',
	'wipe-directory',
	'full-disk',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** These need all others to be well, and come alone. */
export const DAMAGE: ReadonlySet<FaultName> = new Set([
	'flip-bits',
	'truncate-file',
	'wipe-directory',
]);
const ALONE: ReadonlySet<FaultName> = new Set([...DAMAGE, 'full-disk', 'kill-all']);

/** Whom a fault hits is known only when it comes; this says how to choose. */
export interface PlannedFault {
	readonly name: FaultName;
	readonly aim: 'leader' | 'follower' | 'anybody';
	/** In [0, 1): which one of several. */
	readonly which: number;
	/** For what else is up to chance. */
	readonly random: SimulatedRandom;
}

/** One or two faults at the same time, from the first one until everything is healed. */
export interface Step {
	readonly faults: readonly PlannedFault[];
	readonly holdMs: number;
	readonly calmMs: number;
}

export interface PlanOptions {
	readonly random: SimulatedRandom;
	/** Those that this run can and shall do. */
	readonly names: readonly FaultName[];
	readonly holdMsMax: number;
}

/** An endless plan from a seed. All faults come once, in an order of chance, before one comes again. */
export function* makePlan({ random, names, holdMsMax }: PlanOptions): Generator<Step, never> {
	for (let round = 0; ; round++) {
		const draw = random.fork(`round ${round}`);
		for (const name of shuffled(names, draw)) {
			const second = names[draw.below(names.length)]!;
			const isPair = draw.chance(0.3) && second !== name && !ALONE.has(name) && !ALONE.has(second);
			const chosen = isPair ? [name, second] : [name];
			yield {
				faults: chosen.map((fault) => ({
					name: fault,
					aim: draw.chance(0.5) ? 'leader' : draw.chance(0.5) ? 'follower' : 'anybody',
					which: draw.next(),
					random: draw.fork(fault),
				})),
				holdMs: draw.between(0.25, 1) * holdMsMax,
				calmMs: draw.between(0.3, 1.2) * 1000,
			};
		}
	}
}

function shuffled<Item>(items: readonly Item[], random: SimulatedRandom): Item[] {
	const rest = [...items];
	return items.map(() => rest.splice(random.below(rest.length), 1)[0]!);
}

const NETWORK_ABILITIES: readonly NetworkAbility[] = ['latency', 'loss', 'slow', 'reset'];

/** Faults that this run can't do, with the reason. */
export function unableFaults(
	network: TortureNetwork,
	smallDiskFault: string | null,
): Map<FaultName, string> {
	const unable = new Map<FaultName, string>();
	for (const ability of NETWORK_ABILITIES) {
		const why = network.unable.get(ability);
		if (why !== undefined) unable.set(ability, why);
	}
	if (smallDiskFault !== null) unable.set('full-disk', smallDiskFault);
	return unable;
}
