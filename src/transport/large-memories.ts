import { Memory } from '../format/memory.js';

/** Several frames of a client that sends all that it may. */
const LARGE_BYTES = 512 * 1024;
const LARGE_MAX = 8;

/**
 * What receivers grow into while much comes: few, shared by all of the process, and used again. Memory made anew for each burst
 * would have V8 collect the whole heap, for outside of it is counted too.
 */
class LargeMemories {
	readonly #spare: Memory[] = [];
	/** How many are in use. At most `LARGE_MAX`. */
	#used = 0;

	/** @returns null while too many are in use. What it contains is undefined. */
	take(): Memory | null {
		if (this.#used === LARGE_MAX) return null;
		this.#used += 1;
		return this.#spare.pop() ?? new Memory(LARGE_BYTES);
	}

	/** Each that was taken comes back once. `isFree`: nobody writes to it any more. */
	giveBack(memory: Memory, isFree: boolean): void {
		this.#used -= 1;
		if (isFree) this.#spare.push(memory);
	}
}

export const largeMemories = new LargeMemories();
