import { BadOption } from '../errors.js';
import {
	BATCH_BYTES_MIN,
	batchCount,
	batchFault,
	batchHeaderChecksum,
	batchIndex,
	batchLastIndex,
	batchLength,
	batchParent,
	batchPayloadLength,
	batchTerm,
	isBatch,
} from '../format/batch.js';
import { frameLength, isPlausibleLength } from '../format/frame.js';
import type { Memory } from '../format/memory.js';
import {
	FLUSH_MARK_BYTES,
	type FlushMarkNumbers,
	isFlushMark,
	isSegmentHeader,
	readFlushMark,
	readSegmentHeader,
	SEGMENT_HEADER_BYTES,
	type SegmentHeaderNumbers,
} from '../format/segment-frames.js';
import { Borders } from './borders.js';
import { segmentName } from './segment-store.js';
import type { SegmentWindow } from './segment-window.js';
import { LOG_START, type LogPosition } from './types.js';

/** Who is told of what a scan finds, in the order in which it was written. */
export interface LogVisitor {
	/** A header that says it is of the segment it was found in; throws if it is another log's. */
	header?(header: SegmentHeaderNumbers): void;
	/** The log goes on in this segment. */
	segment?(header: SegmentHeaderNumbers): void;
	/** In the segment that was told of last, the log begins anew behind a snapshot: what was before doesn't count. */
	reset?(header: SegmentHeaderNumbers): void;
	/** `mark.index` below the log's end so far = the log was truncated to it. */
	flush?(mark: FlushMarkNumbers): void;
	batch?(memory: Memory, offset: number, length: number, segment: number, position: number): void;
}

export interface Damage {
	/** Where in the segment it begins. */
	readonly position: number;
	readonly what: string;
	/** No torn write could have done this. */
	readonly isImpossible: boolean;
}

/** Where a scan stopped, and what stood in its way. */
export interface ScanStop {
	/** The segment in which the log ends, and the position at which the next flush goes. */
	readonly segment: number;
	readonly position: number;
	/** Set when a flush's mark is whole but its batches are not. */
	readonly damage: Damage | null;
	/** The last whole mark, and its position; null in a log that never had a flush. */
	readonly mark: FlushMarkNumbers | null;
	readonly markPosition: number;
	/** The last flush is a seal: a mark that says nothing new. */
	readonly isSeal: boolean;
	/** How long the segment's file was when it was begun. */
	readonly fileBytes: number;
	readonly end: LogPosition;
	readonly base: LogPosition;
	/** Sequence of the flush that was not found. */
	readonly nextSequence: number;
	/** The log's; -1 if no segment of it was found. */
	readonly salt: number;
}

/**
 * Walks a log flush by flush, segment by segment, and stops at the first flush that isn't there whole.
 * It judges nothing: whether that is the log's end, a torn tail or corruption is `recovery.ts`'s.
 */
export class LogScan {
	readonly #visitor: LogVisitor;
	readonly #frameBytesMax: number;
	/** Up to this index a snapshot stands for the log. */
	readonly #snapshotIndex: number;
	/** Of the segment whose first flush comes next; else null. */
	#header: SegmentHeaderNumbers | null = null;
	base: LogPosition = LOG_START;
	end: LogPosition = LOG_START;
	#segment = 0;
	#position = 0;
	#sequence = 1;
	#mark: FlushMarkNumbers | null = null;
	#markPosition = 0;
	#isSeal = false;
	#fileBytes = 0;
	#damage: Damage | null = null;
	#group = 0;
	/** The log's; -1 before the first segment. */
	#salt = -1;
	/** The highest index known to be committed by a mark. */
	#committed = 0;
	readonly #borders = new Borders();

	constructor(visitor: LogVisitor, frameBytesMax: number, snapshotIndex = 0) {
		this.#visitor = visitor;
		this.#frameBytesMax = frameBytesMax;
		this.#snapshotIndex = snapshotIndex;
	}

