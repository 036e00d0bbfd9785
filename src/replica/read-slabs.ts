import type { Slab, SlabPool } from '../format/slab.js';

/** Lends slabs for reading the log back: a few at a time, so that lagging followers and tails can never take the
 * memory that new entries need. */
export class ReadSlabs {
	readonly #pool: SlabPool;
	readonly #slabsMax: number;
	#lent = 0;
	readonly #waiting: (() => void)[] = [];

	constructor(pool: SlabPool, slabsMax: number) {
		this.#pool = pool;
		this.#slabsMax = slabsMax;
	}

	/** Resolves to a slab held once, as soon as there is one. Give it back through `release`. */
	async acquire(): Promise<Slab> {
		for (;;) {
			const slab = this.#lent < this.#slabsMax ? this.#pool.acquire() : null;
			if (slab !== null) {
				this.#lent += 1;
				return slab;
			}
			await new Promise<void>((resolve) => {
				if (this.#lent < this.#slabsMax) this.#pool.whenAvailable(resolve);
				else this.#waiting.push(resolve);
			});
		}
	}

	/** Lets go of a slab of `acquire`. Others may still hold it (a write on its way). */
	release(slab: Slab): void {
		slab.release();
		this.#lent -= 1;
		this.#waiting.shift()?.();
	}
}
