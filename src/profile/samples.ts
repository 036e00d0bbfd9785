/** Percentiles of a stage's times, in ms. */
export interface Percentiles {
	readonly p50: number;
	readonly p90: number;
	readonly p99: number;
	readonly p999: number;
	readonly max: number;
}

/** Times, as many as come. */
export class Samples {
	#times = new Float64Array(1024);
	#count = 0;
	total = 0;

	add(ms: number): void {
		if (this.#count === this.#times.length) {
			const larger = new Float64Array(2 * this.#count);
			larger.set(this.#times);
			this.#times = larger;
		}
		this.#times[this.#count] = ms;
		this.#count += 1;
		this.total += ms;
	}

	get count(): number {
		return this.#count;
	}

	/** Exact: each is a time that was measured. All are 0 where there is none. */
	percentiles(): Percentiles {
		const sorted = this.#times.slice(0, this.#count).sort();
		const at = (share: number) => sorted[Math.max(0, Math.ceil(share * this.#count) - 1)] ?? 0;
		return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
	}
}
