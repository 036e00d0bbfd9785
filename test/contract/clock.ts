import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/io.js';

/** What `Clock` promises, for every implementation of it. */
export function clockContract(name: string, make: () => Clock): void {
	describe(`clock contract: ${name}`, () => {
		const clock = make();
		const pass = (milliseconds: number): Promise<void> =>
			new Promise((resolve) => void clock.after(milliseconds, resolve));

		test('never goes back', async () => {
			let last = clock.now();
			for (let i = 0; i < 50; i++) {
				if (i % 10 === 0) await pass(1);
				const now = clock.now();
				expect(now).toBeGreaterThanOrEqual(last);
				last = now;
			}
		});

		test('lets timers wait, to the millisecond that Node rounds away', async () => {
			const start = clock.now();
			await pass(20);
			expect(clock.now() - start).toBeGreaterThan(18.9);
		});

		test('fires timers in the order of their times', async () => {
			const order: number[] = [];
			await Promise.all(
				[30, 1, 15].map(async (milliseconds) => {
					await pass(milliseconds);
					order.push(milliseconds);
				}),
			);
			expect(order).toEqual([1, 15, 30]);
		});

		test('fires each timer once, later, and none that was cancelled', async () => {
			const fired: string[] = [];
			const early = clock.after(1, () => {
				fired.push('early');
				late.cancel();
			});
			const late = clock.after(10, () => fired.push('late'));
			const never = clock.after(0, () => fired.push('never'));
			clock.after(0, () => fired.push('at once'));
			expect(fired).toEqual([]);
			never.cancel();
			never.cancel();
			await pass(30);
			early.cancel();
			expect(fired.sort()).toEqual(['at once', 'early']);
		});

		test('takes a time beyond what Node can count for a long one, not for none', async () => {
			let fired = false;
			const timer = clock.after(1e12, () => {
				fired = true;
			});
			await pass(5);
			expect(fired).toBe(false);
			timer.cancel();
		});

		test('ends a turn before timers and pending I/O get theirs', async () => {
			const order: string[] = [];
			await new Promise<void>((resolve) => {
				clock.after(0, () => {
					clock.afterPendingIo(() => {
						order.push('after pending I/O');
						resolve();
					});
					clock.endOfTurn(() => order.push('end of turn'));
					clock.endOfTurn(() => order.push('end of turn, too'));
					order.push('turn');
				});
			});
			expect(order).toEqual(['turn', 'end of turn', 'end of turn, too', 'after pending I/O']);
		});

		test('tells the time of the day', async () => {
			const before = clock.wall();
			expect(Number.isInteger(before)).toBe(true);
			expect(before).toBeGreaterThan(Date.UTC(2023, 0, 1));
			await pass(20);
			expect(clock.wall()).toBeGreaterThan(before);
		});
	});
}
