/** Target `frames`: a stream of bytes, read by the scanner and by both receivers. */
import { FrameKind, FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import { type Slab, SlabPool } from '../../src/format/slab.js';
import { SlabReceiver } from '../../src/transport/slab-receiver.js';
import { StagingReceiver } from '../../src/transport/staging-receiver.js';
import { BATCH, batchFrame, SAMPLES, WatchedMemory } from '../format/frames.js';
import { Dice } from './dice.js';
import { areSame, demand, Finding, joined, seedOf } from './finding.js';
import { demandAsFlatc, demandCanonical, FRAME_BYTES_MAX } from './frame-checks.js';
import { mutateStream } from './mutator.js';
import { judge, type Verdict } from './reference.js';
import { hexOf, type Target, withoutNumbers } from './target.js';

const STREAM_BYTES_MAX = 128 * 1024;
const GUARD_BYTES = 64;
const KIND_OF: Readonly<Record<Verdict, FrameKind>> = {
	incomplete: FrameKind.incomplete,
	broken: FrameKind.broken,
	batch: FrameKind.batch,
	message: FrameKind.message,
	mark: FrameKind.flushMark,
	header: FrameKind.segmentHeader,
};

/** What a stream holds, by docs/FORMAT.md. */
interface Expected {
	readonly frames: { readonly kind: FrameKind; readonly at: number; readonly length: number }[];
	readonly end: FrameKind;
	/** Where the frames that were taken end. */
	readonly at: number;
	/** The longest frame that is allowed here. */
	readonly limit: number;
}

function expectedOf(stream: Uint8Array, limit: number): Expected {
	const frames: Expected['frames'] = [];
	for (let at = 0; ; at += frames.at(-1)!.length) {
		const { verdict, length } = judge(stream.subarray(at), limit);
		const kind = KIND_OF[verdict];
		if (kind === FrameKind.incomplete || kind === FrameKind.broken)
			return { frames, end: kind, at, limit };
		frames.push({ kind, at, length });
	}
}

const memory = new Memory(STREAM_BYTES_MAX + 2 * GUARD_BYTES);
const scanner = new FrameScanner();

/** Scans the stream where it lies, among bytes that must play no part. @returns why it broke */
function scanAt(
	stream: Uint8Array,
	start: number,
	guard: number,
	expected: Expected,
): string | null {
	const end = start + stream.length;
	const from = Math.max(0, start - GUARD_BYTES);
	const to = Math.min(memory.size, end + GUARD_BYTES);
	memory.bytes.fill(guard, from, to);
	memory.bytes.set(stream, start);
	let at = start;
	for (const { kind, length } of expected.frames) {
		const seen = scanner.scan(memory, at, end, expected.limit);
		demandKind(seen, kind, at - start);
		demand(scanner.length === length, 'the length of a frame');
		at += length;
	}
	demandKind(scanner.scan(memory, at, end, expected.limit), expected.end, at - start);
	const isBroken = expected.end === FrameKind.broken;
	demand(
		(scanner.fault !== null) === isBroken,
		'what is broken has a reason, and nothing else has',
	);
	const around = [memory.bytes.subarray(from, start), memory.bytes.subarray(end, to)];
	demand(areSame(memory.bytes.subarray(start, end), stream), 'reading leaves the frame as it was');
	demand(
		around.every((bytes) => bytes.every((byte) => byte === guard)),
		'and what is around it',
	);
	return scanner.fault;
}

function demandKind(seen: FrameKind, expected: FrameKind, at: number): void {
	const fault = scanner.fault === null ? '' : ` (${scanner.fault})`;
	demand(seen === expected, () => `at ${at} kind ${seen}${fault}, by the page kind ${expected}`);
}

/** Through memory that throws on any look outside the frame at hand. */
function scanWatched(stream: Uint8Array, start: number, expected: Expected): void {
	const watched = new WatchedMemory(memory);
	const end = start + stream.length;
	for (const { at, length } of [...expected.frames, { at: expected.at, length: Infinity }]) {
		watched.from = start + at;
		watched.to = Math.min(end, start + at + length);
		scanner.scan(watched, start + at, end, expected.limit);
	}
}

/** What a receiver handed over. */
class Delivery {
	readonly frames: Uint8Array[] = [];
	reason: string | null = null;

	take(slab: Memory, offset: number, length: number): void {
		demand(this.reason === null, 'nothing is handed over once it is broken');
		this.frames.push(slab.slice(offset, length).slice());
	}

	broken(reason: string): void {
		demand(this.reason === null, 'a stream breaks once');
		demand(reason !== '', 'and with a reason');
		this.reason = reason;
	}

	/** However the stream was cut, the same comes out of it. */
	demandIs(stream: Uint8Array, expected: Expected, fault: string | null, who: string): void {
		const streamed = expected.frames.findIndex(
			({ kind }) => kind !== FrameKind.batch && kind !== FrameKind.message,
		);
		const count = streamed < 0 ? expected.frames.length : streamed;
		const end = count === expected.frames.length ? expected.at : expected.frames[count]!.at;
		const taken = joined(this.frames);
		demand(this.frames.length === count, () => `${who}: ${this.frames.length} frames of ${count}`);
		demand(areSame(taken, stream.subarray(0, end)), `${who}: frames are handed over as they came`);
		const reason = streamed < 0 ? fault : 'a frame that is never sent';
		demand(this.reason === reason, () => `${who}: '${this.reason}', in one piece '${reason}'`);
	}
}

/** Memory may grow with what has arrived, never with what is claimed. */
function demandModest(space: Uint8Array, received: number, who: string): void {
	const most = Math.max(FRAME_BYTES_MAX, 4 * received);
	demand(space.length > 0, `${who}: there is room for the next bytes`);
	demand(space.length <= most, () => `${who}: ${space.length} bytes reserved, ${received} came`);
}

/** How much comes at once, at most: few bytes of short streams, more of long ones. */
function pieceOf(stream: Uint8Array, dice: Dice): number {
	return Math.max(dice.pick([3, 40, 200, 5000, STREAM_BYTES_MAX]), stream.length >> 5);
}

function viaStaging(stream: Uint8Array, dice: Dice, limit: number): Delivery {
	const delivery = new Delivery();
	const refuses = dice.chance(0.3);
	const take = (staged: Memory, offset: number, length: number): boolean => {
		if (refuses && dice.chance(0.3)) return false;
		delivery.take(staged, offset, length);
		return true;
	};
	const receiver = new StagingReceiver(
		{ batch: take, message: take, readDone: () => {}, broken: (why) => delivery.broken(why) },
		limit,
	);
	const pieceMax = pieceOf(stream, dice);
	for (let at = 0; at < stream.length && delivery.reason === null; ) {
		const space = receiver.space();
		demandModest(space, at, 'staging');
		const bytes = Math.min(space.length, stream.length - at, 1 + dice.below(pieceMax));
		space.set(stream.subarray(at, at + bytes));
		receiver.received(bytes);
		at += bytes;
		if (refuses && dice.chance(0.5)) receiver.retry();
	}
	for (let i = 0; refuses && i < 200; i++) receiver.retry();
	receiver.close();
	return delivery;
}

const POOL_SLABS = 3;
/** Mostly small ones: then streams are long enough to use them up. */
const pools = [256, 1024, 1024, FRAME_BYTES_MAX].map((bytes) => new SlabPool(bytes, POOL_SLABS));

function viaSlabs(stream: Uint8Array, dice: Dice, pool: SlabPool): Delivery {
	const delivery = new Delivery();
	const keeps = dice.chance(0.5) ? 0.8 : 0;
	const held: Slab[] = [];
	const later: (() => void)[] = [];
	let isPaused = false;
	const take = (slab: Slab, offset: number, length: number): void => {
		delivery.take(slab, offset, length);
		if (!dice.chance(keeps)) return;
		slab.retain();
		held.push(slab);
	};
	const letGo = (): void => {
		for (const slab of held.splice(0)) slab.release();
		for (const callback of later.splice(0)) callback();
	};
	const receiver = new SlabReceiver(
		pool,
		{
			batch: take,
			message: take,
			readDone: () => {},
			broken: (why) => delivery.broken(why),
			pause: () => {
				isPaused = true;
			},
			resume: () => {
				isPaused = false;
			},
			later: (callback) => void later.push(callback),
		},
		dice.pick([0, pool.slabBytes / 4, pool.slabBytes / 2]),
		pool.slabBytes,
	);
	const pieceMax = pieceOf(stream, dice);
	let rounds = 0;
	let space = receiver.space();
	for (let at = 0; at < stream.length && delivery.reason === null; ) {
		if (++rounds > 4 * stream.length) throw new Finding('slabs: reading gets nowhere');
		if (isPaused || dice.chance(0.05)) letGo();
		const isStuck = isPaused && held.length === 0 && later.length === 0;
		// What was let go of may have brought the end of it.
		if (isStuck && delivery.reason === null) throw new Finding('slabs: starved');
		if (isPaused) continue;
		demandModest(space, at, 'slabs');
		const bytes = Math.min(space.length, stream.length - at, 1 + dice.below(pieceMax));
		space.set(stream.subarray(at, at + bytes));
		receiver.received(bytes);
		space = receiver.space();
		at += bytes;
	}
	while (held.length + later.length > 0) letGo();
	receiver.close();
	demand(pool.available === POOL_SLABS, 'slabs: all are given back');
	return delivery;
}

function run(stream: Uint8Array): string {
	const dice = new Dice(seedOf(stream));
	const pool = dice.pick(pools);
	const limit = pool.slabBytes;
	const expected = expectedOf(stream, limit);
	const fault = scanAt(stream, GUARD_BYTES, 0xa5, expected);
	for (const { kind, at, length } of expected.frames) {
		demandCanonical(kind, memory, GUARD_BYTES + at, length);
		demandAsFlatc(kind, memory, GUARD_BYTES + at, length);
	}
	if (dice.chance(1 / 64) && stream.length < 4096) scanWatched(stream, GUARD_BYTES, expected);
	// At the very end of the memory, and with other bytes around it.
	const last = memory.size - 8 * Math.ceil(stream.length / 8);
	demand(scanAt(stream, last, 0xff, expected) === fault, 'the same wherever it lies');
	const isStaged = dice.chance(0.5);
	const delivery = isStaged ? viaStaging(stream, dice, limit) : viaSlabs(stream, dice, pool);
	delivery.demandIs(stream, expected, fault, isStaged ? 'staging' : 'slabs');
	const taken = expected.frames.length > 0 ? 'frames' : 'nothing';
	return `${taken} taken, then ${withoutNumbers(fault ?? 'the end')}`;
}

export const frames: Target = {
	name: 'frames',
	aim: ['src/format/', 'src/transport/s'],
	seeds: () => [
		...Object.values(SAMPLES),
		joined(Object.values(SAMPLES).slice(0, 9)),
		batchFrame([new Uint8Array(40_000)], BATCH),
		joined(Array.from({ length: 12 }, () => SAMPLES['batch-entries']!)),
	],
	mutate: (input, dice, other) => mutateStream(input, dice, other),
	run,
	describe: hexOf,
};