	/** Scans the next segment. @returns false if the log doesn't go on in it */
	async scanSegment(number: number, window: SegmentWindow): Promise<boolean> {
		if ((await window.load(0, SEGMENT_HEADER_BYTES)) < SEGMENT_HEADER_BYTES) return false;
		if (!isSegmentHeader(window.memory, window.offsetOf(0))) return false;
		const header = readSegmentHeader(window.memory, window.offsetOf(0));
		if (header.segment === number) this.#visitor.header?.(header);
		if (this.#segment === 0) {
			if (header.segment !== number) return false;
			this.#beginAt(header);
		} else if (!this.#goesOn(header, number)) return false;
		// The header and the segment's first flush are one write: without that flush, the header means nothing.
		const before = {
			segment: this.#segment,
			position: this.#position,
			fileBytes: this.#fileBytes,
		};
		this.#segment = number;
		this.#fileBytes = header.bytes;
		this.#position = SEGMENT_HEADER_BYTES;
		this.#header = header;
		this.#visitor.segment?.(header);
		let flushes = 0;
		while (this.#damage === null && (await this.#scanFlush(window))) flushes += 1;
		if (flushes === 0 && this.#damage === null && before.segment !== 0) {
			this.#segment = before.segment;
			this.#position = before.position;
			this.#fileBytes = before.fileBytes;
			return false;
		}
		return this.#damage === null;
	}

	/** Whether the segment with this header is the log's next. A recycled one has a header that is older, and
	 * so has one whose first flush was interrupted, after which the log went on where it was. */
	#goesOn(header: SegmentHeaderNumbers, number: number): boolean {
		const isNext = header.segment === number && header.sequence === this.#sequence;
		if (isNext && header.salt === this.#salt) return true;
		const isNewer = header.segment === number && header.sequence > this.#sequence;
		const isAstray = header.segment !== number && header.sequence >= this.#sequence;
		const isOurs = header.group === this.#group && header.salt === this.#salt;
		if (isOurs && (isNewer || isAstray)) {
			const found = `the header of segment ${header.segment} with flush ${header.sequence}`;
			const what = `flush ${this.#sequence} is missing, but ${segmentName(number)} has ${found}`;
			this.#damage = { position: this.#position, what, isImpossible: true };
		}
		return false;
	}

	#beginAt(header: SegmentHeaderNumbers): void {
		this.#group = header.group;
		this.#salt = header.salt;
		this.base = { index: header.baseIndex, term: header.baseTerm, checksum: header.baseChecksum };
		this.end = this.base;
		this.#borders.startAt(this.base);
		this.#sequence = header.sequence;
	}

	async #scanFlush(window: SegmentWindow): Promise<boolean> {
		const start = this.#position;
		if ((await window.load(start, FLUSH_MARK_BYTES)) < FLUSH_MARK_BYTES) return false;
		if (!isFlushMark(window.memory, window.offsetOf(start))) return false;
		const mark = readFlushMark(window.memory, window.offsetOf(start));
		if (mark.sequence !== this.#sequence || mark.salt !== this.#salt) return false;
		this.#sequence += 1;
		this.#isSeal = this.#mark !== null && isSeal(mark, this.#mark, this.end.index);
		this.#mark = mark;
		this.#markPosition = start;
		this.#position = start + FLUSH_MARK_BYTES;
		const header = this.#header;
		this.#header = null;
		if (!this.#fits(mark, header)) {
			const what = `flush ${mark.sequence} does not join the log before it`;
			this.#damage = { position: start, what, isImpossible: true };
			return false;
		}
		this.end = { index: mark.index, term: mark.indexTerm, checksum: mark.parent };
		if (mark.index < this.base.index) {
			this.base = this.end;
			this.#borders.startAt(this.base);
		}
		this.#committed = Math.max(this.#committed, mark.committed);
		this.#borders.commit(this.#committed);
		this.#visitor.flush?.(mark);
		return await this.#scanBatches(window, this.#position + mark.bytes);
	}

	#fits(mark: FlushMarkNumbers, header: SegmentHeaderNumbers | null): boolean {
		// A crash may come while the segments before a new beginning are removed: what is left of them may begin above it.
		if (mark.index < this.base.index && this.#isReset(mark, header)) return true;
		return this.#joins(mark) || this.#isReset(mark, header);
	}

	/** A mark is only written once everything before it is durable, so it continues the log or cuts it at one
	 * of its borders. Bytes of a payload that only look like a mark don't know the checksum there. */
	#joins(mark: FlushMarkNumbers): boolean {
		if (mark.index > this.end.index || mark.index < this.#committed) return false;
		// The log was cut below the segment it now begins with, and those before were dropped since.
		if (mark.index < this.base.index) return true;
		const border = this.#borders.cut(mark.index);
		return (
			border !== undefined &&
			border.index === mark.index &&
			border.term === mark.indexTerm &&
			border.checksum === mark.parent
		);
	}

	/** Behind a snapshot the log begins anew in a segment of its own, whose header says where. What was before is cut
	 * off or covered by the snapshot: by this one or, while old segments are still there, by an earlier one. */
	#isReset(mark: FlushMarkNumbers, header: SegmentHeaderNumbers | null): boolean {
		const isLegal =
			header !== null &&
			header.baseIndex === mark.index &&
			header.baseTerm === mark.indexTerm &&
			header.baseChecksum === mark.parent &&
			mark.index > this.#committed &&
			mark.index <= this.#snapshotIndex;
		if (!isLegal) return false;
		this.base = { index: mark.index, term: mark.indexTerm, checksum: mark.parent };
		this.#borders.startAt(this.base);
		this.#visitor.reset?.(header);
		return true;
	}

