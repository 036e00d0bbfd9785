import { expect, test } from 'vitest';
import { costOf, isOnIn, type Slice, verdictOf } from '../../bench/slices.js';

/** With a cost of `percent`, beside what grows from slice to slice and what comes and goes. */
function measured(count: number, percent: number, noise: (slice: number) => number): Slice[] {
	return Array.from({ length: count }, (_, i) => {
		const isOn = isOnIn(i);
		const entries = 1000 + (i % 3);
		const cpuMs = entries * 0.1 * (isOn ? 1 + percent / 100 : 1) * noise(i);
		return { isOn, cpuMs, entries };
	});
}

test('it is on and off in turns, and each is first as often as the other', () => {
	const on = Array.from({ length: 8 }, (_, i) => (isOnIn(i) ? 1 : 0)).join('');
	expect(on).toBe('01101001');
});

test('a cost is found beside a drift that is many times as large', () => {
	const cost = costOf(measured(40, 3, (i) => 1 + 0.01 * i))!;
	expect(cost.median).toBeCloseTo(1.03, 3);
	expect(cost.low).toBeGreaterThan(1.029);
	expect(cost.high).toBeLessThan(1.031);
	expect(verdictOf(cost, 1.02)).toBe('above');
	expect(verdictOf(cost, 1.04)).toBe('under');
});

test('what is noisier than the cost is not told from it, and slices that are few in no way', () => {
	const noise = (i: number) => 1 + 0.3 * Math.sin(37 * i * i);
	const cost = costOf(measured(40, 1, noise))!;
	expect(cost.low).toBeLessThan(1.01);
	expect(cost.high).toBeGreaterThan(1.02);
	expect(verdictOf(cost, 1.02)).toBe("can't tell");
});

test('only whole fours count, and without one there is no answer', () => {
	const slices = measured(7, 10, () => 1);
	expect(costOf(slices)!.median).toBeCloseTo(1.1, 6);
	expect(costOf(slices.slice(0, 3))).toBeNull();
	expect(costOf(slices.map((slice) => ({ ...slice, cpuMs: 0 })))).toBeNull();
});
