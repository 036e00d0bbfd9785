import { type Outcome, type RunOptions, SimulationFailed, simulate } from './cluster-run.js';

/** Where a run is. */
export interface Progress {
	readonly phase: string;
	readonly events: number;
	readonly virtualMs: number;
}

/** What a seed came to: how the run went, or the story of what went wrong. */
export type Result =
	| { readonly seed: string; readonly outcome: Outcome }
	| { readonly seed: string; readonly story: string };

/** Refused proposals are errors by the hundred thousand, so in a sweep they are made without stacks. */
export function makeErrorsCheap(): void {
	Error.stackTraceLimit = 0;
}

/** Runs a seed; one that fails runs once more, with stacks, for its story. */
export async function runSeed(seed: string, options: RunOptions): Promise<Result> {
	try {
		return { seed, outcome: await simulate(seed, options) };
	} catch {
		return { seed, story: await storyOf(seed, options) };
	}
}

async function storyOf(seed: string, options: RunOptions): Promise<string> {
	const { stackTraceLimit } = Error;
	Error.stackTraceLimit = 20;
	try {
		await simulate(seed, options);
		return `seed ${seed} failed, and passed when it ran again: it isn't the same run`;
	} catch (error) {
		if (error instanceof SimulationFailed) return error.message;
		return `seed ${seed}: ${error instanceof Error ? error.stack : error}`;
	} finally {
		Error.stackTraceLimit = stackTraceLimit;
	}
}

/** What many runs came to. */
export class Sum {
	failures = 0;
	#runs = 0;
	#virtualMs = 0;
	#steps = 0;
	readonly #seen = new Map<string, number>();
	readonly #startedAt = performance.now();

	add({ virtualMs, steps, seen }: Outcome): void {
		this.#runs += 1;
		this.#virtualMs += virtualMs;
		this.#steps += steps;
		for (const [name, count] of Object.entries(seen))
			this.#seen.set(name, (this.#seen.get(name) ?? 0) + count);
	}

	toString(): string {
		const seconds = (performance.now() - this.#startedAt) / 1000;
		const hours = this.#virtualMs / 3_600_000;
		const rate = (count: number, per: number): string =>
			Math.round(count / per).toLocaleString('en');
		const kinds = ['faults', 'lives', 'elections', 'commits', 'acknowledged'] as const;
		const rates = kinds.map((kind) => {
			const count = this.#count(kind);
			return `    ${kind}: ${count}; ${rate(count, hours)} a simulated hour, ${rate(count, seconds)} a second`;
		});
		return [
			`${this.#runs} seeds, ${hours.toFixed(2)} simulated hours, ${this.#steps} events, ${seconds.toFixed(1)} s: ` +
				`${(this.#virtualMs / 1000 / seconds).toFixed(0)} x real time`,
			...rates,
			JSON.stringify(Object.fromEntries([...this.#seen].sort())),
			`${this.failures} failed`,
		].join('\n');
	}

	#count(kind: string): number {
		if (kind !== 'faults') return this.#seen.get(kind) ?? 0;
		let faults = 0;
		for (const [name, count] of this.#seen) if (name.startsWith('fault ')) faults += count;
		return faults;
	}
}
