/** What `--json` writes, and table and chart are drawn from. */

export interface Syncs {
	/** System calls that sync, in all three servers. */
	readonly calls: number;
	readonly entries: number;
}

/** One contender with so many entries in flight: a figure for each round. */
export interface Figures {
	readonly name: string;
	readonly depth: number;
	readonly perSecond: number[];
	readonly p50Ms: number[];
	readonly p99Ms: number[];
	/** Seconds a million entries: servers and client together. Empty where nobody tells. */
	readonly cpuSeconds: number[];
}

export interface PeersResult {
	readonly date: string;
	readonly machine: string;
	readonly versions: Readonly<Record<string, string>>;
	readonly payloadBytes: number;
	readonly seconds: number;
	readonly rounds: number;
	readonly depths: readonly number[];
	readonly figures: Figures[];
	/** By name, with the most in flight. */
	readonly syncs: Record<string, Syncs>;
	/** By name: why a contender was left out. */
	readonly skipped: Record<string, string>;
	/** By name: why it went wrong. */
	readonly failed: Record<string, string>;
	isInterrupted: boolean;
}

/** The middle one; of an even number the lower of the two. NaN if there is none. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}
