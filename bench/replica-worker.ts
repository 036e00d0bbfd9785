/** A replica in a process of its own; the leader's process drives the load as well. */
import type * as EngineModule from '../src/index.js';
import type { Profiling, Replica, StateMachine } from '../src/index.js';
import { Driver, type LoadDriver, type Target } from './driver.js';
import type { LoadBatch } from './load.js';
import type { ReplicaCalls, ReplicaSetup, ReplicaState } from './messages.js';
import { OpenDriver } from './open-driver.js';
import { SEGMENT_BYTES } from './options.js';
import { Placement } from './placement.js';
import { sharedClock } from './profile/clock.js';
import { AllocationMeter, takeSample } from './sample.js';
import { OneByOne, SingleDriver } from './single-driver.js';
import { serve, withProgress } from './worker.js';

/** On a busy machine a replica may get no processor for a while; that is not what the bench is about. */
const ELECTION_TIMEOUT_MS = 1000;
const HEARTBEAT_MS = 100;
/** So long after a collection of garbage the process has been told of it. */
const TOLD_MS = 20;

/** What is applied costs nothing: measured is the engine. */
const stateMachine: StateMachine = { apply: () => undefined };

const WAITS = { whenBusy: 'wait' } as const;
const placement = new Placement();
let replica: Replica | null = null;
let driver: LoadDriver | null = null;
let meter: AllocationMeter | null = null;
let profiling: Profiling | null = null;

class ReplicaTarget implements Target {
	readonly #replica: Replica;

	constructor(replica: Replica) {
		this.#replica = replica;
	}

	async submit(batch: LoadBatch): Promise<void> {
		const number = batch.first;
		const { index } = await this.#replica.proposeBatch(batch, WAITS);
		placement.check(number, index);
	}
}

function makeDriver(opened: Replica, { load, mode }: ReplicaSetup): LoadDriver {
	const { depth, payloadBytes, rate } = load;
	const one = (entry: Uint8Array) => opened.propose(entry, WAITS);
	if (rate !== undefined) {
		const target = mode === 'single' ? new OneByOne(one, placement) : new ReplicaTarget(opened);
		return new OpenDriver(mode === 'single' ? { ...load, entriesPerBatch: 1 } : load, rate, target);
	}
	if (mode !== 'single') return new Driver(load, new ReplicaTarget(opened));
	return new SingleDriver(depth, payloadBytes, one, placement);
}

function stateOf(opened: Replica): ReplicaState {
	const status = opened.status();
	const { committed, last } = status;
	const caughtUp = status.peers.filter((peer) => peer.id !== status.id && peer.match >= committed);
	return {
		leads: status.role === 'leader',
		term: status.term,
		last,
		committed,
		peersCaughtUp: caughtUp.length,
		counters: status.counters,
	};
}

serve<ReplicaCalls>({
	async open(setup) {
		const { id, dir, peers, durability, retainBytes } = setup;
		const { openReplica } = (await import(setup.engine)) as typeof EngineModule;
		replica = await openReplica({
			id,
			dir,
			peers,
			stateMachine,
			durability,
			retainBytes,
			electionTimeoutMs: ELECTION_TIMEOUT_MS,
			heartbeatMs: HEARTBEAT_MS,
			limits: { segmentBytes: SEGMENT_BYTES },
			cluster: 'bench',
		});
		driver = makeDriver(replica, setup);
		meter = new AllocationMeter();
	},
	state: () => stateOf(replica!),
	sample: () => takeSample(meter!),
	run: (order) => withProgress(driver!, driver!.run(order)),
	stop() {
		driver?.stop();
	},
	profile(batchesMax) {
		profiling = replica!.profile({ batchesMax });
	},
	async recording() {
		// Collections of garbage are told of a little later.
		await new Promise((resolve) => setTimeout(resolve, TOLD_MS));
		profiling!.stop();
		return { ...profiling!.recording(), clock: sharedClock() };
	},
	driven: () => ({ firstIndex: placement.firstIndex, acknowledged: driver!.acknowledged }),
	async close() {
		await replica?.close();
	},
});
