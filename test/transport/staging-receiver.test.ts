import { expect, test } from 'vitest';
import type { Memory } from '../../src/format/memory.js';
import { messageLength } from '../../src/format/message.js';
import { StagingReceiver } from '../../src/transport/staging-receiver.js';
import { areSame, batchFrame, Feed, joined, messageFrame, numbers } from './streams.js';

const FRAME_BYTES_MAX = 2 * 1024 * 1024;

function receiving(takes: () => boolean = () => true) {
	const frames: Uint8Array[] = [];
	const reasons: string[] = [];
	const take = (memory: Memory, offset: number, length: number): boolean => {
		expect(offset % 8).toBe(0);
		if (!takes()) return false;
		frames.push(memory.slice(offset, length).slice());
		return true;
	};
	const receiver = new StagingReceiver(
		{
			batch: take,
			message: take,
			readDone: () => {},
			broken: (reason) => reasons.push(reason),
		},
		FRAME_BYTES_MAX,
	);
	return { frames, reasons, receiver, feed: new Feed(receiver) };
}

test('frames cut at every byte', () => {
	const frames = [messageFrame(2), batchFrame(1, 0), messageFrame(4, 13), batchFrame(3, 61)];
	const stream = joined(frames);
	for (let cut = 0; cut <= stream.length; cut++) {
		const { frames: received, feed } = receiving();
		feed.deliver(stream.subarray(0, cut));
		feed.deliver(stream.subarray(cut));
		expect(areSame(joined(received), joined(frames))).toBe(true);
	}
});

test.each([1, 13, 4096, 100_000])('a long stream in pieces of %i bytes', (piece) => {
	const next = numbers(piece);
	const count = piece === 1 ? 20 : 100;
	const frames = Array.from({ length: count }, (_, i) =>
		i % 10 === 0 ? batchFrame(i, next(400_000)) : messageFrame(i, next(2000)),
	);
	const { frames: received, feed } = receiving();
	feed.deliver(joined(frames), piece);
	expect(areSame(joined(received), joined(frames))).toBe(true);
});

test('what is refused comes again, whatever place the network has reserved meanwhile', () => {
	for (let seed = 1; seed <= 40; seed++) {
		const next = numbers(seed);
		const frames = Array.from({ length: 60 }, (_, i) => batchFrame(i, next(30_000)));
		const { frames: received, reasons, receiver, feed } = receiving(() => next(3) > 0);
		const stream = joined(frames);
		const borders = frames.map((_, i) => joined(frames.slice(0, i + 1)).length);
		let at = 0;
		while (at < stream.length) {
			// Often up to the end of a frame: what is handed over then leaves nothing behind.
			const border = borders.find((candidate) => candidate > at)!;
			const end = next(2) === 0 ? border : at + 1 + next(90_000);
			at += feed.deliver(stream.subarray(at, end));
			if (next(2) === 0) receiver.retry();
		}
		while (received.length < frames.length && reasons.length === 0) receiver.retry();
		expect(reasons).toEqual([]);
		expect(areSame(joined(received), stream)).toBe(true);
	}
});

test('memory grows with what arrives, not with what is claimed', () => {
	const { reasons, receiver, feed } = receiving();
	const claim = batchFrame(1, FRAME_BYTES_MAX - 4096);
	feed.deliver(claim.subarray(0, 100));
	expect(receiver.space().length).toBeLessThanOrEqual(64 * 1024);
	expect(reasons).toEqual([]);
});

