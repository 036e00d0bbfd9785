/** What recording costs, from slices without and with it in turns: medians, and what the single pairs said. */
export interface Cost {
	readonly pairs: number;
	/** Of the throughput; below 0: it was faster. */
	readonly throughput: Spread;
	/** More processor time for an entry, in all replicas' processes; steadier on a machine that others use too. */
	readonly cpu: Spread;
}

export interface Spread {
	readonly median: number;
	readonly least: number;
	readonly most: number;
}

/** What a slice came to. */
export interface Rate {
	readonly entriesPerMs: number;
	readonly cpuPerEntry: number;
}

/** @param pairs without and with recording */
export function costOf(pairs: readonly (readonly [Rate, Rate])[]): Cost {
	return {
		pairs: pairs.length,
		throughput: spreadOf(pairs.map(([off, on]) => 1 - on.entriesPerMs / off.entriesPerMs)),
		cpu: spreadOf(pairs.map(([off, on]) => on.cpuPerEntry / off.cpuPerEntry - 1)),
	};
}

function spreadOf(values: readonly number[]): Spread {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const median = (sorted[middle]! + sorted[sorted.length - 1 - middle]!) / 2;
	return { median, least: sorted[0]!, most: sorted.at(-1)! };
}
