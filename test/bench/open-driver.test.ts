import { describe, expect, it } from 'vitest';
import type { LoadBatch } from '../../bench/load.js';
import { OpenDriver } from '../../bench/open-driver.js';
import { planLoad } from '../../bench/options.js';
import { formatHgrm, percentileSteps } from '../../bench/profile/hgrm.js';
import { parseProfileOptions } from '../../bench/profile/options.js';
import { Histogram, type HistogramState } from '../../src/profile/histogram.js';

const LOAD = { payloadBytes: 16, entriesPerBatch: 1, depth: 1000 };

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

function longerThan(ms: number, state: HistogramState): number {
	const histogram = new Histogram();
	histogram.merge(state);
	const steps = histogram.cumulative();
	return steps.at(-1)!.count - (steps.findLast((step) => step.ms <= ms)?.count ?? 0);
}

/** Answers at once, except during one stall. */
class StallingTarget {
	readonly submitted: number[] = [];
	#stall: Promise<void> | null = null;
	readonly #stallAt: number;
	readonly #stallMs: number;

	constructor(stallAt: number, stallMs: number) {
		this.#stallAt = stallAt;
		this.#stallMs = stallMs;
	}

	async submit(batch: LoadBatch): Promise<void> {
		this.submitted.push(batch.first);
		if (batch.first === this.#stallAt) this.#stall = pause(this.#stallMs);
		await this.#stall;
	}
}

describe('an open loop', () => {
	it.each([1000, 1])(
		'counts a stall against all that it delays, with a depth of %i',
		async (depth) => {
			const target = new StallingTarget(50, 200);
			const driver = new OpenDriver({ ...LOAD, depth }, 1000, target);
			const slice = await driver.run({ ms: Number.POSITIVE_INFINITY, entriesMax: 400 });
			expect(target.submitted).toEqual(Array.from({ length: 400 }, (_, i) => i));
			expect([slice.entries, driver.acknowledged, slice.open!.missed]).toEqual([400, 400, 0]);
			// In 200 ms 200 were due, and half of them had to wait for 100 ms and more.
			expect(longerThan(90, slice.latency)).toBeGreaterThanOrEqual(100);
		},
	);

	it('counts what was due and never submitted as waiting until the end', async () => {
		const target = new StallingTarget(0, 300);
		const driver = new OpenDriver({ ...LOAD, depth: 10 }, 1000, target);
		const slice = await driver.run({ ms: 100, entriesMax: 1e9 });
		expect(slice.entries).toBeLessThanOrEqual(10);
		expect(slice.entries + slice.open!.missed).toBe(100);
		// The last of them was due 200 ms before the end.
		expect(longerThan(190, slice.latency)).toBe(100);
	});

	it('goes on from where it was, and ends when it is told to', async () => {
		const target = new StallingTarget(-1, 0);
		const driver = new OpenDriver({ ...LOAD, entriesPerBatch: 10 }, 10_000, target);
		await driver.run({ ms: Number.POSITIVE_INFINITY, entriesMax: 25 });
		expect(target.submitted).toEqual([0, 10, 20]);
		const run = driver.run({ ms: 1e6, entriesMax: 1e9 });
		await pause(20);
		driver.stop();
		const slice = await run;
		expect(driver.acknowledged).toBe(25 + slice.entries);
		expect(target.submitted.slice(3, 5)).toEqual([25, 35]);
	});

	it('fails with its target', async () => {
		const target = { submit: () => Promise.reject(new Error('no')) };
		const run = new OpenDriver(LOAD, 100, target).run({ ms: 1000, entriesMax: 10 });
		await expect(run).rejects.toThrow('no');
	});

	it.each([
		[100, 1],
		[1_000, 1],
		[20_000, 20],
		[10_000_000, 512],
	])('at %i entries a second makes requests of %i', (rate, entries) => {
		const options = parseProfileOptions(['--rate', String(rate)]);
		expect(planLoad(options)).toMatchObject({ rate, entriesPerBatch: entries });
	});
});

describe('the percentiles as HdrHistogram prints them', () => {
	it('are those of what was recorded, ever finer, up to the maximum', () => {
		const histogram = new Histogram();
		for (let i = 1; i <= 1000; i++) histogram.record(i, 2);
		const state = histogram.take();
		const steps = percentileSteps(state);
		expect(steps[0]).toMatchObject({ share: 0, count: 2 });
		expect(steps.at(-1)).toEqual({ ms: 1000, share: 1, count: 2000 });
		for (const [i, { ms, share, count }] of steps.entries()) {
			expect(count / 2000).toBeGreaterThanOrEqual(share);
			expect(Math.abs(ms / 1000 - count / 2000)).toBeLessThan(0.005);
			if (i > 0) expect(share).toBeGreaterThan(steps[i - 1]!.share);
		}
		// Five to each halving of the rest.
		expect(steps.filter(({ share }) => share >= 0.5 && share < 0.75)).toHaveLength(5);
		expect(steps.filter(({ share }) => share >= 0.75 && share < 0.875)).toHaveLength(5);
	});

	it('come with mean, deviation and count', () => {
		const histogram = new Histogram();
		histogram.record(1, 1);
		histogram.record(3, 1);
		const text = formatHgrm(histogram.take());
		expect(text).toMatch(
			/\n#\[Mean {4}= +(?:1\.99\d|2\.00\d), StdDeviation {3}= +(?:0\.99\d|1\.00\d)\]\n/,
		);
		expect(text).toMatch(/\n#\[Max {5}= +3\.000, Total count {4}= +2\]\n/);
	});

	it('of nothing are nothing', () => {
		expect(percentileSteps(new Histogram().take())).toEqual([]);
		expect(formatHgrm(new Histogram().take())).toMatch(/Total count {4}= +0\]/);
	});
});
