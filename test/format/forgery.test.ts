/** Frames with two right checksums and a lie in them, one by one, with the reason each is refused for. */
import { describe, expect, it } from 'vitest';
import { batchFault } from '../../src/format/batch.js';
import { FrameKind, FrameScanner } from '../../src/format/frame-stream.js';
import { messageFault } from '../../src/format/message.js';
import { flushMarkFault, segmentHeaderFault } from '../../src/format/segment-frames.js';
import { faultOf, LENGTH_MAX, memoryOf, reseal, SAMPLES, WatchedMemory } from './frames.js';

const BATCH = SAMPLES['batch-entries']!;
const OF_SESSION = SAMPLES['batch-of-session']!;
const REGISTRATION = SAMPLES['batch-registration']!;
const NO_OP = SAMPLES['batch-no-op']!;
const MESSAGE = SAMPLES['message-append']!;
const WITH_BODY = SAMPLES['message-goodbye']!;
const MARK = SAMPLES['flush-mark']!;
const HEADER = SAMPLES['segment-header']!;

const PROLOGUE_FAULT = 'the prologue or length is not the one of its identifier';

type Change = (view: DataView, frame: Uint8Array) => void;
const word =
	(at: number, value: number): Change =>
	(view) =>
		view.setUint32(at, value, true);
const byte =
	(at: number, value: number): Change =>
	(_view, frame) => {
		frame[at] = value;
	};
/** 2^52: the first number too large, as the high word of a uint64 at `at`. */
const tooLarge = (at: number) => word(at + 4, 0x10_0000);

function forged(frame: Uint8Array, change: Change): Uint8Array {
	const forgery = frame.slice();
	change(new DataView(forgery.buffer), forgery);
	return reseal(forgery);
}

// The sample's three entries end at 5, 5 and 20: payload 112..132, count at 132, ends at 136, 140, 144,
// padding at 148.
const BATCHES: [string, Uint8Array, Change, string][] = [
	['ends that go back', BATCH, word(140, 4), 'ends go back'],
	['an end beyond the payload', BATCH, word(140, 21), 'ends go back'],
	['an end of 2^32-1', BATCH, word(136, 0xffff_ffff), 'ends go back'],
	['a last end beyond the payload', BATCH, word(144, 21), 'ends do not cover the payload'],
	['a last end before the end', BATCH, word(144, 19), 'ends do not cover the payload'],
	['a header that counts one more', BATCH, word(88, 4), 'entries miscounted'],
	['a vector that counts one more', BATCH, word(132, 4), 'entries miscounted'],
	['no entries', BATCH, both(word(88, 0), word(132, 0)), 'entries miscounted'],
	[
		'one entry too few for its length',
		BATCH,
		both(word(88, 1), word(132, 1)),
		'the length is not its content',
	],
	[
		'2^32-1 entries',
		BATCH,
		both(word(88, 0xffff_ffff), word(132, 0xffff_ffff)),
		'the length is not its content',
	],
	['a payload of 4 GiB', BATCH, word(108, 0xffff_ffff), 'the payload leaves the frame'],
	['a payload one over what fits', BATCH, word(108, 33), 'the payload leaves the frame'],
	['a payload that hides the ends', BATCH, word(108, 24), 'ends out of place'],
	['an offset of ends elsewhere', BATCH, word(96, 0x28), 'ends out of place'],
	['an offset of ends far outside', BATCH, word(96, 0x7fff_ffff), 'ends out of place'],
	['an offset of the payload elsewhere', BATCH, word(100, 4), 'payload out of place'],
	['a hole that is not zero', BATCH, word(104, 1), 'padding is not zero'],
	['padding behind the ends', BATCH, byte(148, 1), 'padding is not zero'],
	['padding behind the payload', SAMPLES['batch-proposal']!, byte(119, 1), 'padding is not zero'],
	['a term of 2^52', BATCH, tooLarge(40), 'a number is out of range'],
	['an index of 2^52', BATCH, tooLarge(48), 'a number is out of range'],
	['a session of 2^52', BATCH, tooLarge(64), 'a number is out of range'],
	['a sequence of 2^52', BATCH, tooLarge(72), 'a number is out of range'],
	['a time of 2^64-1', BATCH, both(word(80, ~0), word(84, ~0)), 'a number is out of range'],
	['an unknown kind', BATCH, byte(92, 4), 'unknown kind or flags'],
	['a flag', BATCH, byte(93, 2), 'unknown kind or flags'],
	['two flags', BATCH, byte(93, 3), 'unknown kind or flags'],
	['a flag on a no-op', NO_OP, byte(93, 1), 'unknown kind or flags'],
	['a registered session 0', OF_SESSION, both(word(64, 0), word(68, 0)), 'unknown kind or flags'],
	[
		'as many batches to wait for as came',
		OF_SESSION,
		both(word(72, 0xfffe), word(76, 0)),
		'unknown kind or flags',
	],
	['a registration in a session', REGISTRATION, word(64, 1), 'a registration makes no sense'],
	['a session of no time', REGISTRATION, word(112, 0), 'a registration makes no sense'],
	['a session of 2^52 ms', REGISTRATION, tooLarge(112), 'a registration makes no sense'],
	['2^52 sessions', REGISTRATION, tooLarge(120), 'a registration makes no sense'],
	[
		'a registration of text',
		BATCH,
		both(byte(92, 3), word(64, 0)),
		'a registration makes no sense',
	],
	['reserved bits', BATCH, byte(95, 0x80), 'unknown kind or flags'],
	['a no-op with entries', BATCH, byte(92, 1), 'a no-op is one empty entry'],
	['a vtable that is another', NO_OP, byte(20, 0x50), PROLOGUE_FAULT],
];

