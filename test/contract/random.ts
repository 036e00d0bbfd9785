import { describe, expect, test } from 'vitest';
import type { Random } from '../../src/io.js';

/** What `Random` promises, for every implementation of it. */
export function randomContract(name: string, make: () => Random): void {
	describe(`random contract: ${name}`, () => {
		const draws = 20_000;

		test('numbers lie in [0, 1), evenly', () => {
			const random = make();
			const tenths = new Array<number>(10).fill(0);
			for (let i = 0; i < draws; i++) {
				const number = random.next();
				tenths[Math.floor(number * 10)]!++;
			}
			expect(tenths.length).toBe(10);
			// Nine standard deviations.
			for (const count of tenths) expect(Math.abs(count - draws / 10)).toBeLessThan(400);
		});

		test('identifiers are integers in [1, 2^52) that never meet their like', () => {
			const seen = new Set<number>();
			let odd = 0;
			for (const random of [make(), make()]) {
				let high = 0;
				for (let i = 0; i < draws; i++) {
					const identifier = random.identifier();
					if (!Number.isInteger(identifier) || identifier < 1 || identifier >= 2 ** 52) odd++;
					if (identifier >= 2 ** 51) high++;
					seen.add(identifier);
				}
				expect(Math.abs(high - draws / 2)).toBeLessThan(700);
			}
			expect(odd).toBe(0);
			expect(seen.size).toBe(2 * draws);
		});
	});
}
