/** Chance from a seed, fast enough for millions of cases (mulberry32). */
export class Dice {
	#state: number;

	constructor(seed: number) {
		this.#state = seed | 0;
	}

	/** A whole number in [0, 2^32). */
	word(): number {
		this.#state = (this.#state + 0x6d2b79f5) | 0;
		let value = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
		value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
		return (value ^ (value >>> 14)) >>> 0;
	}

	/** A whole number in [0, limit). */
	below(limit: number): number {
		return Math.floor((this.word() / 2 ** 32) * limit);
	}

	chance(probability: number): boolean {
		return this.word() < probability * 2 ** 32;
	}

	pick<T>(list: readonly T[]): T {
		return list[this.below(list.length)]!;
	}
}