const MESSAGES: [string, Uint8Array, Change, string][] = [
	['kind 0', MESSAGE, byte(36, 0), 'unknown kind'],
	['kind 19', MESSAGE, byte(36, 19), 'unknown kind'],
	['kind 255', MESSAGE, byte(36, 255), 'unknown kind'],
	['an unknown flag', MESSAGE, byte(37, 2), 'unknown flags'],
	['a version outside a hello', MESSAGE, byte(38, 1), 'a version outside a hello'],
	['batches outside an append', WITH_BODY, word(52, 1), 'batches outside an append'],
	['a body on an append', WITH_BODY, byte(36, 1), 'a body where none belongs'],
	['a body on the answer of one on probation', WITH_BODY, byte(36, 8), 'a body where none belongs'],
	...[56, 64, 72, 80, 88, 96, 104].map((at): [string, Uint8Array, Change, string] => [
		`2^52 at byte ${at}`,
		MESSAGE,
		tooLarge(at),
		'a number is out of range',
	]),
	['a body of 4 GiB', WITH_BODY, word(116, 0xffff_ffff), 'the length is not its content'],
	['a body over the end', WITH_BODY, word(116, 17), 'the length is not its content'],
	['a body of another length', WITH_BODY, word(116, 8), 'the length is not its content'],
	['a body cut short, the rest as padding', WITH_BODY, word(116, 12), 'padding is not zero'],
	['an offset of the body elsewhere', WITH_BODY, word(112, 8), 'body out of place'],
	['padding behind the body', WITH_BODY, byte(135, 1), 'padding is not zero'],
];

const LOCAL: [string, Uint8Array, Change, string][] = [
	...[40, 48, 56, 64, 72].map((at): [string, Uint8Array, Change, string] => [
		`a mark with 2^52 at byte ${at}`,
		MARK,
		tooLarge(at),
		'a number is out of range',
	]),
	...[40, 56, 64, 72, 80].map((at): [string, Uint8Array, Change, string] => [
		`a header with 2^52 at byte ${at}`,
		HEADER,
		tooLarge(at),
		'a number is out of range',
	]),
	['a mark that claims more', MARK, word(0, 100), PROLOGUE_FAULT],
	['a header under the identifier of a batch', HEADER, byte(10, 0x42), PROLOGUE_FAULT],
];

function both(first: Change, second: Change): Change {
	return (view, frame) => {
		first(view, frame);
		second(view, frame);
	};
}

describe.each([
	['batch', BATCHES],
	['message', MESSAGES],
	['local frame', LOCAL],
] as const)('a forged %s', (_kind, cases) => {
	it.each(cases)('with %s is refused', (_name, frame, change, fault) => {
		expect(faultOf(frame)).toBeNull();
		expect(faultOf(forged(frame, change))).toBe(fault);
	});
});

describe('without the seals', () => {
	it.each(Object.entries(SAMPLES))('every single bit of %s counts', (_name, frame) => {
		for (let bit = 0; bit < frame.length * 8; bit++) {
			const damaged = frame.slice();
			damaged[bit >>> 3]! ^= 1 << (bit & 7);
			expect(faultOf(damaged)).not.toBeNull();
		}
	});

	it('a batch whose header was replaced by that of another batch is refused', () => {
		const mixed = BATCH.slice();
		mixed.set(SAMPLES['batch-proposal']!.subarray(32, 96), 32);
		expect(faultOf(mixed)).not.toBeNull();
	});
});

describe('a door on its own', () => {
	it.each([
		['batch', batchFault, BATCH],
		['message', messageFault, WITH_BODY],
		['flush mark', flushMarkFault, MARK],
		['segment header', segmentHeaderFault, HEADER],
	] as const)("of a %s refuses a length that is not the frame's own", (_name, fault, frame) => {
		expect(fault(memoryOf(frame), 0, frame.length)).toBeNull();
		expect(fault(memoryOf(frame), 0, frame.length + 8)).not.toBeNull();
		expect(fault(memoryOf(frame), 0, frame.length - 8)).not.toBeNull();
		const other = memoryOf(frame);
		other.words[0]! += 8;
		expect(fault(other, 0, frame.length)).toBe('the length is not its own');
	});

	it.each([BATCH, MESSAGE])('looks at nothing behind a frame too short for its kind', (frame) => {
		for (const length of [96, 104, 112]) {
			const short = frame.slice(0, length);
			new DataView(short.buffer).setUint32(0, length - 4, true);
			const watched = new WatchedMemory(memoryOf(reseal(short), 8));
			watched.from = 8;
			watched.to = 8 + length;
			const scanner = new FrameScanner();
			expect(scanner.scan(watched, 8, 8 + length, LENGTH_MAX)).toBe(FrameKind.broken);
			expect(scanner.fault).toMatch(/is longer$/);
		}
	});

	it.each([MARK, HEADER])('is not waited for when the length is none of its kind', (frame) => {
		const memory = memoryOf(frame);
		memory.words[0] = LENGTH_MAX - 4;
		const scanner = new FrameScanner();
		expect(scanner.scan(memory, 0, 11, LENGTH_MAX)).toBe(FrameKind.incomplete);
		expect(scanner.scan(memory, 0, 12, LENGTH_MAX)).toBe(FrameKind.broken);
		expect(scanner.fault).toBe(PROLOGUE_FAULT);
	});
});
