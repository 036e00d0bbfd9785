import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { expectBytes, joined, pattern } from './bytes.js';
import { bothWays, type NetworkFixture } from './network-fixture.js';
import { Recorder } from './network-recorder.js';

/** What holds while connections last. */
export function streamContract(fixture: NetworkFixture): void {
	describe('connecting', () => {
		test('opens both ends once, before anything is received', async () => {
			const { dialled, accepted } = await fixture.pair();
			await dialled.send(pattern(10, 1));
			await accepted.has(10);
			expect(accepted.events).toEqual(['opened']);
			expect(dialled.events).toEqual(['opened', 'done']);
			expect(dialled.connection.remote).toBe(`${fixture.address.host}:${fixture.address.port}`);
			expect(accepted.connection.remote).toMatch(/^.+:\d+$/);
		});

		test('sends what was written before it stands', async () => {
			let sent: Promise<void>[] = [];
			let recorder: Recorder | null = null;
			fixture.subject.dialling.dial(fixture.address, (own) => {
				recorder = new Recorder(own);
				sent = [recorder.send(pattern(1_000, 1), pattern(5, 2)), recorder.send(pattern(7, 3))];
				return recorder;
			});
			sent.push(recorder!.send(pattern(9, 4)));
			await Promise.all(sent);
			await recorder!.is('opened');
			const accepted = await fixture.firstAccepted();
			await accepted.has(1_021);
			expectBytes(
				accepted.content,
				joined([pattern(1_000, 1), pattern(5, 2), pattern(7, 3), pattern(9, 4)]),
			);
		});

		test('to a port where nobody listens closes with a reason, and is done with what was written', async () => {
			const to = await fixture.deadAddress();
			const dialled = fixture.dial(to);
			const sent = dialled.send(pattern(100, 1), pattern(100, 2));
			await dialled.is('closed');
			await sent;
			expect(dialled.reason).toBeInstanceOf(Error);
			expect(dialled.events).toEqual(['done', 'closed']);
		});

		test('and thinking better of it before it stands', async () => {
			const dialled = fixture.dial();
			dialled.connection.close();
			await dialled.is('closed');
			expect(dialled.events).toEqual(['closed']);
			expect(dialled.reason).toBeNull();
		});

		test('many at once keeps them apart', async () => {
			const all = await Promise.all(
				Array.from({ length: 20 }, async (_, i) => {
					const dialled = fixture.dial();
					await dialled.send(pattern(i + 1, i));
					return dialled;
				}),
			);
			await Promise.all(all.map((dialled) => dialled.is('opened')));
			while (fixture.accepted.length < all.length) await fixture.nextAccepted();
			await Promise.all(fixture.accepted.map((one) => one.has(1)));
			const firsts = fixture.accepted.map((one) => one.chunks[0]![0]!).sort((a, b) => a - b);
			const expected = all.map((_, i) => pattern(1, i)[0]!).sort((a, b) => a - b);
			expect(firsts).toEqual(expected);
		});

		test('many at once who have one place in common keeps them apart as well', async () => {
			const place = new Uint8Array(1_000);
			fixture.onAccept = (connection) => {
				const recorder = new Recorder(connection);
				recorder.sharedPlace = place;
				return recorder;
			};
			const all = Array.from({ length: 10 }, () => fixture.dial());
			for (let part = 0; part < 20; part++) {
				for (const [i, dialled] of all.entries()) void dialled.send(pattern(1_500, i));
				await Promise.all(fixture.accepted.map((one) => one.has(1)));
			}
			while (fixture.accepted.length < all.length) await fixture.nextAccepted();
			await Promise.all(fixture.accepted.map((one) => one.has(30_000)));
			const sums = fixture.accepted.map((one) => crc32(one.content)).sort();
			const sent = all.map((_, i) => crc32(joined(Array(20).fill(pattern(1_500, i))))).sort();
			expect(sums).toEqual(sent);
		});
	});

	describe('sending', () => {
		test('keeps bytes and order, both ways at once, for slices of all sizes', async () => {
			const ends = await fixture.pair();
			await Promise.all(
				bothWays(ends).map(async ([from, to]) => {
					const slices = Array.from({ length: 200 }, (_, i) => pattern((i * i * 7) % 5_000, i));
					for (let i = 0; i < slices.length; i += 10) void from.send(...slices.slice(i, i + 10));
					const expected = joined(slices);
					await to.has(expected.byteLength);
					expectBytes(to.content, expected);
				}),
			);
		});

		test('takes more slices than one system call does', async () => {
			for (const [from, to] of bothWays(await fixture.pair())) {
				const slices = Array.from({ length: 3_000 }, (_, i) => pattern(1 + (i % 5), i));
				const sent = from.send(...slices);
				slices.length = 0;
				await sent;
				await to.has(9_000);
				expect(to.bytes).toBe(9_000);
				expect(crc32(to.content)).toBe(
					crc32(joined(Array.from({ length: 3_000 }, (_, i) => pattern(1 + (i % 5), i)))),
				);
			}
		});

		test('is done in order, once each, never from within the call', async () => {
			const { dialled } = await fixture.pair();
			const order: number[] = [];
			let returned = false;
			const groups = [
				[pattern(70_000, 1)],
				[],
				[new Uint8Array(0)],
				[pattern(1, 1), pattern(2, 2)],
			];
			await new Promise<void>((resolve) => {
				for (const [i, slices] of groups.entries())
					dialled.connection.writev(slices, () => {
						expect(returned).toBe(true);
						order.push(i);
						if (i === groups.length - 1) resolve();
					});
				returned = true;
			});
			expect(order).toEqual([0, 1, 2, 3]);
		});

		test('carries 64 MiB each way', async () => {
			const ends = await fixture.pair(262_144);
			const block = pattern(1_048_576, 5);
			let expected = 0;
			for (let i = 0; i < 64; i++) expected = crc32(block, expected);
			await Promise.all(
				bothWays(ends).map(async ([from, to]) => {
					let sum = 0;
					to.onReceived = (bytes) => {
						sum = crc32(bytes, sum);
						to.chunks.length = 0;
					};
					const sent = Array.from({ length: 16 }, () => from.send(block, block, block, block));
					await Promise.all(sent);
					await to.has(64 * 1_048_576);
					expect(to.bytes).toBe(64 * 1_048_576);
					expect(sum).toBe(expected);
				}),
			);
		});
	});

	describe('receiving', () => {
		test('fits any space, down to one byte', async () => {
			for (const [from, to] of bothWays(await fixture.pair(1))) {
				const sizes = [1, 1, 2, 3, 1, 100, 1, 5];
				to.onReceived = () => {
					to.spaceBytes = sizes[to.chunks.length % sizes.length]!;
				};
				const sent = pattern(2_000, 1);
				await from.send(sent);
				await to.has(2_000);
				expectBytes(to.content, sent);
			}
		});

		test('stands still between pause and resume and loses nothing', async () => {
			for (const [from, to] of bothWays(await fixture.pair(1_000))) {
				let paused = false;
				let late = 0;
				to.onReceived = () => {
					if (paused) late++;
					else if (to.chunks.length % 7 === 0) {
						paused = true;
						to.connection.pause();
					}
				};
				const sent = Array.from({ length: 50 }, (_, i) => pattern(3_000, i));
				for (const slice of sent) void from.send(slice);
				while (to.bytes < 150_000) {
					await to.until(() => paused || to.bytes === 150_000);
					const { bytes } = to;
					late = 0;
					// Time in which something could arrive: a round trip on another connection.
					await (await fixture.pair()).dialled.send(pattern(1, 1));
					expect(late).toBeLessThanOrEqual(1);
					expect(to.bytes - bytes).toBeLessThanOrEqual(1_000);
					paused = false;
					to.connection.resume();
					// Never from within resume.
					expect(to.bytes - bytes).toBeLessThanOrEqual(1_000 * late);
				}
				expectBytes(to.content, joined(sent));
			}
		});

		test('takes pause and resume from within received, and in any number', async () => {
			for (const [from, to] of bothWays(await fixture.pair(100))) {
				to.onReceived = () => {
					to.connection.pause();
					to.connection.pause();
					to.connection.resume();
					to.connection.resume();
				};
				const sent = pattern(50_000, 1);
				await from.send(sent);
				await to.has(50_000);
				expectBytes(to.content, sent);
			}
		});

		test('can begin paused', async () => {
			fixture.onAccept = (connection) => {
				connection.pause();
				return new Recorder(connection, 10);
			};
			const dialled = fixture.dial();
			await dialled.send(pattern(1_000, 1));
			await dialled.is('opened');
			const accepted = await fixture.firstAccepted();
			accepted.connection.resume();
			await accepted.has(1_000);
			expectBytes(accepted.content, pattern(1_000, 1));
		});
	});
}
