/** What recording costs of throughput, from runs without and with it in turns. */
export interface Cost {
	/** The median of the pairs; below 0: it was faster. */
	readonly share: number;
	/** Of the single pairs: the least and the most. */
	readonly least: number;
	readonly most: number;
	readonly pairs: number;
}

/** @param pairs rates without and with recording */
export function costOf(pairs: readonly (readonly [number, number])[]): Cost {
	const costs = pairs.map(([off, on]) => 1 - on / off).sort((a, b) => a - b);
	const median =
		costs.length === 0 ? 0 : (costs[(costs.length - 1) >> 1]! + costs[costs.length >> 1]!) / 2;
	return { share: median, least: costs[0] ?? 0, most: costs.at(-1) ?? 0, pairs: pairs.length };
}
