import { FREE_BYTES_MIN, type TortureCluster } from './cluster.js';
import { flipBits, truncateFile, wipe } from './damage.js';
import { CLIENTS } from './network.js';
import type { FaultName, PlannedFault } from './plan.js';
import type { ReplicaProcess } from './replica-process.js';

const RESTARTS = 3;
const RESTART_PAUSE_MS_MAX = 300;
/** Until the segments made ahead are used up. */
const FILL_UP_MS = 1_500;

/** What a fault needs of the run. */
export interface FaultSite {
	readonly cluster: TortureCluster;
	/** The highest index that was acknowledged. */
	readonly acknowledged: () => number;
	/** Large entries from now on, until the next heal. */
	readonly loadHeavily: () => void;
	readonly sleep: (milliseconds: number) => Promise<void>;
	/** Errors: when it takes too long. */
	readonly until: (what: string, holds: () => boolean) => Promise<void>;
}

/** Does it. @returns what it did; null if it can't be done now. The cluster's `heal` undoes all of them. */
export async function inflict(fault: PlannedFault, site: FaultSite): Promise<string | null> {
	const victim = aim(fault, site.cluster);
	return victim === null ? null : actions[fault.name](victim, fault, site);
}

function aim({ aim, which }: PlannedFault, cluster: TortureCluster): ReplicaProcess | null {
	const { leader } = cluster;
	const all = cluster.replicas.filter(({ state }) => state === 'running');
	const led = all.filter(({ id }) => (aim === 'leader' ? id === leader : id !== leader));
	const among = aim === 'anybody' || led.length === 0 ? all : led;
	return among[Math.floor(which * among.length)] ?? null;
}

type Action = (
	victim: ReplicaProcess,
	fault: PlannedFault,
	site: FaultSite,
) => Promise<string | null>;

function roleOf(victim: ReplicaProcess, { leader }: TortureCluster): string {
	return `replica ${victim.id}${victim.id === leader ? ' (leader)' : ''}`;
}

/** The victim and as many others as make a majority. */
function majorityWith(victim: ReplicaProcess, { replicas }: TortureCluster): ReplicaProcess[] {
	const others = replicas.filter((replica) => replica !== victim);
	return [victim, ...others.slice(0, Math.floor(replicas.length / 2))];
}

async function cut(cluster: TortureCluster, from: readonly number[], to: readonly number[]) {
	for (const a of from) for (const b of to) if (a !== b) await cluster.network.block(a, b);
}

async function cutBoth(
	cluster: TortureCluster,
	some: readonly number[],
	others: readonly number[],
) {
	await cut(cluster, some, others);
	await cut(cluster, others, some);
}

/** Damages the files of a replica that is down, once all others are voters and have whatever it may have
 * acknowledged. The next fault comes when it is a voter again itself. */
function damage(change: (directory: string, fault: PlannedFault) => string): Action {
	return async (victim, fault, site) => {
		const { cluster } = site;
		const others = cluster.replicas.filter((replica) => replica !== victim);
		const who = roleOf(victim, cluster);
		await victim.kill();
		const index = site.acknowledged();
		await site.until('the others have everything', () => cluster.haveApplied(index, others));
		return `${who}: ${change(victim.directory, fault)}`;
	};
}

function impair(impairment: (fault: PlannedFault) => Record<string, number>): Action {
	return async (victim, fault, { cluster }) => {
		const measures = impairment(fault);
		await cluster.network.impair(victim.id, measures);
		return `${roleOf(victim, cluster)}: ${JSON.stringify(measures)}`;
	};
}

