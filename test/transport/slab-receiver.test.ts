import { expect, test } from 'vitest';
import { batchSequence } from '../../src/format/batch.js';
import type { Memory } from '../../src/format/memory.js';
import { type Slab, SlabPool } from '../../src/format/slab.js';
import { type SlabFrames, SlabReceiver } from '../../src/transport/slab-receiver.js';
import { areSame, batchFrame, Feed, joined, messageFrame, numbers } from './streams.js';

const SLAB_BYTES = 64 * 1024;
const ZONE_BYTES = 8 * 1024;

/** Takes down what is handed over, and holds on to slabs as long as it is told to. */
class Recorder implements SlabFrames {
	readonly frames: Uint8Array[] = [];
	readonly held: Slab[] = [];
	readonly places: string[] = [];
	reason: string | null = null;
	pauses = 0;
	feed: Feed | null = null;
	readonly #holds: boolean;

	constructor(holds = false) {
		this.#holds = holds;
	}

	batch(slab: Slab, offset: number, length: number): void {
		this.#frame(slab, offset, length);
	}

	message(slab: Slab, offset: number, length: number): void {
		this.#frame(slab, offset, length);
	}

	#frame(slab: Slab, offset: number, length: number): void {
		expect(offset % 8).toBe(0);
		this.frames.push((slab as Memory).slice(offset, length).slice());
		if (!this.#holds) return;
		slab.retain();
		this.held.push(slab);
	}

	readDone(): void {}

	broken(reason: string): void {
		expect(this.reason).toBeNull();
		this.reason = reason;
	}

	pause(): void {
		this.pauses += 1;
		this.feed!.isPaused = true;
	}

	resume(): void {
		this.feed!.isPaused = false;
	}

	later(callback: () => void): void {
		callback();
	}
}

function receiving(pool: SlabPool, holds = false, frameBytesMax = SLAB_BYTES / 2) {
	const recorder = new Recorder(holds);
	const receiver = new SlabReceiver(pool, recorder, ZONE_BYTES, frameBytesMax);
	const feed = new Feed(receiver);
	recorder.feed = feed;
	return { recorder, receiver, feed };
}

test('frames cut at every byte', () => {
	const frames = [batchFrame(1, 0), messageFrame(2), batchFrame(3, 61), messageFrame(4, 13)];
	const stream = joined(frames);
	for (let cut = 0; cut <= stream.length; cut++) {
		const { recorder, receiver, feed } = receiving(new SlabPool(SLAB_BYTES, 2));
		feed.deliver(stream.subarray(0, cut));
		feed.deliver(stream.subarray(cut));
		expect(areSame(joined(recorder.frames), joined(frames))).toBe(true);
		receiver.close();
	}
});

test.each([1, 7, 1000, 65_536])('a long stream in pieces of %i bytes', (piece) => {
	const next = numbers(piece);
	const frames = Array.from({ length: 200 }, (_, i) => batchFrame(i, next(20_000)));
	const pool = new SlabPool(SLAB_BYTES, 3);
	const { recorder, receiver, feed } = receiving(pool);
	const stream = joined(frames);
	expect(feed.deliver(stream, piece)).toBe(stream.length);
	expect(areSame(joined(recorder.frames), joined(frames))).toBe(true);
	expect(receiver.receivedBytes).toBe(stream.length);
	receiver.close();
	expect(pool.available).toBe(3);
});

test('frames no longer than the zone are not moved', () => {
	const next = numbers(1);
	const pool = new SlabPool(SLAB_BYTES, 3);
	const { recorder, receiver, feed } = receiving(pool);
	for (let i = 0; i < 3000; i++) {
		feed.deliver(batchFrame(i, next(ZONE_BYTES - 128)), 1 + next(30_000));
	}
	expect(recorder.frames).toHaveLength(3000);
	expect(receiver.movedBytes).toBeLessThan(receiver.receivedBytes / 100);
});

test('while no slab is free nothing is lost, whatever was under way', () => {
	for (let seed = 1; seed <= 40; seed++) {
		const next = numbers(seed);
		const frames = Array.from({ length: 120 }, (_, i) => batchFrame(i, next(24_000)));
		const pool = new SlabPool(SLAB_BYTES, 2);
		const { recorder, receiver, feed } = receiving(pool, true);
		const stream = joined(frames);
		let at = 0;
		while (at < stream.length) {
			at += feed.deliver(stream.subarray(at), 1 + next(60_000));
			// What was received is used up little by little.
			for (let i = next(4); i >= 0; i--) recorder.held.shift()?.release();
		}
		while (recorder.held.length > 0) recorder.held.shift()!.release();
		expect(recorder.reason).toBeNull();
		expect(recorder.frames.length).toBe(frames.length);
		expect(areSame(joined(recorder.frames), stream)).toBe(true);
		expect(recorder.pauses).toBeGreaterThan(0);
		receiver.close();
		expect(pool.available).toBe(2);
	}
});

test('two streams that starve for the same slabs both come through', () => {
	const pool = new SlabPool(SLAB_BYTES, 3);
	const one = receiving(pool, true);
	const other = receiving(pool, true);
	const next = numbers(3);
	const frames = Array.from({ length: 60 }, (_, i) => batchFrame(i, next(24_000)));
	const stream = joined(frames);
	const at = [0, 0];
	while (at[0]! + at[1]! < 2 * stream.length) {
		[one, other].forEach(({ feed, recorder }, i) => {
			at[i]! += feed.deliver(stream.subarray(at[i]!), 1 + next(60_000));
			while (recorder.held.length > 0) recorder.held.shift()!.release();
		});
	}
	expect(areSame(joined(one.recorder.frames), stream)).toBe(true);
	expect(areSame(joined(other.recorder.frames), stream)).toBe(true);
});

test.each([
	['a claim of 2 GiB', Uint8Array.of(0xfc, 0xff, 0xff, 0x7f)],
	['a frame beyond the limit', batchFrame(1, SLAB_BYTES / 2)],
	['a length of zero', new Uint8Array(8)],
	['bytes of another protocol', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
	['a damaged batch', batchFrame(1, 100).map((byte, i) => (i === 150 ? byte ^ 1 : byte))],
])('%s breaks the stream, with a reason, and lets go of the slab', (_name, bytes) => {
	const pool = new SlabPool(SLAB_BYTES, 2);
	const { recorder, receiver, feed } = receiving(pool);
	feed.deliver(batchFrame(0, 10));
	feed.deliver(bytes, 5);
	feed.deliver(new Uint8Array(200_000));
	expect(recorder.reason).not.toBeNull();
	expect(recorder.frames).toHaveLength(1);
	expect(pool.available).toBe(2);
	expect(pool.made).toBe(1);
	receiver.close();
});

test('what is handed over stays where it is for who holds it', () => {
	const pool = new SlabPool(SLAB_BYTES, 8);
	const kept: { slab: Slab; offset: number; sequence: number }[] = [];
	const receiver = new SlabReceiver(
		pool,
		{
			batch: (slab, offset) => {
				slab.retain();
				kept.push({ slab, offset, sequence: batchSequence(slab, offset) });
			},
			message: () => {},
			readDone: () => {},
			broken: () => {},
			pause: () => {},
			resume: () => {},
			later: (callback) => callback(),
		},
		ZONE_BYTES,
		SLAB_BYTES / 2,
	);
	const feed = new Feed(receiver);
	for (let i = 0; i < 30; i++) feed.deliver(batchFrame(i, 10_000), 3000);
	for (const { slab, offset, sequence } of kept) expect(batchSequence(slab, offset)).toBe(sequence);
	expect(kept.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 30 }, (_, i) => i));
});
