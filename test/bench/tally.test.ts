import { describe, expect, it } from 'vitest';
import type { Slice } from '../../bench/run.js';
import { Tally } from '../../bench/tally.js';
import { Histogram } from '../../src/profile/histogram.js';

function slice(course: number[]): Slice {
	const histogram = new Histogram();
	histogram.record(1, course.at(-1)!);
	const [ms, entries] = course.slice(-2) as [number, number];
	return { ms, entries, latency: histogram.take(), course: Float64Array.from(course) };
}

describe('Tally', () => {
	it('is zero without slices', () => {
		const tally = new Tally();
		expect(tally.perSecond).toBe(0);
		expect(tally.firstTenthPerSecond).toBe(0);
		expect(tally.lastTenthPerSecond).toBe(0);
	});

	it('joins slices as if they had been one', () => {
		const tally = new Tally();
		tally.add(slice([500, 1000, 1000, 2000]));
		tally.add(slice([1000, 2000]));
		expect(tally.entries).toBe(4000);
		expect(tally.perSecond).toBe(2000);
		expect(tally.firstTenthPerSecond).toBeCloseTo(2000, 6);
		expect(tally.lastTenthPerSecond).toBeCloseTo(2000, 6);
		expect(tally.latency.p50).toBeCloseTo(1, 2);
	});

	it('sees the rate fall', () => {
		const tally = new Tally();
		tally.add(slice([100, 500]));
		tally.add(slice([400, 400, 1000, 500]));
		expect(tally.firstTenthPerSecond).toBeCloseTo(5000, 6);
		expect(tally.lastTenthPerSecond).toBeCloseTo(100 / 0.6, 6);
	});
});
