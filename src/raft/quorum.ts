/** How many voters of `count` are a majority. */
export function majorityOf(count: number): number {
	return Math.floor(count / 2) + 1;
}

/**
 * The highest value that a majority has reached, given one value for each voter. Sorts `values` in place,
 * by plain insertion: there are a handful of voters, and arithmetic that can be read can be trusted.
 */
export function majorityReached(values: Float64Array): number {
	for (let i = 1; i < values.length; i += 1) {
		const value = values[i]!;
		let at = i;
		while (at > 0 && values[at - 1]! < value) {
			values[at] = values[at - 1]!;
			at -= 1;
		}
		values[at] = value;
	}
	return values[majorityOf(values.length) - 1]!;
}
