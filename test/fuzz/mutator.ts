/** Changes streams of frames as an attacker who knows the format would: then the checksums are made right again,
 * or every case would end at them. */
import type { Dice } from './dice.js';
import { joined } from './finding.js';
import { seal, viewOf } from './reference.js';

const WORDS = [
	0, 1, 2, 3, 4, 7, 8, 16, 24, 92, 96, 100, 116, 120, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8,
	0xffff_fffc, 0xffff_ffff, 0xf_ffff, 0x10_0000, 0xffff, 0x1_0000, 32_768, 65_536,
];
/** Where lengths, counts, kinds, offsets and high words lie in frames of the kinds there are. */
const PLACES = [
	0, 4, 8, 28, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96, 100, 104, 108, 112,
	116, 120,
];
const BYTES_MAX = 128 * 1024;

/** Cuts a stream where its frames say they end; what makes no sense is one last part. */
export function framesOf(stream: Uint8Array): Uint8Array[] {
	const frames: Uint8Array[] = [];
	let at = 0;
	while (stream.length - at >= 96) {
		const length = viewOf(stream).getUint32(at, true) + 4;
		if (length < 96 || length % 8 !== 0 || at + length > stream.length) break;
		frames.push(stream.slice(at, at + length));
		at += length;
	}
	if (at < stream.length) frames.push(stream.slice(at));
	return frames;
}

type FrameChange = (frame: Uint8Array, dice: Dice) => Uint8Array;

const interesting = (dice: Dice) => (dice.chance(0.7) ? dice.pick(WORDS) : dice.word());

function setWord(frame: Uint8Array, at: number, value: number): Uint8Array {
	if (at >= 0 && at + 4 <= frame.length) viewOf(frame).setUint32(at, value >>> 0, true);
	return frame;
}

const FRAME_CHANGES: readonly FrameChange[] = [
	(frame, dice) => {
		frame[dice.below(frame.length)]! ^= 1 << dice.below(8);
		return frame;
	},
	(frame, dice) => {
		frame[dice.below(frame.length)] = dice.below(256);
		return frame;
	},
	(frame, dice) => setWord(frame, dice.pick(PLACES), interesting(dice)),
	(frame, dice) => setWord(frame, dice.pick(PLACES), interesting(dice)),
	// A number a little larger or smaller.
	(frame, dice) => {
		const at = dice.chance(0.5) ? dice.pick(PLACES) : 4 * dice.below(frame.length >> 2);
		if (at + 4 > frame.length) return frame;
		return setWord(frame, at, viewOf(frame).getUint32(at, true) + dice.below(17) - 8);
	},
	// Anywhere behind the struct: ends, counts, padding.
	(frame, dice) =>
		setWord(frame, 96 + 4 * dice.below(Math.max(1, (frame.length - 96) >> 2)), interesting(dice)),
	// The kind, and with it what the frame may carry.
	(frame, dice) => {
		const kinds = [
			0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 31, 32, 33, 34, 35, 36, 37, 38, 39, 255,
		];
		if (frame.length > 92) frame[dice.chance(0.8) ? 36 : 92] = dice.pick(kinds);
		return frame;
	},
	// Another length, and content that goes with it or doesn't.
	(frame, dice) => {
		const bytes = 8 * dice.below(12) + (dice.chance(0.1) ? dice.below(8) : 0);
		const longer = new Uint8Array(frame.length + bytes);
		longer.set(frame);
		if (dice.chance(0.5)) longer.fill(dice.below(256), frame.length);
		setWord(longer, 0, longer.length - 4);
		if (dice.chance(0.7)) setWord(longer, 116, bytes - dice.below(9));
		return longer;
	},
	(frame, dice) => frame.slice(0, dice.below(frame.length + 1)),
	(frame, dice) => {
		const shorter = frame.slice(0, Math.max(0, frame.length - 8 * (1 + dice.below(4))));
		return setWord(shorter, 0, shorter.length - 4);
	},
	// Payload or body of a length that is right but for its padding.
	(frame, dice) => {
		const at = dice.chance(0.5) ? 108 : 116;
		if (at + 4 > frame.length) return frame;
		return setWord(frame, at, viewOf(frame).getUint32(at, true) - dice.below(4));
	},
	(frame, dice) => {
		const identifiers = ['MRB1', 'MRM1', 'MRS1', 'MRF1', 'MRB2', 'MRMx', 'HTTP', '\0\0\0\0'];
		if (frame.length >= 12) frame.set(Buffer.from(dice.pick(identifiers), 'latin1'), 8);
		return frame;
	},
	// One number of another frame's, or of this one's, somewhere else: what joins frames is compared.
	(frame, dice) => {
		if (frame.length < 96) return frame;
		const from = dice.pick(PLACES);
		const to = dice.pick(PLACES);
		const bytes = dice.chance(0.5) ? 4 : 8;
		if (Math.max(from, to) + bytes > frame.length) return frame;
		frame.copyWithin(to, from, from + bytes);
		return frame;
	},
];

