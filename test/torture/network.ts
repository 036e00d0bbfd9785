import type { Wrap } from './replica-process.js';

/** Stands for all clients where a replica's id is meant. */
export const CLIENTS = 0;

/** What happens to everything that a replica sends and is sent. */
export interface Impairment {
	readonly delayMs?: number;
	readonly lossPercent?: number;
	readonly bytesPerSecond?: number;
}

export type NetworkAbility = 'latency' | 'loss' | 'slow' | 'reset';

/** The network between the replicas of one run and its clients, which can be broken and mended. */
export interface TortureNetwork {
	readonly name: string;
	/** Why it can't do what it can't do. */
	readonly unable: ReadonlyMap<NetworkAbility, string>;
	/** Address of every replica as replica `id`, or `CLIENTS`, knows it. */
	peersOf(id: number): Readonly<Record<number, string>>;
	/** How a replica's process is run, so that it is where its network is. */
	wrapOf(id: number): Wrap;
	/** From now on what `from` sends to `to` gets lost. */
	block(from: number, to: number): Promise<void>;
	impair(id: number, impairment: Impairment): Promise<void>;
	/** Breaks all connections of a replica. */
	reset(id: number): void;
	/** Undoes every block and impairment. */
	heal(): Promise<void>;
	close(): Promise<void>;
}
