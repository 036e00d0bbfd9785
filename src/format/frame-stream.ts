import { batchFault, isBatch } from './batch.js';
import {
	FRAME_PREFIX_BYTES,
	frameIdentifier,
	frameLength,
	identifierWord,
	isPlausibleLength,
	STRUCT_OFFSET,
} from './frame.js';
import type { Memory } from './memory.js';
import { isMessage, messageFault } from './message.js';
import {
	FLUSH_MARK_BYTES,
	flushMarkFault,
	SEGMENT_HEADER_BYTES,
	segmentHeaderFault,
} from './segment-frames.js';

/** What a stream of frames holds at a place. */
export const FrameKind = {
	/** The beginning of a frame, as far as it can be told: more bytes are needed. */
	incomplete: 0,
	/** A whole frame of this kind that has passed its door. */
	batch: 1,
	message: 2,
	flushMark: 3,
	segmentHeader: 4,
	/** No frame, and never will be: nothing behind it can be trusted either. */
	broken: 5,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** The identifier's end: from here on it is known whether this is a frame at all. */
const IDENTIFIER_END = 12;
const IDENTIFIER_MR = identifierWord('MR\0\0');
const BATCH = identifierWord('MRB1');
const MESSAGE = identifierWord('MRM1');
const FLUSH_MARK = identifierWord('MRF1');
const SEGMENT_HEADER = identifierWord('MRS1');

/**
 * Cuts a stream of bytes into frames and lets each pass its door: the one reader for sockets and disks.
 *
 * It refuses as early as the bytes allow (a length after 4 bytes, an identifier after 12, the rest of the
 * prologue after 32) and looks at nothing outside `[offset, offset + length)`. One scanner serves a whole
 * stream, and a frame that passes allocates nothing.
 */
export class FrameScanner {
	/** The verdict of the last `scan`. */
	kind: FrameKind = FrameKind.incomplete;
	/** Bytes of the frame at `offset`, its size word included. While it is `incomplete`: what it will need
	 * in all, at most `lengthMax`, or 0 while that is not known. 0 when it is `broken`. */
	length = 0;
	/** Why it is `broken`; else `null`. */
	fault: string | null = null;

	/**
	 * Judges the frame that begins at `offset` (a multiple of 8) of bytes that are there up to `end`.
	 * @param lengthMax the longest frame that is accepted; a longer claim is `broken` at once
	 */
	scan(memory: Memory, offset: number, end: number, lengthMax: number): FrameKind {
		this.fault = null;
		this.length = 0;
		const there = end - offset;
		if (there < FRAME_PREFIX_BYTES) return this.#verdict(FrameKind.incomplete);
		const length = frameLength(memory, offset);
		if (!isPlausibleLength(length, lengthMax)) {
			return this.#broken(`no frame here is ${length} bytes long (the limit is ${lengthMax})`);
		}
		this.length = length;
		if (there < IDENTIFIER_END) return this.#verdict(FrameKind.incomplete);
		switch (frameIdentifier(memory, offset)) {
			case BATCH:
				if (there >= STRUCT_OFFSET && !isBatch(memory, offset)) return this.#malformed();
				if (there < length) return this.#verdict(FrameKind.incomplete);
				return this.#judged(FrameKind.batch, batchFault(memory, offset, length));
			case MESSAGE:
				if (there >= STRUCT_OFFSET && !isMessage(memory, offset)) return this.#malformed();
				if (there < length) return this.#verdict(FrameKind.incomplete);
				return this.#judged(FrameKind.message, messageFault(memory, offset, length));
			case FLUSH_MARK:
				if (length !== FLUSH_MARK_BYTES) return this.#malformed();
				if (there < length) return this.#verdict(FrameKind.incomplete);
				return this.#judged(FrameKind.flushMark, flushMarkFault(memory, offset, length));
			case SEGMENT_HEADER:
				if (length !== SEGMENT_HEADER_BYTES) return this.#malformed();
				if (there < length) return this.#verdict(FrameKind.incomplete);
				return this.#judged(FrameKind.segmentHeader, segmentHeaderFault(memory, offset, length));
			default:
				return this.#broken(identifierFault(frameIdentifier(memory, offset)));
		}
	}

	#judged(kind: FrameKind, fault: string | null): FrameKind {
		return fault === null ? this.#verdict(kind) : this.#broken(fault);
	}

	#malformed(): FrameKind {
		return this.#broken('the prologue or length is not the one of its identifier');
	}

	#broken(fault: string): FrameKind {
		this.fault = fault;
		this.length = 0;
		return this.#verdict(FrameKind.broken);
	}

	#verdict(kind: FrameKind): FrameKind {
		this.kind = kind;
		return kind;
	}
}

/** Tells a frame of a later millrace from bytes that are none. */
function identifierFault(identifier: number): string {
	const version = String.fromCharCode(identifier >>> 24);
	if ((identifier & 0xffff) !== IDENTIFIER_MR || !/[2-9A-Za-z]/.test(version)) {
		return 'this is not a frame of millrace';
	}
	return `format version ${version} is not known here`;
}