type StreamChange = (frames: Uint8Array[], dice: Dice, others: () => Uint8Array[]) => Uint8Array[];

const STREAM_CHANGES: readonly StreamChange[] = [
	(frames, dice) => frames.toSpliced(dice.below(frames.length), 1),
	(frames, dice) => frames.toSpliced(dice.below(frames.length + 1), 0, dice.pick(frames).slice()),
	(frames, dice) => {
		const [a, b] = [dice.below(frames.length), dice.below(frames.length)];
		return frames.with(a, frames[b]!).with(b, frames[a]!);
	},
	// The front of one stream and the back of another.
	(frames, dice, others) => {
		const rest = others();
		return [
			...frames.slice(0, dice.below(frames.length + 1)),
			...rest.slice(dice.below(rest.length)),
		];
	},
	(frames, dice, others) => frames.toSpliced(dice.below(frames.length + 1), 0, dice.pick(others())),
	// Cut anywhere, or something pushed in: what follows is out of step.
	(frames, dice) => {
		const stream = joined(frames);
		return [stream.slice(0, dice.below(stream.length + 1))];
	},
	(frames, dice) => {
		const noise = Uint8Array.from({ length: 1 + dice.below(24) }, () => dice.below(256));
		return frames.toSpliced(dice.below(frames.length + 1), 0, noise);
	},
];

/** Makes a changed copy of a stream. `others`: a stream to splice with. */
export function mutateStream(stream: Uint8Array, dice: Dice, others: () => Uint8Array): Uint8Array {
	let frames = framesOf(stream);
	const isHonest = dice.chance(0.15);
	for (let changes = 1 + dice.below(3); changes > 0; changes--) {
		if (frames.length === 0) frames = framesOf(others());
		if (frames.length === 0) return new Uint8Array(dice.below(96));
		if (dice.chance(0.3)) {
			frames = dice.pick(STREAM_CHANGES)(frames, dice, () => {
				const other = framesOf(others());
				return other.length > 0 ? other : [new Uint8Array(96)];
			});
		} else {
			const at = dice.below(frames.length);
			const frame = frames[at]!;
			if (frame.length > 0) frames[at] = dice.pick(FRAME_CHANGES)(frame, dice);
		}
	}
	if (!isHonest) for (const frame of frames) seal(frame);
	return joined(frames).subarray(0, BYTES_MAX);
}

/** Makes a changed copy of a single frame. */
export function mutateFrame(frame: Uint8Array, dice: Dice): Uint8Array {
	let changed: Uint8Array = frame.slice();
	for (let changes = 1 + dice.below(3); changes > 0; changes--) {
		if (changed.length > 0) changed = dice.pick(FRAME_CHANGES)(changed, dice);
	}
	if (dice.chance(0.8)) changed = asFrame(changed, frame);
	if (!dice.chance(0.1)) seal(changed);
	return changed;
}

/** With a length that is its own, and the prologue of what it was made from. */
function asFrame(changed: Uint8Array, origin: Uint8Array): Uint8Array {
	const frame = new Uint8Array(8 * Math.ceil(Math.max(96, changed.length) / 8));
	frame.set(changed);
	frame.set(origin.subarray(4, 32), 4);
	return setWord(frame, 0, frame.length - 4);
}