test.each([
	['a claim of 2 GiB', Uint8Array.of(0xfc, 0xff, 0xff, 0x7f)],
	['a frame beyond the limit', batchFrame(1, FRAME_BYTES_MAX)],
	['bytes of another protocol', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
])('%s breaks the stream, once and with a reason', (_name, bytes) => {
	const { frames, reasons, feed } = receiving();
	feed.deliver(messageFrame(1));
	feed.deliver(bytes, 64);
	feed.deliver(messageFrame(2));
	expect(frames).toHaveLength(1);
	expect(reasons).toHaveLength(1);
});

test('closing from within a frame ends the handing over', () => {
	let count = 0;
	const receiver: StagingReceiver = new StagingReceiver(
		{
			batch: () => true,
			message: () => {
				count += 1;
				receiver.close();
				return true;
			},
			readDone: () => {},
			broken: () => {},
		},
		FRAME_BYTES_MAX,
	);
	new Feed(receiver).deliver(joined([messageFrame(1), messageFrame(2), messageFrame(3)]));
	expect(count).toBe(1);
});

test('lent bytes and others, cut anywhere and refused now and then, come in their order', () => {
	for (let seed = 1; seed <= 60; seed++) {
		const next = numbers(seed);
		const frames = Array.from({ length: 50 }, (_, i) =>
			i % 3 === 0 ? batchFrame(i, next(9000)) : messageFrame(i, next(300)),
		);
		const { frames: received, reasons, receiver } = receiving(() => next(4) > 0);
		const stream = joined(frames);
		const borders = frames.map((_, i) => joined(frames.slice(0, i + 1)).length);
		for (let at = 0; at < stream.length; ) {
			const border = borders.find((each) => each > at)!;
			const end = Math.min(stream.length, next(2) === 0 ? border : at + 1 + next(20_000));
			// Gone when the call returns.
			const lent = stream.slice(at, end);
			at += receiver.lent(lent);
			lent.fill(0xff);
			while (at < end) {
				const space = receiver.space();
				const part = Math.min(space.length, end - at);
				space.set(stream.subarray(at, at + part));
				at += part;
				receiver.received(part);
			}
			if (next(2) === 0) receiver.retry();
		}
		for (let i = 0; i < 1000 && received.length < frames.length; i++) receiver.retry();
		expect(reasons).toEqual([]);
		expect(areSame(joined(received), stream)).toBe(true);
	}
});

test('who sends whole frames has no memory of his own, and who sends much at once has it until he sends little', () => {
	const { frames, receiver } = receiving();
	const { buffer } = receiving().receiver.space();
	const isShared = [800, 40, 4088, 4096, 65_536, 40, 40].map((length) => {
		const place = receiver.space();
		const frame = messageFrame(1, Math.max(0, length - messageLength(0)));
		expect(place.length).toBe(65_536);
		place.set(frame);
		receiver.received(frame.length);
		return place.buffer === buffer;
	});
	expect(isShared).toEqual([true, true, true, true, false, false, true]);
	expect(frames).toHaveLength(isShared.length);
});

test('the beginning of a frame takes along what it needs, and its end gives it back', () => {
	const shared = receiving().receiver.space().buffer;
	for (const [begun, bytes] of [[100, 4096] as const, [3000, 65_536] as const]) {
		const { frames, receiver, feed } = receiving();
		const frame = batchFrame(1, 3500);
		feed.deliver(frame.subarray(0, begun));
		expect(receiver.space().buffer.byteLength).toBe(bytes);
		feed.deliver(frame.subarray(begun));
		expect(areSame(joined(frames), frame)).toBe(true);
		expect(receiver.space().buffer).toBe(shared);
	}
});

test('who goes on filling what he is given is given more, however short his frames are', () => {
	const { frames, receiver } = receiving();
	const stream = joined(Array.from({ length: 4000 }, (_, i) => messageFrame(i, 77)));
	const places: number[] = [];
	for (let at = 0; at < stream.length; ) {
		// The beginning of a frame first, and then as much as there is room for.
		const place = receiver.space();
		const part = at === 0 ? 10 : Math.min(place.length, stream.length - at);
		place.set(stream.subarray(at, at + part));
		at += part;
		places.push(place.length);
		receiver.received(part);
	}
	expect(places.slice(0, 2)).toEqual([65_536, 4096 - 10]);
	for (const length of places.slice(2)) expect(length).toBeGreaterThan(60_000);
	expect(areSame(joined(frames), stream)).toBe(true);
});

test('many who share a place, cut anywhere, each get what is theirs', () => {
	const next = numbers(7);
	const all = Array.from({ length: 20 }, (_, who) => {
		const sent = Array.from({ length: 40 }, (__, i) => messageFrame(100 * who + i, next(900)));
		return { ...receiving(() => next(5) > 0), stream: joined(sent), at: 0 };
	});
	for (let round = 0; round < 4000; round++) {
		const one = all[next(all.length)]!;
		const bytes = next(3) === 0 ? 1 + next(40) : next(2500);
		one.at += one.feed.deliver(one.stream.subarray(one.at, one.at + bytes));
		if (next(3) === 0) one.receiver.retry();
	}
	for (const { frames, receiver, stream, at, reasons } of all) {
		for (let i = 0; i < 200; i++) receiver.retry();
		expect(reasons).toEqual([]);
		expect(at).toBe(stream.length);
		expect(areSame(joined(frames), stream)).toBe(true);
	}
});

test('what is received from within another’s frame is put elsewhere', () => {
	const inner = receiving();
	const outer = receiving(() => {
		new Feed(inner.receiver).deliver(messageFrame(9, 300));
		return true;
	});
	const sent = [messageFrame(1, 500), messageFrame(2, 100)];
	outer.feed.deliver(joined(sent));
	expect(areSame(joined(outer.frames), joined(sent))).toBe(true);
	expect(areSame(joined(inner.frames), joined([messageFrame(9, 300), messageFrame(9, 300)]))).toBe(
		true,
	);
});
