import { Histogram, type Percentiles } from '../src/profile/histogram.js';
import type { Slice } from './run.js';
import type { Sample } from './sample.js';

/** All measured slices of one contender, as if they had been one. */
export class Tally {
	readonly #latency = new Histogram();
	/** Pairs: measured ms, entries until then. Begins at the origin. */
	readonly #course: number[] = [0, 0];
	/** Entries per second of each slice. */
	readonly rates: number[] = [];
	ms = 0;
	entries = 0;
	/** What each process used up meanwhile. Peaks are peaks, not sums. */
	used: readonly Sample[] = [];

	add(slice: Slice): void {
		for (let i = 0; i < slice.course.length; i += 2) {
			this.#course.push(this.ms + slice.course[i]!, this.entries + slice.course[i + 1]!);
		}
		this.rates.push((slice.entries / slice.ms) * 1000);
		this.ms += slice.ms;
		this.entries += slice.entries;
		this.#latency.merge(slice.latency);
	}

	/** Adds what was used between two samplings of all processes. */
	addUsed(before: readonly Sample[], after: readonly Sample[]): void {
		this.used = after.map((sample, i) => ({
			cpuMicroseconds:
				sample.cpuMicroseconds - before[i]!.cpuMicroseconds + (this.used[i]?.cpuMicroseconds ?? 0),
			peakRssBytes: sample.peakRssBytes,
			allocatedBytes:
				sample.allocatedBytes - before[i]!.allocatedBytes + (this.used[i]?.allocatedBytes ?? 0),
		}));
	}

	/** Of all processes together. */
	get cpuSecondsPerMillionEntries(): number {
		const cpu = this.used.reduce((sum, sample) => sum + sample.cpuMicroseconds, 0);
		// Microseconds an entry are seconds a million.
		return this.entries === 0 ? 0 : cpu / this.entries;
	}

	get perSecond(): number {
		return this.ms === 0 ? 0 : (this.entries / this.ms) * 1000;
	}

	get latency(): Percentiles {
		return this.#latency.percentiles();
	}

	/** The time in ms which `share` (0 to 1) of the entries did not exceed. */
	quantile(share: number): number {
		return this.#latency.quantile(share);
	}

	/** The rate over the first tenth of the entries. */
	get firstTenthPerSecond(): number {
		return this.#rateBetween(0, this.entries / 10);
	}

	/** The rate over the last tenth of the entries. */
	get lastTenthPerSecond(): number {
		return this.#rateBetween(this.entries * 0.9, this.entries);
	}

	/** Entries per second in `count` equal parts of `ms`; null where nothing was measured any more. */
	ratesAlong(count: number, ms: number): (number | null)[] {
		const course = this.#course;
		const rates: (number | null)[] = [];
		let [i, before] = [0, 0];
		for (let part = 1; part <= count; part++) {
			const start = (ms * (part - 1)) / count;
			const end = Math.min((ms * part) / count, this.ms);
			while (i < course.length - 2 && course[i + 2]! <= end) i += 2;
			const reached = this.#entriesAt(i, end);
			rates.push(end <= start ? null : ((reached - before) / (end - start)) * 1000);
			before = reached;
		}
		return rates;
	}

	/** Entries acknowledged by then, between point `i` of the course and the next. */
	#entriesAt(i: number, ms: number): number {
		const [msBefore, before, msAfter, after] = this.#course.slice(i, i + 4);
		if (msAfter === undefined) return before!;
		return before! + ((ms - msBefore!) / (msAfter - msBefore!)) * (after! - before!);
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
