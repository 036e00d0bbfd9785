/**
 * The simulation from the command line; see docs/TESTING.md.
 *
 *     npm run sim -- --seed N [--steps M]        one seed, again
 *     npm run sim -- --seeds N [--from S]        this many, one after the other
 *     npm run sim -- --minutes M                 fresh seeds for so long
 */
import { parseArgs } from 'node:util';
import { type Outcome, type RunOptions, SimulationFailed, simulate } from './cluster-run.js';

const { values } = parseArgs({
	options: {
		seed: { type: 'string' },
		seeds: { type: 'string' },
		from: { type: 'string', default: '1' },
		minutes: { type: 'string' },
		steps: { type: 'string' },
		'max-failures': { type: 'string', default: '5' },
		verbose: { type: 'boolean', default: false },
	},
});

class Sum {
	runs = 0;
	virtualMs = 0;
	steps = 0;
	readonly seen = new Map<string, number>();
	readonly #startedAt = performance.now();

	add(outcome: Outcome): void {
		this.runs += 1;
		this.virtualMs += outcome.virtualMs;
		this.steps += outcome.steps;
		for (const [name, count] of Object.entries(outcome.seen))
			this.seen.set(name, (this.seen.get(name) ?? 0) + count);
	}

	get realMs(): number {
		return performance.now() - this.#startedAt;
	}

	toString(): string {
		const factor = this.virtualMs / this.realMs;
		const hours = this.virtualMs / 3_600_000;
		return (
			`${this.runs} seeds, ${hours.toFixed(2)} simulated hours, ${this.steps} events, ` +
			`${(this.realMs / 1000).toFixed(1)} s: ${factor.toFixed(0)} x real time`
		);
	}
}

function* seeds(): Generator<string> {
	if (values.seed !== undefined) return yield values.seed;
	if (values.minutes !== undefined) {
		const start = Date.now();
		for (let i = 0; Date.now() - start < Number(values.minutes) * 60_000; i++)
			yield `${start}-${i}`;
		return;
	}
	const from = Number(values.from);
	for (let i = 0; i < Number(values.seeds ?? 100); i++) yield String(from + i);
}

async function main(): Promise<void> {
	const options: RunOptions = values.steps === undefined ? {} : { steps: Number(values.steps) };
	const sum = new Sum();
	let failures = 0;
	// Refused proposals are errors by the hundred thousand; one seed alone tells where its own came from.
	if (values.seed === undefined) Error.stackTraceLimit = 3;
	for (const seed of seeds()) {
		try {
			const outcome = await simulate(seed, options);
			sum.add(outcome);
			if (values.seed !== undefined || values.verbose)
				console.log(seed, outcome.hash, outcome.steps, JSON.stringify(outcome.seen));
		} catch (error) {
			failures += 1;
			console.log((error as Error).message);
			if (!(error instanceof SimulationFailed) || failures >= Number(values['max-failures'])) break;
		}
	}
	console.log(String(sum));
	console.log(JSON.stringify(Object.fromEntries(sum.seen)));
	console.log(`${failures} failed`);
	process.exitCode = failures === 0 ? 0 : 1;
}

await main();
