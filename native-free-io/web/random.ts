import type { Random } from '../../src/io.js';

const twoTo20 = 2 ** 20;
const twoTo32 = 2 ** 32;

/** Chance on what browsers and Node have in common. */
export class WebRandom implements Random {
	readonly #words = new Uint32Array(2);

	next(): number {
		return this.#number52() / 2 ** 52;
	}

	identifier(): number {
		return this.#number52() || this.identifier();
	}

	/** Uniform in [0, 2^52). */
	#number52(): number {
		const [high = 0, low = 0] = globalThis.crypto.getRandomValues(this.#words);
		return (high % twoTo20) * twoTo32 + low;
	}
}
