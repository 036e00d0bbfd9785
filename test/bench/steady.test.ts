import { expect, test } from 'vitest';
import { untilSteady } from '../../bench/steady.js';

/** @returns how often it was run, at these rates and from then on at the last */
async function runsOf(rates: readonly number[], runsMax = 100): Promise<number> {
	let runs = 0;
	await untilSteady(async () => {
		const rate = rates[Math.min(runs, rates.length - 1)]!;
		runs += 1;
		return { entries: rate * 500, ms: 500 };
	}, runsMax);
	return runs;
}

test('what is steady from the beginning is run three times', async () => {
	expect(await runsOf([600])).toBe(3);
});

test('what gets quicker is run until two runs in a row are no quicker than the best', async () => {
	expect(await runsOf([400, 450, 500, 550, 600])).toBe(7);
	expect(await runsOf([400, 500, 500, 600, 610, 605])).toBe(6);
	expect(await runsOf([600, 400, 500, 550])).toBe(3);
});

test('what never becomes steady is run no more often than is allowed', async () => {
	const doubling = Array.from({ length: 50 }, (_, i) => 2 ** i);
	expect(await runsOf(doubling, 6)).toBe(6);
});
