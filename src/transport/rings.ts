import { Memory } from '../format/memory.js';

/** So many are kept of each size, 20 MiB in all. */
const SPARE_MAX = { small: 1024, large: 256 } as const;
const BYTES = { small: 4 * 1024, large: 64 * 1024 } as const;

export type RingSize = keyof typeof BYTES;

/**
 * Memory in which connections write what they have to say: shared by all of the process, for most connections have nothing to
 * say most of the time, and there may be thousands.
 */
class Rings {
	readonly #spare: Readonly<Record<RingSize, Memory[]>> = { small: [], large: [] };

	/** What it contains is undefined. */
	take(size: RingSize): Memory {
		return this.#spare[size].pop() ?? new Memory(BYTES[size]);
	}

	/** Nobody reads or writes it any more. Each that was taken comes back once, or is forgotten. */
	giveBack(ring: Memory, size: RingSize): void {
		const spare = this.#spare[size];
		if (spare.length < SPARE_MAX[size]) spare.push(ring);
	}

	bytesOf(size: RingSize): number {
		return BYTES[size];
	}
}

export const rings = new Rings();
