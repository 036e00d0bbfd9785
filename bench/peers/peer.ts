import type { Load } from '../driver.js';
import type { LoadBatch } from '../load.js';

/** One server process to start. */
export interface ServerPlan {
	readonly name: string;
	readonly command: string;
	readonly args: readonly string[];
}

/** Where it lies is the peer's affair; that it is there is asked at the end. */
export const STORED = { index: 0 } as const;

/** What a driver needs of somebody else's cluster, once its servers run. */
export interface PeerConnection {
	/** Stores one entry; resolves when the cluster has acknowledged it. */
	propose(entry: Uint8Array): Promise<typeof STORED>;
	/** Stores a batch, all or nothing; null: this peer has no such thing. */
	readonly proposeBatch: ((batch: LoadBatch) => Promise<unknown>) | null;
	/** How many entries the cluster says that it holds. */
	stored(): Promise<number>;
	close(): Promise<void>;
}

/** Somebody else's replicated store, three servers on loopback. */
export interface Peer {
	/** Where its servers' files go, and what is prepared there. */
	plan(dir: string, ports: readonly number[], syncsEachWrite: boolean): Promise<ServerPlan[]>;
	readonly portsPerServer: number;
	/** Connects to the server that leads; rejects as long as none does. */
	connect(ports: readonly number[], load: Load): Promise<PeerConnection>;
}

/** Servers of each cluster, millrace's too. */
export const SERVERS = 3;
