/** What the benchmark and the process that has a peer's servers and client say to each other. */
import type { Load } from '../driver.js';
import type { DriverCalls } from '../messages.js';

export type PeerName = 'etcd' | 'jetstream';

export interface PeerSetup {
	readonly peer: PeerName;
	readonly dir: string;
	readonly load: Load;
	/** One entry for each request, or batches where the peer has such a thing. */
	readonly isBatched: boolean;
	readonly syncsEachWrite: boolean;
}

export interface PeerCalls extends DriverCalls {
	/** Starts the servers. Resolves to the ids of their processes, before they are ready. */
	start: { argument: PeerSetup; result: number[] };
	/** Resolves when the cluster has a leader and the client is connected to it. */
	connect: { argument: null; result: undefined };
	/** How many entries the cluster says that it holds. */
	stored: { argument: null; result: number };
	close: { argument: null; result: undefined };
}
