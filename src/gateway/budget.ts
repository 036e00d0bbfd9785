import { assert } from '../assert.js';

/** Bytes that all connections share for what they keep waiting. */
export class Budget {
	readonly bytesMax: number;
	/** 0 <= taken <= bytesMax. */
	#taken = 0;

	constructor(bytesMax: number) {
		this.bytesMax = bytesMax;
	}

	get taken(): number {
		return this.#taken;
	}

	/** @returns whether there was so much left */
	take(bytes: number): boolean {
		if (this.#taken + bytes > this.bytesMax) return false;
		this.#taken += bytes;
		return true;
	}

	give(bytes: number): void {
		this.#taken -= bytes;
		assert(this.#taken >= 0, 'more was given back than taken');
	}
}