const actions: Readonly<Record<FaultName, Action>> = {
	kill: async (victim, _, { cluster }) => {
		const who = roleOf(victim, cluster);
		await victim.kill();
		return who;
	},
	'kill-majority': async (victim, _, { cluster }) => {
		const victims = majorityWith(victim, cluster);
		await Promise.all(victims.map((replica) => replica.kill()));
		return `replicas ${victims.map(({ id }) => id).join(', ')}`;
	},
	'kill-all': async (_victim, _, { cluster }) => {
		await cluster.killAll();
		return 'all replicas';
	},
	'kill-again-and-again': async (victim, { random }, { cluster, sleep }) => {
		for (let i = 0; i < RESTARTS; i++) {
			await victim.kill();
			await cluster.startAll();
			await sleep(random.below(RESTART_PAUSE_MS_MAX));
		}
		await victim.kill();
		return `replica ${victim.id}, ${RESTARTS} times`;
	},
	pause: async (victim, _, { cluster }) => {
		const who = roleOf(victim, cluster);
		victim.pause();
		return who;
	},
	'pause-majority': async (victim, _, { cluster }) => {
		const victims = majorityWith(victim, cluster);
		for (const replica of victims) replica.pause();
		return `replicas ${victims.map(({ id }) => id).join(', ')}`;
	},
	isolate: async (victim, _, { cluster }) => {
		await cutBoth(cluster, [victim.id], cluster.ids);
		return `${roleOf(victim, cluster)} from all others, not from clients`;
	},
	'isolate-with-clients': async (victim, _, { cluster }) => {
		await cutBoth(cluster, [victim.id], [CLIENTS, ...cluster.ids]);
		return `${roleOf(victim, cluster)} from all`;
	},
	deaf: async (victim, _, { cluster }) => {
		await cut(cluster, cluster.ids, [victim.id]);
		return `${roleOf(victim, cluster)} hears no other`;
	},
	mute: async (victim, _, { cluster }) => {
		await cut(cluster, [victim.id], cluster.ids);
		return `${roleOf(victim, cluster)} is heard by no other`;
	},
	split: async (victim, { random }, { cluster }) => {
		const others = cluster.ids.filter((id) => id !== victim.id);
		const size = random.below(Math.floor(others.length / 2));
		const side = [victim.id, ...others.slice(0, size)];
		const rest = others.slice(size);
		// Clients are on one of the sides.
		const clientsSide = random.chance(0.5) ? side : rest;
		await cutBoth(cluster, side, rest);
		await cutBoth(cluster, [CLIENTS], clientsSide === side ? rest : side);
		return `${side} from ${rest}, clients with ${clientsSide}`;
	},
	'cut-pair': async (victim, { random }, { cluster }) => {
		const others = cluster.ids.filter((id) => id !== victim.id);
		const other = others[random.below(others.length)]!;
		await cutBoth(cluster, [victim.id], [other]);
		return `${roleOf(victim, cluster)} from replica ${other}`;
	},
	latency: impair(({ random }) => ({ delayMs: 20 + random.below(80) })),
	loss: impair(({ random }) => ({ lossPercent: 2 + random.below(25) })),
	slow: impair(({ random }) => ({ bytesPerSecond: 20_000 + random.below(100_000) })),
	reset: async (victim, { random }, { cluster, sleep }) => {
		const times = 1 + random.below(5);
		for (let i = 0; i < times; i++) {
			cluster.network.reset(victim.id);
			await sleep(random.below(RESTART_PAUSE_MS_MAX));
		}
		return `${roleOf(victim, cluster)}: all connections, ${times} times`;
	},
	'flip-bits': damage((directory, { random }) => flipBits(directory, random)),
	'truncate-file': damage((directory, { random }) => truncateFile(directory, random)),
	'wipe-directory': damage((directory) => wipe(directory)),
	'full-disk': async (_victim, { random }, { cluster, loadHeavily, sleep }) => {
		const disk = cluster.smallDisk!;
		const leaveBytes = random.chance(0.5) ? 0 : FREE_BYTES_MIN - 1;
		cluster.mayEnd.add(disk.replica);
		loadHeavily();
		await disk.fill(leaveBytes);
		await sleep(FILL_UP_MS);
		return `${roleOf(cluster.replica(disk.replica), cluster)}: ${leaveBytes} bytes left`;
	},
};
