import { DEFAULT_LIMITS, type Limits } from '../../src/limits.js';
import type { Durability } from '../../src/replica/types.js';
import type { SimulatedRandom } from './random.js';

/** Faults, each with the mean time between two of them. */
export const faultNames = [
	'cut',
	'half-open',
	'isolate',
	'one-way',
	'partial',
	'slow-link',
	'crash',
	'kill',
	'power-failure',
	'suspend',
	'stall',
	'disk-error',
	'disk-full',
	'bit-rot',
	'lost-write',
	'misdirected-write',
	'wipe',
	'machine-throws',
	'reopen',
	'transfer',
	'clock-jump',
	'clock-step',
	'clock-rate',
] as const;
export type FaultName = (typeof faultNames)[number];

const never = Number.POSITIVE_INFINITY;

/** What a seed makes of a cluster. */
export interface Plan {
	/** Those that the cluster begins with. */
	readonly replicas: number;
	/** Those that may be added. With none, the members stay who they are. */
	readonly joiners: number;
	/** Mean ms from one change of the members to the next. */
	readonly changeEveryMs: number;
	readonly limits: Limits;
	readonly electionTimeoutMs: number;
	readonly heartbeatMs: number;
	/** Infinite, without snapshots: the whole log is kept. */
	readonly retainBytes: number;
	/** State machines keep their state on disk. */
	readonly keeps: boolean;
	/** Infinite: state machines have no snapshots. */
	readonly snapshotEveryBytes: number;
	readonly snapshotBytesPerSecond: number;
	/** For each chunk that is handed out or restored: the chance that it takes a while. */
	readonly slowSnapshotChance: number;
	readonly slowApplyChance: number;
	/** Mean ms from one fault of the kind to the next; infinite = never. */
	readonly faults: ReadonlyMap<FaultName, number>;
	/** How often a fault is aimed at whoever leads. */
	readonly leaderChance: number;
	/** In a flood: mean ms between two of the workload's calls, and how many come at once at most. */
	readonly callEveryMs: number;
	readonly burstMax: number;
	readonly entryBytesMax: number;
	readonly remoteClients: number;
	readonly tails: number;
	/** Per chunk on any wire: the chance that its connection is lost there. */
	readonly cutChance: number;
	readonly crumbChance: number;
	/** Per write to a peer: the chance that a message of the past comes again, or one is lost. */
	readonly repeatChance: number;
	readonly dropChance: number;
	readonly clockRates: readonly number[];
	/** Null: no leases. Then clocks may be stepped, which breaks them. */
	readonly leaseDriftMax: number | null;
	/** With 'os' the machines keep their power: a power failure may lose what was acknowledged. */
	readonly durability: Durability;
	/** A replica whose log is damaged fetches it from its peers; else it refuses, and somebody must restore its disk. */
	readonly repairs: boolean;
	/** How long nothing goes wrong at first: a new cluster needs all its replicas once. */
	readonly calmMs: number;
	/** Groups beside the one that is judged, on hosts that all of them share; 0: no hosts. */
	readonly siblings: number;
	readonly journalBytes: number;
}

