import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/profile/histogram.js';

describe('Histogram', () => {
	it('is empty at first', () => {
		expect(new Histogram().percentiles()).toEqual({ p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
	});

	it('gives percentiles that are right to half a percent, from microseconds to minutes', () => {
		for (const unitMs of [0.001, 0.1, 1, 50]) {
			const histogram = new Histogram();
			for (let i = 1; i <= 1000; i++) histogram.record(i * unitMs, 1);
			for (const share of [0.5, 0.9, 0.99, 0.999]) {
				const exact = share * 1000 * unitMs;
				// A time in whole tenths of a microsecond cannot be known better than that.
				expect(Math.abs(histogram.quantile(share) - exact)).toBeLessThan(exact * 0.005 + 0.0001);
			}
			expect(histogram.percentiles().max).toBeCloseTo(1000 * unitMs, 9);
		}
	});

	it('weighs a batch by its entries', () => {
		const histogram = new Histogram();
		histogram.record(1, 99);
		histogram.record(100, 1);
		expect(histogram.quantile(0.5)).toBeCloseTo(1, 1);
		expect(histogram.quantile(0.99)).toBeCloseTo(1, 1);
		expect(histogram.quantile(0.995)).toBeCloseTo(100, 0);
		expect(histogram.total).toBe(100);
	});

	it('counts what is too long as the longest, and what the clock made negative as none', () => {
		const histogram = new Histogram();
		histogram.record(-0.001, 1);
		histogram.record(10 ** 9, 1);
		expect(histogram.quantile(0.5)).toBeLessThan(0.001);
		expect(histogram.percentiles().max).toBe(10 ** 9);
	});

	it('merges what others recorded, and is empty after it was taken', () => {
		const [one, other] = [new Histogram(), new Histogram()];
		one.record(1, 10);
		other.record(3, 10);
		one.merge(other.take());
		expect(one.total).toBe(20);
		expect(one.quantile(0.9)).toBeCloseTo(3, 1);
		expect(one.percentiles().max).toBe(3);
		expect(other.total).toBe(0);
		expect(other.percentiles().max).toBe(0);
	});
});
