import { describe, expect, test } from 'vitest';
import { AddressInUse } from '../../src/errors.js';
import { pattern } from './bytes.js';
import { bothWays, type NetworkFixture } from './network-fixture.js';
import { Recorder } from './network-recorder.js';

/** How connections and listeners end. */
export function endingContract(fixture: NetworkFixture): void {
	describe('closing', () => {
		test('ends both sides in order, once, after what was sent', async () => {
			for (const side of [0, 1] as const) {
				const [from, to] = bothWays(await fixture.pair())[side]!;
				await from.send(pattern(5_000, 1));
				await to.has(5_000);
				// What hasn't been read when its reader closes is answered with a reset, TLS's own tickets too.
				await to.send(pattern(10, 2));
				await from.has(10);
				from.connection.close();
				from.connection.close(new Error('late'));
				await Promise.all([from.is('closed'), to.is('closed')]);
				expect([from.reason, to.reason]).toEqual([null, null]);
				for (const end of [from, to]) {
					end.connection.close();
					end.connection.pause();
					end.connection.resume();
				}
				// A turn in which a second `closed` would come.
				await fixture.pair();
				expect(from.events).toEqual(['opened', 'done', 'closed']);
				expect(to.events).toEqual(['opened', 'done', 'closed']);
			}
		});

		test('gives the reason to who closes, and not to the other', async () => {
			const { dialled, accepted } = await fixture.pair();
			const reason = new Error('no more');
			dialled.connection.close(reason);
			await Promise.all([dialled.is('closed'), accepted.is('closed')]);
			expect(dialled.reason).toBe(reason);
			expect(accepted.reason).not.toBe(reason);
		});

		test('is done with every write first, and at once with later ones', async () => {
			for (const side of [0, 1] as const) {
				const [from, to] = bothWays(await fixture.pair())[side]!;
				to.connection.pause();
				const block = pattern(10_000, 1);
				const writes = Array.from({ length: 3_000 }, () => from.send(block));
				from.connection.close();
				const between = from.send(pattern(1, 1));
				await from.is('closed');
				expect(from.events.filter((event) => event === 'done').length).toBe(3_001);
				expect(from.events.at(-1)).toBe('closed');
				await Promise.all([...writes, between]);
				let returned = false;
				const after = from.send(pattern(1, 1)).then(() => expect(returned).toBe(true));
				returned = true;
				await after;
				to.connection.close();
			}
		});

		test('by the other end is done with every write, too', async () => {
			for (const side of [0, 1] as const) {
				const [from, to] = bothWays(await fixture.pair())[side]!;
				to.connection.pause();
				const block = pattern(20_000, 1);
				const writes = Array.from({ length: 1_000 }, () => from.send(block));
				to.connection.close();
				await Promise.all(writes);
				await from.is('closed');
				expect(from.events.filter((event) => event === 'done').length).toBe(1_000);
				expect(from.events.at(-1)).toBe('closed');
			}
		});

		test('from within received delivers nothing more', async () => {
			for (const side of [0, 1] as const) {
				const [from, to] = bothWays(await fixture.pair(10))[side]!;
				to.onReceived = () => to.connection.close();
				void from.send(pattern(10_000, 1));
				await to.is('closed');
				await from.is('closed');
				expect(to.chunks.length).toBe(1);
			}
		});
	});

	describe('a handler that throws', () => {
		test.each(['onReceived', 'onSpace', 'onOpened'] as const)(
			'in %s loses its connection, and no other',
			async (call) => {
				const bystander = await fixture.pair();
				const reason = new Error('broken');
				fixture.onAccept = (connection) => {
					const recorder = new Recorder(connection);
					recorder[call] = () => {
						throw reason;
					};
					return recorder;
				};
				const dialled = fixture.dial();
				void dialled.send(pattern(10, 1));
				await dialled.is('closed');
				const broken = fixture.accepted.at(-1)!;
				await broken.is('closed');
				expect(broken.reason).toBe(reason);
				expect(broken.events.filter((event) => event === 'closed').length).toBe(1);
				await bystander.dialled.send(pattern(10, 1));
				await bystander.accepted.has(10);
			},
		);

		test('on a dialled connection, too, and in done', async () => {
			const reason = new Error('broken');
			const received = await fixture.pair();
			received.dialled.onReceived = () => {
				throw reason;
			};
			void received.accepted.send(pattern(1, 1));
			await received.dialled.is('closed');
			expect(received.dialled.reason).toBe(reason);
			for (const side of [0, 1] as const) {
				const [from, to] = bothWays(await fixture.pair())[side]!;
				from.connection.writev([pattern(1, 1)], () => {
					throw reason;
				});
				await Promise.all([from.is('closed'), to.is('closed')]);
				expect(from.reason).toBe(reason);
			}
		});

		test('or gives no space at all', async () => {
			for (const side of [0, 1] as const) {
				const [from, to] = bothWays(await fixture.pair(1))[side]!;
				to.onReceived = () => {
					to.spaceBytes = 0;
				};
				void from.send(pattern(10, 1));
				await Promise.all([from.is('closed'), to.is('closed')]);
				expect(to.reason?.message).toContain('space()');
				expect(to.bytes).toBe(1);
			}
		});

		test('instead of accepting, or of opening', async () => {
			fixture.onAccept = () => {
				throw new Error('not you');
			};
			const refused = fixture.dial();
			await refused.is('closed');
			fixture.subject.dialling.dial(fixture.address, () => {
				throw new Error('not at all');
			});
			fixture.onAccept = (connection) => new Recorder(connection);
			await fixture.pair();
		});
	});

	describe('a listener', () => {
		test('has its port for itself', async () => {
			expect(fixture.address.port).toBeGreaterThan(0);
			expect(fixture.address.host).toBe(fixture.subject.host);
			const second = fixture.subject.listening.listen(fixture.address, (own) => new Recorder(own));
			await expect(second).rejects.toBeInstanceOf(AddressInUse);
		});

		test('closes what it accepted, and its port is free then', async () => {
			const pairs = [await fixture.pair(), await fixture.pair()];
			await Promise.all([fixture.listener.close(), fixture.listener.close()]);
			for (const { dialled, accepted } of pairs) {
				await Promise.all([dialled.is('closed'), accepted.is('closed')]);
				expect(accepted.reason).toBeNull();
			}
			const late = fixture.dial();
			await late.is('closed');
			expect(late.reason).toBeInstanceOf(Error);
			const again = await fixture.subject.listening.listen(
				fixture.address,
				(own) => new Recorder(own),
			);
			expect(again.address).toEqual(fixture.address);
			await again.close();
		});
	});
}
