import { getRandomValues } from 'node:crypto';
import type { Random } from '../src/io.js';

const twoTo20 = 2 ** 20;
const twoTo32 = 2 ** 32;

export class NativeRandom implements Random {
	/** Drawn ahead: one call into the generator costs more than the numbers. */
	readonly #words = new Uint32Array(256);
	#next = this.#words.length;

	next(): number {
		return this.#number52() / 2 ** 52;
	}

	identifier(): number {
		return this.#number52() || this.identifier();
	}

	/** Uniform in [0, 2^52). */
	#number52(): number {
		return (this.#word() % twoTo20) * twoTo32 + this.#word();
	}

	#word(): number {
		if (this.#next === this.#words.length) {
			getRandomValues(this.#words);
			this.#next = 0;
		}
		return this.#words[this.#next++]!;
	}
}
