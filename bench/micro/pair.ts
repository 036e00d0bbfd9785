import { Bench } from 'tinybench';
import { median } from '../confidence.js';

/** One way to do something. */
export interface Way {
	readonly how: string;
	/** Does it once. The number depends on the work, so that no compiler can leave it out. */
	readonly call: () => number;
	/** What the last call made, where the number alone doesn't say it. */
	readonly made?: () => unknown;
}

/** A function of the hot path, beside the obvious way to do the same. Both make the same, call by call. */
export interface Pair {
	/** What `--only` looks for, too. */
	readonly name: string;
	readonly ours: Way;
	readonly naive: Way;
}

/** Nanoseconds a call, and how many times as long the naive way takes. */
export interface Result {
	readonly name: string;
	readonly how: string;
	readonly naiveHow: string;
	readonly ns: number;
	readonly naiveNs: number;
	/** Of the rounds: the median, the lowest and the highest. */
	readonly ratio: { readonly median: number; readonly low: number; readonly high: number };
}

/** So long, or so many calls, is one sample: enough that reading the clock doesn't count. */
const SAMPLE_MS = 0.05;
const CALLS_MAX = 64;

/** Keeps results alive, so that the compiler can't leave the work out. */
const sink = new Float64Array(1);

/** The two ways in turns; the ratio is taken within a turn: on a shared machine times wander, ratios stay. */
export async function measurePair(
	{ name, ours, naive }: Pair,
	rounds: number,
	ms: number,
): Promise<Result> {
	const [own, other]: [number[], number[]] = [[], []];
	// The first turn warms the compiler up and doesn't count.
	for (let round = 0; round <= rounds; round++) {
		const ns = await measure(ours.call, ms);
		const naiveNs = await measure(naive.call, ms);
		if (round === 0) continue;
		own.push(ns);
		other.push(naiveNs);
	}
	const ratios = other.map((ns, i) => ns / own[i]!);
	return {
		name,
		how: ours.how,
		naiveHow: naive.how,
		ns: median(own),
		naiveNs: median(other),
		ratio: { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) },
	};
}

/** Nanoseconds a call, the median of one turn. */
async function measure(call: () => number, ms: number): Promise<number> {
	const calls = Math.min(CALLS_MAX, Math.max(1, Math.round(SAMPLE_MS / shortest(call))));
	const bench = new Bench({ time: ms, warmup: false, iterations: 8, throws: true });
	bench.add('way', () => {
		for (let i = 0; i < calls; i++) sink[0]! += call();
	});
	const [task] = await bench.run();
	const result = task!.result;
	if (!('latency' in result)) throw new Error(`no result: ${result.state}`);
	return (result.latency.p50 * 1e6) / calls;
}

/** The shortest of some calls, in ms: the others were interrupted, or not compiled yet. */
function shortest(call: () => number): number {
	let ms = Number.POSITIVE_INFINITY;
	for (let i = 0; i < 8; i++) {
		const startedAt = performance.now();
		sink[0]! += call();
		ms = Math.min(ms, performance.now() - startedAt);
	}
	return ms;
}
