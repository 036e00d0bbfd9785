import { assert } from '../assert.js';
import { Memory } from './memory.js';

/** A piece of memory shared by counting: whoever keeps a frame of it holds one reference, and the last to
 * let go gives the slab back to its pool. */
export class Slab extends Memory {
	readonly #pool: SlabPool;
	/** How many hold it. Zero exactly while it lies in the pool. */
	#references = 0;

	constructor(pool: SlabPool, size: number) {
		super(size);
		this.#pool = pool;
	}

	get references(): number {
		return this.#references;
	}

	/** For the pool alone: hands the slab out with one reference. */
	lend(): this {
		assert(this.#references === 0, 'a slab in the pool is held by nobody');
		this.#references = 1;
		return this;
	}

	retain(): void {
		assert(this.#references > 0, 'only a held slab can be shared');
		this.#references += 1;
	}

	release(): void {
		assert(this.#references > 0, 'a slab is released as often as it is held');
		this.#references -= 1;
		if (this.#references === 0) this.#pool.takeBack(this);
	}
}

/** A bounded number of slabs of one size. Memory is made on first use, then reused for ever. */
export class SlabPool {
	readonly slabBytes: number;
	readonly slabsMax: number;
	readonly #free: Slab[] = [];
	#made = 0;
	#waiting: (() => void)[] = [];

	constructor(slabBytes: number, slabsMax: number) {
		assert(slabBytes > 0 && slabBytes % 8 === 0, 'a slab is a multiple of 8 bytes');
		this.slabBytes = slabBytes;
		this.slabsMax = slabsMax;
	}

	/** How many could be had now. */
	get available(): number {
		return this.slabsMax - this.#made + this.#free.length;
	}

	get made(): number {
		return this.#made;
	}

	/** A slab held once by the caller, or `null` while all are in use. What it contains is undefined. */
	acquire(): Slab | null {
		const slab = this.#free.pop();
		if (slab !== undefined) return slab.lend();
		if (this.#made === this.slabsMax) return null;
		this.#made += 1;
		return new Slab(this, this.slabBytes).lend();
	}

	/** Calls back once, when a slab may be had again: from within the `release` that gave it back, and
	 * all who wait, in order. Who comes too late waits anew, ahead of who was served. */
	whenAvailable(callback: () => void): void {
		this.#waiting.push(callback);
	}

	/** For `Slab` alone. */
	takeBack(slab: Slab): void {
		assert(slab.references === 0, 'a slab that is held stays out of the pool');
		assert(this.#free.length < this.#made, 'a slab comes back once, to the pool it is from');
		this.#free.push(slab);
		if (this.#waiting.length === 0) return;
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const callback of waiting) callback();
	}
}
