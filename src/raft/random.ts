/** A small generator with a seed (xorshift32): the same seed spreads the same election time-outs. */
export class Random {
	#state: number;

	constructor(seed: number) {
		// Seeds that are close to each other must not begin alike, and zero would stay zero for ever.
		const mixed = Math.imul(seed ^ (seed >>> 16) ^ 0x5bd1e995, 0x85ebca6b);
		this.#state = (mixed ^ (mixed >>> 13)) | 0 || 0x9e3779b9 | 0;
		for (let i = 0; i < 4; i += 1) this.#advance();
	}

	/** A whole number in [0, bound); bound is at most 2^31. */
	below(bound: number): number {
		return Math.floor(((this.#advance() >>> 0) / 0x1_0000_0000) * bound);
	}

	#advance(): number {
		let state = this.#state;
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		this.#state = state;
		return state;
	}
}
