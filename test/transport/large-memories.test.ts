import { expect, test } from 'vitest';
import { largeMemories } from '../../src/transport/large-memories.js';
import { StagingReceiver } from '../../src/transport/staging-receiver.js';
import { areSame, batchFrame, Feed, joined } from './streams.js';

const FRAME_BYTES_MAX = 2 * 1024 * 1024;
const LARGE_BYTES = 512 * 1024;

function receiving() {
	const frames: Uint8Array[] = [];
	const receiver = new StagingReceiver(
		{
			batch: (memory, offset, length) => frames.push(memory.slice(offset, length).slice()) > 0,
			message: () => true,
			readDone: () => {},
			broken: (reason) => expect.unreachable(reason),
		},
		FRAME_BYTES_MAX,
	);
	return { frames, receiver, feed: new Feed(receiver) };
}

/** So much of a long frame that its receiver has grown. */
function begun(feed: Feed): void {
	feed.deliver(batchFrame(1, 200_000).subarray(0, 70_000));
}

/** The memories that can be had now; all are given back. */
function available(): number {
	const taken = [];
	for (let one = largeMemories.take(); one !== null; one = largeMemories.take()) taken.push(one);
	for (const one of taken) largeMemories.giveBack(one, true);
	return taken.length;
}

test('bursts of one client after the other, and of one again and again, use the same memory', () => {
	const [first, second] = [receiving(), receiving()];
	const burst = joined([batchFrame(1, 130_000), batchFrame(2, 130_000), batchFrame(3, 300_000)]);
	const buffers = new Set<ArrayBufferLike>();
	for (const { receiver, feed, frames } of [first, second, first, second, first]) {
		const before = frames.length;
		feed.deliver(burst.subarray(0, 200_000));
		const place = receiver.space();
		expect(place.buffer.byteLength).toBe(LARGE_BYTES);
		buffers.add(place.buffer);
		feed.deliver(burst.subarray(200_000));
		expect(areSame(joined(frames.slice(before)), burst)).toBe(true);
		// What was large is left with the last frame.
		expect(receiver.space().buffer.byteLength).toBe(64 * 1024);
	}
	expect(buffers.size).toBe(1);
});

test('there are few, and who finds none grows by itself', () => {
	const all = available();
	const busy = Array.from({ length: all + 3 }, receiving);
	for (const { feed } of busy) begun(feed);
	expect(available()).toBe(0);
	const sizes = busy.map(({ receiver }) => receiver.space().buffer.byteLength);
	expect(sizes).toEqual([...Array(all).fill(LARGE_BYTES), ...Array(3).fill(128 * 1024)]);
	for (const { frames, feed } of busy) {
		feed.deliver(batchFrame(1, 200_000).subarray(70_000));
		expect(areSame(joined(frames), batchFrame(1, 200_000))).toBe(true);
	}
	for (const { receiver } of busy) receiver.close();
	expect(available()).toBe(all);
});

test('a place that the network has yet, of a receiver that was closed, is nobody else’s', () => {
	const all = available();
	const closed = receiving();
	begun(closed.feed);
	const place = closed.receiver.space();
	closed.receiver.close();
	const others = Array.from({ length: all }, receiving);
	for (const { receiver, feed } of others) {
		begun(feed);
		expect(receiver.space().buffer.byteLength).toBe(LARGE_BYTES);
		expect(receiver.space().buffer).not.toBe(place.buffer);
	}
	for (const { receiver } of others) receiver.close();
});

test('a frame that is longer than a large memory arrives, and the memory is given back', () => {
	const all = available();
	const { frames, receiver, feed } = receiving();
	const frame = batchFrame(1, 1_500_000);
	feed.deliver(frame, 60_000);
	expect(areSame(joined(frames), frame)).toBe(true);
	expect(available()).toBe(all);
	receiver.close();
	expect(available()).toBe(all);
});
