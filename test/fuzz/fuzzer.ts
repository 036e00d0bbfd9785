import { blocksReached } from './coverage.js';
import { Dice } from './dice.js';
import { joined } from './finding.js';
import type { Target } from './target.js';

/** An input for which the target's oracle, or the engine itself, threw. */
export interface Failure {
	readonly input: Uint8Array;
	readonly error: Error;
	/** Which case it was. */
	readonly number: number;
}

/** How often the smallest failing input is looked for. */
const SHRINK_ATTEMPTS_MAX = 1500;
/** Inputs that are kept; then the oldest that isn't a seed goes. */
const CORPUS_MAX = 4000;

/**
 * Runs a target on mutations of a growing corpus: an input that reaches a block of code that none has reached before,
 * or comes to an outcome that is new, is kept and mutated further. Everything follows from the seed.
 */
export class Fuzzer {
	readonly target: Target;
	readonly #dice: Dice;
	readonly #corpus: Uint8Array[] = [];
	/** Inputs beyond the seeds that were worth keeping, with what was new about each. */
	readonly kept: { readonly input: Uint8Array; readonly blocks: number }[] = [];
	readonly outcomes = new Map<string, number>();
	cases = 0;
	failure: Failure | null = null;
	/** Told of each input before it is run. */
	onCase: (input: Uint8Array) => void = () => {};

	constructor(target: Target, seed: number) {
		this.target = target;
		this.#dice = new Dice(seed);
	}

	/** Runs seeds and the corpus that was handed in, as they are. */
	async start(corpus: readonly Uint8Array[]): Promise<void> {
		for (const input of [...(await this.target.seeds()), ...corpus]) {
			this.#corpus.push(input);
			await this.#case(input);
			if (this.failure !== null) return;
		}
	}

	/** Runs so many cases, or fewer if one fails. */
	async run(cases: number): Promise<void> {
		const pick = () => this.#dice.pick(this.#corpus);
		for (let i = 0; i < cases && this.failure === null; i++) {
			// What was found last is where something new is likely.
			const recent = this.#corpus.length - 1 - this.#dice.below(Math.min(32, this.#corpus.length));
			const base = this.#dice.chance(0.3) ? this.#corpus[recent]! : pick();
			const input = this.target.mutate(base, this.#dice, pick);
			const pending = this.#case(input);
			if (pending !== undefined) await pending;
		}
	}

	#case(input: Uint8Array): Promise<void> | undefined {
		this.onCase(input);
		const blocks = blocksReached();
		this.cases += 1;
		try {
			const outcome = this.target.run(input);
			if (typeof outcome === 'string') {
				this.#done(input, outcome, blocks);
				return undefined;
			}
			return outcome.then(
				(text) => this.#done(input, text, blocks),
				(error: Error) => this.#failed(input, error),
			);
		} catch (error) {
			this.#failed(input, error as Error);
			return undefined;
		}
	}

	#done(input: Uint8Array, outcome: string, blocksBefore: number): void {
		const count = this.outcomes.get(outcome) ?? 0;
		this.outcomes.set(outcome, count + 1);
		const blocks = blocksReached() - blocksBefore;
		if (blocks === 0 && count > 0) return;
		this.kept.push({ input, blocks });
		this.#corpus.push(input);
		if (this.#corpus.length > CORPUS_MAX) this.#corpus.splice(CORPUS_MAX >> 3, 1);
	}

	#failed(input: Uint8Array, error: Error): void {
		this.failure = { input, error, number: this.cases };
	}
}

/** The same kind of failure: another one must not be taken for it while it is made smaller. */
function kindOf(error: Error): string {
	return `${error.name} ${error.message.replaceAll(/[\da-f]{2,}|\d/g, '')}`;
}

/** Leaves out whatever isn't needed for the failure. @returns the smallest input found */
export async function shrink(target: Target, failure: Failure): Promise<Uint8Array> {
	const kind = kindOf(failure.error);
	let smallest = failure.input;
	let attempts = 0;
	const stillFails = async (input: Uint8Array): Promise<boolean> => {
		attempts += 1;
		try {
			await target.run(input);
			return false;
		} catch (error) {
			return kindOf(error as Error) === kind;
		}
	};
	for (let bytes = floorTo8(smallest.length / 2); bytes >= 1; bytes = next(bytes)) {
		for (let at = 0; at + bytes <= smallest.length && attempts < SHRINK_ATTEMPTS_MAX; ) {
			const without = joined([smallest.subarray(0, at), smallest.subarray(at + bytes)]);
			if (await stillFails(without)) smallest = without;
			else at += bytes;
		}
	}
	return smallest;
}

/** Frames and their parts are multiples of 8 long. */
function floorTo8(bytes: number): number {
	return Math.max(1, bytes - (bytes % 8));
}

function next(bytes: number): number {
	if (bytes === 1) return 0;
	return bytes <= 8 ? bytes >> 1 : floorTo8(bytes / 2);
}
