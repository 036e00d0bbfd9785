import { Histogram, type Percentiles } from './histogram.js';
import type { Slice } from './run.js';

/** All measured slices of one contender, as if they had been one. */
export class Tally {
	readonly #latency = new Histogram();
	/** Pairs: measured ms, entries until then. Begins at the origin. */
	readonly #course: number[] = [0, 0];
	ms = 0;
	entries = 0;

	add(slice: Slice): void {
		for (let i = 0; i < slice.course.length; i += 2) {
			this.#course.push(this.ms + slice.course[i]!, this.entries + slice.course[i + 1]!);
		}
		this.ms += slice.ms;
		this.entries += slice.entries;
		this.#latency.merge(slice.latency);
	}

	get perSecond(): number {
		return this.ms === 0 ? 0 : (this.entries / this.ms) * 1000;
	}

	get latency(): Percentiles {
		return this.#latency.percentiles();
	}

	/** The rate over the first tenth of the entries. */
	get firstTenthPerSecond(): number {
		return this.#rateBetween(0, this.entries / 10);
	}

	/** The rate over the last tenth of the entries. */
	get lastTenthPerSecond(): number {
		return this.#rateBetween(this.entries * 0.9, this.entries);
	}

	#rateBetween(from: number, to: number): number {
		const ms = this.#msAt(to) - this.#msAt(from);
		return ms <= 0 ? 0 : ((to - from) / ms) * 1000;
	}

	/** When that many entries were acknowledged, between the points of the course. */
	#msAt(entries: number): number {
		const course = this.#course;
		let i = 2;
		while (i < course.length - 2 && course[i + 1]! < entries) i += 2;
		if (i >= course.length) return 0;
		const [msBefore, before, ms, reached] = course.slice(i - 2, i + 2);
		if (reached! <= before!) return ms!;
		return msBefore! + ((entries - before!) / (reached! - before!)) * (ms! - msBefore!);
	}
}
