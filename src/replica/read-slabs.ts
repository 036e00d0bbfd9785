import { type Slab, SlabPool } from '../format/slab.js';

/**
 * Lends slabs for reading the log back, from a small pool of its own. Who reads back can't take the memory that new
 * entries need, and doesn't wait for it either: an applier that waits for memory, which the window holds until
 * it has applied, would wait for ever. A slab is back once everybody has let go, a write to a slow reader too.
 */
export class ReadSlabs {
	readonly #pool: SlabPool;

	constructor(slabBytes: number, slabsMax: number) {
		this.#pool = new SlabPool(slabBytes, slabsMax);
	}

	/** Resolves to a slab held once, as soon as there is one. */
	async acquire(): Promise<Slab> {
		for (;;) {
			const slab = this.#pool.acquire();
			if (slab !== null) return slab;
			await new Promise<void>((resolve) => this.#pool.whenAvailable(resolve));
		}
	}
}
