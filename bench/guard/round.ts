import { Children } from '../children.js';
import { type Build, Engine } from '../engine.js';
import { BENCH_LIMITS, type BenchOptions, CEILING_SEGMENTS } from '../options.js';
import type { Slice } from '../run.js';
import type { Tally } from '../tally.js';

const WARM_UP_MS = 1_500;
const SLICE_MS = 250;
export const PAIRS_PER_ROUND = 20;
const ENTRIES_MAX = Number.MAX_SAFE_INTEGER;

export interface Side {
	readonly name: string;
	readonly build: Build;
	readonly tally: Tally;
}

/** Of this tree to the commit, in one pair of runs; above 1 the tree is better. */
export interface Ratios {
	readonly throughput: number;
	/** Of the processor time an entry takes. */
	readonly cpu: number;
}

interface Contest {
	readonly side: Side;
	readonly engine: Engine;
}

interface Turn {
	readonly perMs: number;
	readonly cpuPerEntry: number;
}

/** Both builds in fresh processes, in turns: which one goes first changes from pair to pair. */
export class Round {
	readonly children = new Children();
	readonly pairs: Ratios[] = [];
	readonly #options: BenchOptions;

	constructor(options: BenchOptions) {
		this.#options = options;
	}

	/** @param isOver is asked between two runs */
	async run(tree: Side, commit: Side, path: string, isOver: () => boolean): Promise<void> {
		const start = async (side: Side): Promise<Contest> => {
			const dir = `${path}/${side.name}`;
			return { side, engine: await Engine.start(this.children, this.#options, dir, side.build) };
		};
		const contests = [await start(tree), await start(commit)] as const;
		for (const { engine } of contests) {
			if (!isOver()) await this.#warmUp(engine);
		}
		while (this.pairs.length < PAIRS_PER_ROUND && !isOver()) {
			const isTreeFirst = this.pairs.length % 2 === 0;
			const [first, second] = isTreeFirst ? contests : contests.toReversed();
			const one = await this.#turn(first!);
			if (isOver()) break;
			const other = await this.#turn(second!);
			this.pairs.push(isTreeFirst ? ratios(one, other) : ratios(other, one));
		}
		for (const { engine } of contests) await engine.close();
	}

	/** Until all segments have been written once. */
	async #warmUp(engine: Engine): Promise<void> {
		const logBytes = CEILING_SEGMENTS * BENCH_LIMITS.segmentBytes;
		const entriesMax = Math.ceil(logBytes / this.#options.payloadBytes);
		await engine.run({ ms: WARM_UP_MS, entriesMax });
	}

	async #turn({ side, engine }: Contest): Promise<Turn> {
		const before = await engine.samples();
		const slice: Slice = await engine.run({ ms: SLICE_MS, entriesMax: ENTRIES_MAX });
		const after = await engine.samples();
		side.tally.add(slice);
		side.tally.addUsed(before, after);
		const cpu = after.reduce(
			(sum, s, i) => sum + s.cpuMicroseconds - before[i]!.cpuMicroseconds,
			0,
		);
		return { perMs: slice.entries / slice.ms, cpuPerEntry: cpu / slice.entries };
	}
}

function ratios(tree: Turn, commit: Turn): Ratios {
	return {
		throughput: tree.perMs / commit.perMs,
		cpu: commit.cpuPerEntry / tree.cpuPerEntry,
	};
}
