import type { Random } from '../../src/io.js';

/**
 * Numbers from a seed: sfc32, keyed by a text. `fork` gives each part of the world a stream of its own,
 * so that one more draw in the network doesn't change what the disks do.
 */
export class SimulatedRandom implements Random {
	readonly #key: string;
	#a: number;
	#b: number;
	#c: number;
	#counter = 1;

	constructor(key: string) {
		this.#key = key;
		this.#a = hash(key, 0x9e3779b9);
		this.#b = hash(key, 0x243f6a88);
		this.#c = hash(key, 0xb7e15162);
		for (let i = 0; i < 12; i++) this.#word();
	}

	/** An independent stream; takes nothing from this one. */
	fork(name: string | number): SimulatedRandom {
		return new SimulatedRandom(`${this.#key}/${name}`);
	}

	next(): number {
		return this.#number52() / 2 ** 52;
	}

	identifier(): number {
		return this.#number52() || 1;
	}

	/** An integer in [0, limit). */
	below(limit: number): number {
		return Math.floor(this.next() * limit);
	}

	/** A number in [low, high). */
	between(low: number, high: number): number {
		return low + this.next() * (high - low);
	}

	chance(probability: number): boolean {
		return this.next() < probability;
	}

	#number52(): number {
		return (this.#word() >>> 12) * 2 ** 32 + this.#word();
	}

	#word(): number {
		const result = (this.#a + this.#b + this.#counter) | 0;
		this.#counter = (this.#counter + 1) | 0;
		this.#a = this.#b ^ (this.#b >>> 9);
		this.#b = (this.#c + (this.#c << 3)) | 0;
		this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
		return result >>> 0;
	}
}

/** FNV-1a with a final mix. */
function hash(text: string, start: number): number {
	let value = start | 0;
	for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
	value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
	value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
	return value ^ (value >>> 16);
}
