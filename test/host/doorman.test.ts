import { expect, test } from 'vitest';
import { Memory } from '../../src/format/memory.js';
import { Doorman } from '../../src/host/doorman.js';
import type { Clock, Connection } from '../../src/io.js';
import { HELLO_BYTES, Purpose, writeHello } from '../../src/transport/hello.js';
import { areSame, Feed, HeldConnection } from '../transport/streams.js';

const CLOCK = {
	after: () => ({ cancel: () => {} }),
	endOfTurn: (callback: () => void) => queueMicrotask(callback),
} as unknown as Clock;
const HELLO = { purpose: Purpose.client, cluster: 1, group: 1, from: 0, to: 0, life: 0 };

test('what comes after a pause, into a place that was asked for before it, is handed over behind the rest', async () => {
	const content: number[] = [];
	let taken!: Connection;
	const place = new Uint8Array(100);
	const doorman = new Doorman(
		{
			clock: CLOCK,
			strangers: new Set(),
			strangersMax: 1,
			group: () => (connection) => {
				taken = connection;
				return {
					opened: () => {},
					space: () => place,
					received: (bytes) => {
						content.push(...place.subarray(0, bytes));
						// What came with the hello is too much for now.
						if (content.length === 100) connection.pause();
					},
					closed: () => {},
				};
			},
			host: () => expect.unreachable('it is no host'),
			log: () => {},
		},
		new HeldConnection(),
	);
	doorman.opened();
	const hello = new Memory(HELLO_BYTES);
	writeHello(hello, 0, HELLO);
	const stream = Uint8Array.from({ length: 900 }, (_, i) =>
		i < HELLO_BYTES ? hello.bytes[i]! : i & 0xff,
	);
	const feed = new Feed(doorman);
	feed.deliver(stream.subarray(0, 400));
	expect(content).toHaveLength(100);
	taken.resume();
	await new Promise<void>((resolve) => queueMicrotask(resolve));
	expect(content).toHaveLength(400);
	feed.deliver(stream.subarray(400));
	expect(areSame(Uint8Array.from(content), stream)).toBe(true);
});
