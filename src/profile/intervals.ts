/** Pairs of times, in order; of too many the latest are kept. Their memory is taken at once. */
export class Intervals {
	readonly #ring: Float64Array;
	readonly #max: number;
	#count = 0;

	constructor(max: number) {
		this.#max = max;
		this.#ring = new Float64Array(2 * max);
	}

	add(from: number, to: number): void {
		const at = 2 * (this.#count % this.#max);
		this.#ring[at] = from;
		this.#ring[at + 1] = to;
		this.#count += 1;
	}

	/** A copy of those that are kept, in order. */
	take(): Float64Array {
		if (this.#count <= this.#max) return this.#ring.slice(0, 2 * this.#count);
		const oldest = 2 * (this.#count % this.#max);
		const taken = new Float64Array(this.#ring.length);
		taken.set(this.#ring.subarray(oldest));
		taken.set(this.#ring.subarray(0, oldest), this.#ring.length - oldest);
		return taken;
	}
}
