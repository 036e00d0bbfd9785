import { describe, expect, it } from 'vitest';
import { RecentLatencies, Vitals, WINDOW_MS } from '../../src/profile/vitals.js';

describe('RecentLatencies', () => {
	it('tells of the last window or two, and forgets what came before', () => {
		const recent = new RecentLatencies();
		expect(recent.latency(0)).toMatchObject({ count: 0, p50Ms: 0, maxMs: 0, totalCount: 0 });
		recent.record(100, 0);
		recent.record(1, WINDOW_MS);
		expect(recent.latency(WINDOW_MS)).toMatchObject({ count: 2, maxMs: 100, totalCount: 2 });
		recent.record(1, 2 * WINDOW_MS);
		const latency = recent.latency(2 * WINDOW_MS);
		expect(latency).toMatchObject({ count: 2, maxMs: 1, totalCount: 3, totalMs: 102 });
		expect(latency.p50Ms).toBeCloseTo(1, 1);
	});

	it('knows nothing of a time in which nothing happened', () => {
		const recent = new RecentLatencies();
		recent.record(100, 0);
		recent.record(100, WINDOW_MS);
		expect(recent.latency(2 * WINDOW_MS - 1).count).toBe(2);
		expect(recent.latency(2 * WINDOW_MS).count).toBe(1);
		expect(recent.latency(3 * WINDOW_MS).count).toBe(0);
		recent.record(2, 10 * WINDOW_MS);
		expect(recent.latency(10 * WINDOW_MS)).toMatchObject({ count: 1, maxMs: 2 });
	});

	it('is right to 3.2 %, from microseconds to seconds', () => {
		for (const unitMs of [0.001, 0.05, 1, 20]) {
			const recent = new RecentLatencies();
			for (let i = 1; i <= 1000; i++) recent.record(i * unitMs, 0);
			const { p50Ms, p99Ms, maxMs } = recent.latency(0);
			expect(Math.abs(p50Ms / (500 * unitMs) - 1)).toBeLessThan(0.033);
			expect(Math.abs(p99Ms / (990 * unitMs) - 1)).toBeLessThan(0.033);
			expect(maxMs).toBeCloseTo(1000 * unitMs, 3);
		}
	});
});

describe('Vitals', () => {
	it('times batches from their append to their commit, as many as are under way', () => {
		const vitals = new Vitals();
		for (let i = 1; i <= 100; i++) vitals.appended(10 * i, i);
		vitals.committed(9, 100);
		expect(vitals.commit.latency(100).count).toBe(0);
		vitals.committed(505, 100);
		expect(vitals.commit.latency(100)).toMatchObject({ count: 50, maxMs: 99, totalMs: 3725 });
		// The ring goes round.
		for (let i = 101; i <= 160; i++) vitals.appended(10 * i, i);
		vitals.committed(1600, 200);
		expect(vitals.commit.latency(200)).toMatchObject({ count: 160, maxMs: 149 });
	});

	it('times no more than it has room for', () => {
		const vitals = new Vitals();
		for (let i = 1; i <= 20_000; i++) vitals.appended(i, 0);
		vitals.committed(20_000, 1);
		expect(vitals.commit.latency(1).count).toBe(8192);
		vitals.appended(20_001, 2);
		vitals.committed(20_001, 3);
		expect(vitals.commit.latency(3).totalCount).toBe(8193);
	});

	it('knows nothing of batches whose leader was deposed', () => {
		const vitals = new Vitals();
		vitals.appended(1, 0);
		vitals.deposed();
		vitals.committed(1, 5000);
		vitals.appended(2, 6000);
		vitals.committed(2, 6001);
		expect(vitals.commit.latency(6001)).toMatchObject({ totalCount: 1, maxMs: 1 });
	});
});