export function drawPlan(random: SimulatedRandom): Plan {
	const pick = <T>(values: readonly T[]): T => values[random.below(values.length)]!;
	const replicas = pick([3, 3, 3, 3, 3, 3, 3, 5, 2, 1]);
	// What is long costs time and finds little: the longest only now and then, for what depends on length.
	const hasSnapshots = random.chance(0.6);
	// So little is kept that whoever is away for a while needs a snapshot.
	const isTight = hasSnapshots && random.chance(0.5);
	const slabBytes = isTight ? 16_384 : pick([16_384, 16_384, 32_768, 65_536, 131_072]);
	const frameBytes = slabBytes / 2;
	const slabsMax = pick([24, 32, 64]);
	const heartbeatMs = pick([50, 100]);
	const isBounded = hasSnapshots || random.chance(0.3);
	const retainBytes = isBounded ? pick(isTight ? [0] : [2, 4, 8]) * 65_536 : never;
	const limits: Limits = {
		...DEFAULT_LIMITS,
		slabBytes,
		slabsMax,
		batchBytes: pick([1024, 4096, frameBytes]),
		batchEntriesMax: pick([16, 1000]),
		entryBytesMax: frameBytes - 4096,
		uncommittedBytesMax: (slabBytes * slabsMax) / pick([2, 4]),
		waitingBytesMax: 262_144,
		inflightBytesMax: pick([16_384, 65_536, 262_144]),
		inflightMessagesMax: pick([2, 8, 256]),
		tailBytesMax: pick([1, 16_384, 131_072]),
		appendBytesMax: pick([4096, 65_536]),
		flushBytesMax: pick([4096, 65_536, 1_048_576]),
		readSlabsMax: 4,
		readsMax: 64,
		clientBytesMax: 65_536,
		sessionsMax: 1000,
		segmentBytes: frameBytes + (isTight ? 8192 : pick([8192, frameBytes, 3 * frameBytes])),
		segmentsAhead: pick([1, 2]),
		freeBytesMin: 4096,
	};
	const durability = random.chance(0.1) ? 'os' : 'sync';
	const faults = drawFaults(random, replicas, durability);
	// From 0.9 to 1.1 times the right rate is 18.2 % at most.
	const leaseDriftMax = random.chance(0.6) ? 0.19 : null;
	if (leaseDriftMax !== null) faults.set('clock-step', Number.POSITIVE_INFINITY);
	const isSlow = random.chance(0.4);
	// From a stream of its own: whoever draws more or less here changes nothing else.
	const members = random.fork('members');
	// Who is added must be able to get everything.
	const mayChange = replicas === 3 && (hasSnapshots || !isBounded);
	return {
		replicas,
		joiners: mayChange && members.chance(0.4) ? 2 + members.below(4) : 0,
		changeEveryMs: members.between(150, 1500),
		limits,
		durability,
		repairs: replicas > 2 && random.chance(0.7),
		calmMs: pick([0, 200, 1000]),
		siblings: 0,
		journalBytes: 0,
		heartbeatMs,
		electionTimeoutMs: 300,
		retainBytes,
		keeps: isBounded && (!hasSnapshots || random.chance(0.4)),
		snapshotEveryBytes: hasSnapshots ? pick(isTight ? [1, 8] : [16, 64, 256]) * 1024 : never,
		snapshotBytesPerSecond: random.chance(0.3) ? random.between(10_000, 200_000) : never,
		slowSnapshotChance: isSlow ? random.next() : 0,
		slowApplyChance: random.chance(0.3) ? random.next() * 0.3 : 0,
		faults,
		leaseDriftMax,
		leaderChance: pick([0, 0.3, 0.7]),
		callEveryMs: pick(isTight ? [2, 4, 15] : [4, 15, 40]),
		burstMax: pick([1, 4, 20]),
		entryBytesMax: pick([isTight ? 1000 : 200, 2000, frameBytes - 4096]),
		remoteClients: random.below(3),
		tails: random.below(3),
		cutChance: random.chance(0.3) ? random.next() * 0.003 : 0,
		crumbChance: random.chance(0.3) ? random.next() * 0.3 : 0.01,
		repeatChance: random.chance(0.3) ? random.next() * 0.1 : 0,
		dropChance: random.chance(0.3) ? random.next() * 0.1 : 0,
		clockRates: Array.from({ length: replicas }, () =>
			random.chance(0.3) ? random.between(0.9, 1.1) : 1,
		),
	};
}

/** What needs power to fail. */
const powerFaults: readonly FaultName[] = ['crash', 'power-failure'];
const damageFaults: readonly FaultName[] = ['bit-rot', 'lost-write', 'misdirected-write', 'wipe'];

/** Each seed leaves out some kinds, so that every mixture comes to pass. */
function drawFaults(
	random: SimulatedRandom,
	replicas: number,
	durability: Durability,
): Map<FaultName, number> {
	const faults = new Map<FaultName, number>();
	// Repair is broken, if at all, by damage that comes while the last one is being repaired.
	const isRotten = random.chance(0.2);
	const share = random.between(0.2, 0.9);
	const restless = random.chance(0.25) ? 0.25 : 1;
	for (const name of faultNames) {
		const everyMs = random.between(500, 6000) * restless * (replicas === 1 ? 2 : 1);
		if (isRotten && damageFaults.includes(name)) faults.set(name, random.between(200, 1200));
		else faults.set(name, random.chance(share) ? everyMs : Number.POSITIVE_INFINITY);
	}
	if (durability === 'os')
		for (const name of powerFaults) faults.set(name, Number.POSITIVE_INFINITY);
	return faults;
}
