/**
 * The states that were visited, as fingerprints of 64 bits, each with the state that it was reached from. Numbers
 * rise in the order of discovery. Among a hundred million states, two share a fingerprint (and one of them stays
 * unexplored) with a chance of about 1 in 4,000.
 */
export class StateTable {
	#slots = new Int32Array(1 << 16).fill(-1);
	#low = new Int32Array(1 << 15);
	#high = new Int32Array(1 << 15);
	#parents = new Int32Array(1 << 15);
	#count = 0;
	#addedLow = 0;
	#addedHigh = 0;

	get count(): number {
		return this.#count;
	}

	get bytes(): number {
		return 4 * (this.#slots.length + 3 * this.#low.length);
	}

	parent(number: number): number {
		return this.#parents[number]!;
	}

	/** Is this the fingerprint of the state `number`? */
	is(number: number, vector: Int32Array): boolean {
		this.#digest(vector);
		return this.#low[number] === this.#addedLow && this.#high[number] === this.#addedHigh;
	}

	/** True if the state is new. */
	add(vector: Int32Array, parent: number): boolean {
		this.#digest(vector);
		const low = this.#addedLow;
		const high = this.#addedHigh;
		const mask = this.#slots.length - 1;
		let slot = low & mask;
		for (let number = this.#slots[slot]!; number >= 0; number = this.#slots[slot]!) {
			if (this.#low[number] === low && this.#high[number] === high) return false;
			slot = (slot + 1) & mask;
		}
		if (this.#count === this.#low.length) this.#grow();
		this.#slots[slot] = this.#count;
		this.#low[this.#count] = low;
		this.#high[this.#count] = high;
		this.#parents[this.#count] = parent;
		this.#count += 1;
		if (this.#count * 3 > this.#slots.length * 2) this.#rehash();
		return true;
	}

	#digest(vector: Int32Array): void {
		let low = 0x9747b28c;
		let high = 0x1b873593;
		for (let i = 0; i < vector.length; i += 1) {
			low = mixed(low ^ Math.imul(vector[i]!, 0xcc9e2d51), 0x85ebca6b);
			high = mixed(high + Math.imul(vector[i]!, 0x27d4eb2f), 0xc2b2ae35);
		}
		this.#addedLow = mixed(low, 0xc2b2ae35) | 0;
		this.#addedHigh = mixed(high, 0x85ebca6b) | 0;
	}

	#grow(): void {
		this.#low = doubled(this.#low);
		this.#high = doubled(this.#high);
		this.#parents = doubled(this.#parents);
	}

	#rehash(): void {
		const slots = new Int32Array(this.#slots.length * 2).fill(-1);
		const mask = slots.length - 1;
		for (let number = 0; number < this.#count; number += 1) {
			let slot = this.#low[number]! & mask;
			while (slots[slot]! >= 0) slot = (slot + 1) & mask;
			slots[slot] = number;
		}
		this.#slots = slots;
	}
}

function mixed(value: number, factor: number): number {
	const once = Math.imul(value ^ (value >>> 15), factor);
	return Math.imul(once ^ (once >>> 13), 0x9e3779b1) ^ (once >>> 16);
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
	const larger = new Int32Array(array.length * 2);
	larger.set(array);
	return larger;
}

/** Vectors of one length, first in, first out; memory is let go in pieces. */
export class VectorQueue {
	readonly #length: number;
	readonly #perChunk = 1 << 14;
	readonly #chunks = new Map<number, Int32Array>();
	#head = 0;
	#tail = 0;

	constructor(length: number) {
		this.#length = length;
	}

	get size(): number {
		return this.#tail - this.#head;
	}

	push(vector: Int32Array): void {
		const at = Math.floor(this.#tail / this.#perChunk);
		let chunk = this.#chunks.get(at);
		if (chunk === undefined) {
			chunk = new Int32Array(this.#perChunk * this.#length);
			this.#chunks.set(at, chunk);
		}
		chunk.set(vector, (this.#tail % this.#perChunk) * this.#length);
		this.#tail += 1;
	}

	/** Takes the oldest out, into `vector`. */
	shift(vector: Int32Array): void {
		const at = Math.floor(this.#head / this.#perChunk);
		const chunk = this.#chunks.get(at)!;
		const start = (this.#head % this.#perChunk) * this.#length;
		for (let i = 0; i < this.#length; i += 1) vector[i] = chunk[start + i]!;
		this.#head += 1;
		if (this.#head % this.#perChunk === 0) this.#chunks.delete(at);
	}
}