	async #scanBatches(window: SegmentWindow, flushEnd: number): Promise<boolean> {
		while (this.#position < flushEnd) {
			const fault = await this.#scanBatch(window, flushEnd);
			if (fault !== null) {
				this.#damage = { position: this.#position, what: fault, isImpossible: false };
				return false;
			}
		}
		return true;
	}

	/** @returns what is wrong with the batch at the current position, or null and moves behind it */
	async #scanBatch(window: SegmentWindow, flushEnd: number): Promise<string | null> {
		const start = this.#position;
		const room = flushEnd - start;
		if (room < BATCH_BYTES_MIN || (await window.load(start, BATCH_BYTES_MIN)) < BATCH_BYTES_MIN) {
			return 'the file ends within a flush';
		}
		const length = frameLength(window.memory, window.offsetOf(start));
		this.#requireLimit(window, length, room);
		if (!isPlausibleLength(length, Math.min(room, this.#frameBytesMax)))
			return 'a frame of no length';
		if ((await window.load(start, length)) < length) return 'the file ends within a batch';
		const memory = window.memory;
		const offset = window.offsetOf(start);
		if (!isBatch(memory, offset)) return 'not a batch';
		const fault = batchFault(memory, offset, length) ?? chainFault(memory, offset, this.end);
		if (fault !== null) return fault;
		this.#visitor.batch?.(memory, offset, length, this.#segment, start);
		this.end = batchEnd(memory, offset);
		this.#borders.add(this.end);
		this.#position = start + length;
		return null;
	}

	/** A batch that was written under larger limits must not be taken for a torn one. */
	#requireLimit(window: SegmentWindow, length: number, room: number): void {
		if (length <= this.#frameBytesMax || !isPlausibleLength(length, room)) return;
		const { memory } = window;
		const offset = window.offsetOf(this.#position);
		if (!isBatch(memory, offset) || chainFault(memory, offset, this.end) !== null) return;
		// Nor may a damaged length be taken for a large one.
		if (batchLength(batchPayloadLength(memory, offset), batchCount(memory, offset)) !== length)
			return;
		throw new BadOption(`the log has a batch of ${length} bytes: limits.slabBytes is too small`);
	}

	get stop(): ScanStop {
		return {
			segment: this.#segment,
			position: this.#position,
			damage: this.#damage,
			mark: this.#mark,
			markPosition: this.#markPosition,
			isSeal: this.#isSeal,
			fileBytes: this.#fileBytes,
			end: this.end,
			base: this.base,
			nextSequence: this.#sequence,
			salt: this.#salt,
		};
	}
}

function chainFault(memory: Memory, offset: number, end: LogPosition): string | null {
	if (batchIndex(memory, offset) !== end.index + 1) return 'a gap in the indexes';
	if (batchParent(memory, offset) !== end.checksum) return 'not the child of the batch before';
	if (batchTerm(memory, offset) < end.term) return 'a term that goes back';
	return null;
}

/** The end of a log whose last batch lies at `offset`. */
export function batchEnd(memory: Memory, offset: number): LogPosition {
	return {
		index: batchLastIndex(memory, offset),
		term: batchTerm(memory, offset),
		checksum: batchHeaderChecksum(memory, offset),
	};
}

/** Whether the batch at `offset` is the one behind a log that ends at `end`. */
export function isNextBatch(memory: Memory, offset: number, end: LogPosition): boolean {
	return chainFault(memory, offset, end) === null;
}

/** Whether a mark behind `before` and a log that ends at `index` says nothing new: nothing is lost with it. */
export function isSeal(mark: FlushMarkNumbers, before: FlushMarkNumbers, index: number): boolean {
	const isSameState = mark.term === before.term && mark.vote === before.vote;
	return isSameState && mark.bytes === 0 && mark.index === index;
}

/** Looks for a flush mark of this sequence or a later one, at any multiple of 8 from `from` on. What has another
 * salt is a payload (somebody keeps a copy of a log in a log); -1 = any.
 * @returns a description of where the first one is, or null */
export async function findLaterMark(
	window: SegmentWindow,
	number: number,
	from: number,
	sequence: number,
	salt: number,
): Promise<string | null> {
	let position = from;
	for (;;) {
		const there = await window.load(position, FLUSH_MARK_BYTES);
		if (there < FLUSH_MARK_BYTES) return null;
		const memory = window.memory;
		const last = window.end - FLUSH_MARK_BYTES;
		for (let offset = window.offsetOf(position); offset <= last; offset += 8, position += 8) {
			if (memory.words[offset >>> 2] !== FLUSH_MARK_BYTES - 4 || !isFlushMark(memory, offset))
				continue;
			const mark = readFlushMark(memory, offset);
			if (mark.sequence >= sequence && (mark.salt === salt || salt === -1)) {
				return `flush ${mark.sequence} is at byte ${position} of ${segmentName(number)}`;
			}
		}
	}
}
