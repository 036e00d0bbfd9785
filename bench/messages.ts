/** What the processes of a benchmark say to each other. */
import type { Recording } from '../src/profile/columns.js';
import type { Durability } from '../src/replica/types.js';
import type { Load } from './driver.js';
import type { RunOrder, Slice } from './run.js';
import type { Sample } from './sample.js';

/** The calls a worker answers, by name. */
export type Calls<C> = { readonly [K in keyof C]: { argument: unknown; result: unknown } };

export interface Request {
	readonly id: number;
	readonly call: string;
	readonly argument: unknown;
}

/** The answer to the request of that id. Id 0 answers nothing: it tells how many entries are acknowledged. */
export interface Reply {
	readonly id: number;
	readonly result?: unknown;
	readonly error?: string;
}

/** Calls of all workers that drive a load. */
export interface DriverCalls {
	run: { argument: RunOrder; result: Slice };
	/** Ends the run that goes on, as if its time were over. */
	stop: { argument: null; result: undefined };
}

export type Mode = 'batch' | 'single' | 'client' | 'client-single';

export interface ReplicaSetup {
	readonly id: number;
	readonly dir: string;
	readonly peers: Readonly<Record<number, string>>;
	readonly durability: Durability;
	readonly retainBytes: number;
	readonly load: Load;
	readonly mode: Mode;
	/** Where the engine's public module lies: this tree's, or that of the build it is compared with. */
	readonly engine: string;
}

export interface ReplicaState {
	readonly leads: boolean;
	readonly term: number;
	readonly last: number;
	readonly committed: number;
	/** Leader only: how many others have the log up to `committed` on their disks. */
	readonly peersCaughtUp: number;
	readonly counters: Readonly<Record<string, number>>;
}

/** What the driver put into the log. */
export interface Driven {
	/** Log index of entry number 0; 0 if nothing was acknowledged. */
	readonly firstIndex: number;
	/** All entries acknowledged since the start. */
	readonly acknowledged: number;
}

export interface ReplicaCalls extends DriverCalls {
	open: { argument: ReplicaSetup; result: undefined };
	state: { argument: null; result: ReplicaState };
	driven: { argument: null; result: Driven };
	sample: { argument: null; result: Sample };
	/** Begins to record the stages of so many batches at most. */
	profile: { argument: number; result: undefined };
	/** Ends that. */
	recording: { argument: null; result: Recording };
	close: { argument: null; result: undefined };
}

export interface ClientSetup {
	readonly peers: Readonly<Record<number, string>>;
	readonly load: Load;
	readonly mode: Mode;
	/** Where the client's public module lies. */
	readonly client: string;
}

export interface ClientCalls extends DriverCalls {
	open: { argument: ClientSetup; result: undefined };
	driven: { argument: null; result: Driven };
	close: { argument: null; result: undefined };
}

export interface CeilingSetup {
	readonly dir: string;
	readonly durability: Durability;
	readonly segmentBytes: number;
	readonly segments: number;
	readonly replicas: number;
	readonly load: Load;
}

export interface CeilingCalls extends DriverCalls {
	/** The sender's: resolves to the port it listens on. */
	listen: { argument: CeilingSetup; result: number };
	/** A receiver's. */
	connect: { argument: CeilingSetup & { readonly port: number }; result: undefined };
	sample: { argument: null; result: Sample };
	close: { argument: null; result: undefined };
}
