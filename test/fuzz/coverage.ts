/** The blocks of code that were reached. `scripts/fuzz.mjs` builds the sources so that each block reports its first time;
 * where they are run as they are (by vitest) there is nothing to see. */
interface Blocks {
	readonly seen: Uint8Array;
	/** `file:line` of each block. */
	readonly names: readonly string[];
	/** How many were seen for the first time. */
	count: number;
}

/** Looked up late: it is made by the first instrumented module. */
function measured(): Blocks | null {
	return (globalThis as { millraceBlocks?: Blocks }).millraceBlocks ?? null;
}

/** Blocks reached since `forgetBlocks`. */
export function blocksReached(): number {
	return measured()?.count ?? 0;
}

/** Begins anew, for another target. */
export function forgetBlocks(): void {
	const blocks = measured();
	if (blocks === null) return;
	blocks.seen.fill(0);
	blocks.count = 0;
}

export interface Coverage {
	readonly reached: number;
	readonly total: number;
	/** `file:line` of those that were not. */
	readonly missed: readonly string[];
}

/** How far sources whose paths begin like these were reached. */
export function coverageOf(aim: readonly string[]): Coverage {
	const blocks = measured();
	const missed: string[] = [];
	let total = 0;
	blocks?.names.forEach((name, i) => {
		if (!aim.some((prefix) => name.startsWith(prefix))) return;
		total += 1;
		if (blocks.seen[i] === 0) missed.push(name);
	});
	return { reached: total - missed.length, total, missed };
}
