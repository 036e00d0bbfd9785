/** What a proposal became: entries `first..last` of one term, behind the batch `before`. */
export interface Batch {
	readonly first: number;
	readonly last: number;
	readonly term: number;
	readonly before: Batch | null;
}

/** Where terms change in a log. */
export function runsOf(batches: readonly Batch[]): { index: number; term: number }[] {
	const runs: { index: number; term: number }[] = [];
	for (const { first, term } of batches) {
		if (runs.at(-1)?.term !== term) runs.push({ index: first, term });
	}
	return runs;
}

/** Batches of one entry each, with the given terms. */
export function logOf(terms: readonly number[]): Batch[] {
	const batches: Batch[] = [];
	for (const [i, term] of terms.entries()) {
		batches.push({ first: i + 1, last: i + 1, term, before: batches.at(-1) ?? null });
	}
	return batches;
}
