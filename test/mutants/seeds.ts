/**
 * Runs the simulation from seed to seed until one goes wrong, and says so in one line of JSON. Started by `verdict.ts`,
 * in a copy of the tree.
 */
import { simulate } from '../simulation/cluster-run.js';

/** What it says. */
export interface SeedsReport {
	/** The seed that went wrong, and the violation; null if none did. */
	readonly failed: { readonly seed: number; readonly why: string } | null;
	readonly runs: number;
}

async function run(count: number): Promise<SeedsReport> {
	for (let seed = 1; seed <= count; seed++) {
		try {
			await simulate(seed);
		} catch (error) {
			const cause = (error as Error).cause ?? error;
			const why = cause instanceof Error ? cause.message : String(cause);
			return { failed: { seed, why }, runs: seed };
		}
	}
	return { failed: null, runs: count };
}

Error.stackTraceLimit = 3;
console.log(JSON.stringify(await run(Number(process.argv[2]))));
