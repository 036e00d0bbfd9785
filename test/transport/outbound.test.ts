import { expect, test } from 'vitest';
import { emptyMessage, MessageFrameKind, messageLength } from '../../src/format/message.js';
import { SlabPool } from '../../src/format/slab.js';
import { Outbound } from '../../src/transport/outbound.js';
import { rings } from '../../src/transport/rings.js';
import { areSame, batchFrame, HeldConnection, joined, messageFrame, numbers } from './streams.js';

const message = (context: number) => ({ ...emptyMessage(MessageFrameKind.readReply), context });
const body = (context: number, bytes: number) => new Uint8Array(bytes).fill(context & 0xff);

function sending() {
	const connection = new HeldConnection();
	const outbound = new Outbound(connection);
	return { connection, outbound };
}

test('what a turn gathers leaves in one write, in order', () => {
	const { connection, outbound } = sending();
	const slab = new SlabPool(4096, 1).acquire()!;
	const batch = batchFrame(2, 100);
	slab.bytes.set(batch);
	outbound.message(message(1), 0, body(1, 5));
	outbound.frames(slab, 0, batch.length);
	outbound.message(message(3), 0, body(3, 40_000));
	expect(connection.writes).toHaveLength(0);
	outbound.flush();
	outbound.flush();
	expect(connection.writes).toHaveLength(1);
	const expected = joined([messageFrame(1, 5), batch, messageFrame(3, 40_000)]);
	expect(areSame(joined(connection.writes[0]!.slices), expected)).toBe(true);
	expect(outbound.pendingBytes).toBe(expected.length);
	expect(slab.references).toBe(2);
	connection.writes[0]!.done();
	expect(outbound.pendingBytes).toBe(0);
	expect(slab.references).toBe(1);
});

test('the ring refuses what it has no room for, and nothing under way is written over', () => {
	for (let seed = 1; seed <= 20; seed++) {
		const next = numbers(seed);
		const connection = new HeldConnection();
		const outbound = new Outbound(connection);
		const expected: Uint8Array[] = [];
		let gathered: Uint8Array[] = [];
		let refused = 0;
		for (let i = 0; i < 400; i++) {
			const bytes = next(32_000);
			if (outbound.message(message(i), 0, body(i, bytes))) gathered.push(messageFrame(i, bytes));
			else refused += 1;
			if (next(3) === 0 && gathered.length > 0) {
				outbound.flush();
				expected.push(joined(gathered));
				gathered = [];
			}
			if (next(3) === 0 && connection.writes.length > 0) {
				const write = connection.writes.shift()!;
				// Looked at as late as the kernel may.
				expect(areSame(joined(write.slices), expected.shift()!)).toBe(true);
				write.done();
			}
		}
		expect(refused).toBeGreaterThan(0);
		expect(refused).toBeLessThan(390);
	}
});

test('a ring that is filled to its last byte goes on at its front', () => {
	const { connection, outbound } = sending();
	const perRing = (64 * 1024) / messageLength(8);
	for (let i = 0; i < 3 * perRing; i++) {
		expect(outbound.message(message(i), 0, body(i, 8))).toBe(true);
		outbound.flush();
		if (i === 0) continue;
		// One is always under way: the ring is never let go of.
		expect(areSame(joined(connection.writes[0]!.slices), messageFrame(i - 1, 8))).toBe(true);
		connection.writes.shift()!.done();
	}
});

test('rings are shared, and what is under way on one connection is written over by no other', () => {
	const next = numbers(3);
	const all = Array.from({ length: 12 }, () => ({ ...sending(), expected: [] as Uint8Array[] }));
	for (let i = 0; i < 4000; i++) {
		const { connection, outbound, expected } = all[next(all.length)]!;
		const bytes = next(i % 7 === 0 ? 32_000 : 300);
		if (outbound.message(message(i), 0, body(i, bytes))) {
			outbound.flush();
			expected.push(messageFrame(i, bytes));
		}
		for (let done = next(3); done > 0 && connection.writes.length > 0; done--) {
			const write = connection.writes.shift()!;
			expect(areSame(joined(write.slices), expected.shift()!)).toBe(true);
			write.done();
		}
	}
});

test('who has nothing under way holds no ring', () => {
	const { connection, outbound } = sending();
	for (const size of ['small', 'large'] as const) {
		const bytes = size === 'small' ? 5 : 20_000;
		outbound.message(message(1), 0, body(1, bytes));
		outbound.message(message(2), 0, body(2, bytes));
		outbound.flush();
		const write = connection.writes.shift()!;
		write.done();
		expect(rings.take(size).bytes.buffer).toBe(write.slices.at(-1)!.buffer);
	}
});

test('there is always room for a message when nothing is under way', () => {
	const next = numbers(9);
	const { connection, outbound } = sending();
	for (let i = 0; i < 500; i++) {
		const length = next(32 * 1024 - messageLength(0));
		expect(outbound.message(message(i), 0, body(i, length))).toBe(true);
		outbound.flush();
		connection.writes.shift()!.done();
	}
});

test('closing lets go of what was gathered, and of the rest when its writes are done', () => {
	const { connection, outbound } = sending();
	let calls = 0;
	outbound.onDone = () => {
		calls += 1;
	};
	const slab = new SlabPool(4096, 1).acquire()!;
	outbound.frames(slab, 0, 8);
	outbound.flush();
	outbound.frames(slab, 8, 8);
	expect(slab.references).toBe(3);
	outbound.close();
	expect(slab.references).toBe(2);
	outbound.frames(slab, 16, 8);
	expect(outbound.message(message(1))).toBe(false);
	outbound.flush();
	connection.writes[0]!.done();
	expect(slab.references).toBe(1);
	expect(connection.writes).toHaveLength(1);
	expect(calls).toBe(0);
});

test('nothing follows the last message, and its end is told when everything has left', () => {
	const { connection, outbound } = sending();
	let ends = 0;
	outbound.message(message(1));
	outbound.flush();
	expect(outbound.end(message(2), body(2, 5), () => ends++)).toBe(true);
	expect(outbound.hasRoom).toBe(false);
	expect(outbound.message(message(3))).toBe(false);
	outbound.flush();
	// Whoever spoke here before may let go of it meanwhile.
	outbound.close();
	expect(connection.writes).toHaveLength(2);
	expect(areSame(joined(connection.writes[1]!.slices), messageFrame(2, 5))).toBe(true);
	connection.writes[0]!.done();
	expect(ends).toBe(0);
	connection.writes[1]!.done();
	expect(ends).toBe(1);
});
