/**
 * What stands where a log ends: nothing, a flush that a crash interrupted, or damage to what was acknowledged?
 *
 * One flush is in flight at a time. So what is damaged and has a later mark behind it was whole once. For the last
 * flush, which has none yet (a seal gives it one soon), a torn write is told from rot by what it can look like: of
 * each sector a beginning is new, and the rest is what was there before.
 */

import { Corruption } from '../errors.js';
import { BATCH_BYTES_MIN, batchFault, isBatch } from '../format/batch.js';
import { frameLength, isPlausibleLength } from '../format/frame.js';
import type { Memory } from '../format/memory.js';
import {
	FLUSH_MARK_BYTES,
	isFlushMark,
	isSegmentHeader,
	readFlushMark,
	readSegmentHeader,
	SEGMENT_HEADER_BYTES,
} from '../format/segment-frames.js';
import { findBatchBit, findBit } from './one-bit.js';
import { batchEnd, findLaterMark, isNextBatch, isSeal, type ScanStop } from './scan.js';
import type { SegmentStore } from './segment-store.js';
import { type SegmentWindow, withWindow } from './segment-window.js';
import type { LogOptions, LogPosition } from './types.js';

const SECTOR_BYTES = 512;
/** So many bytes of an earlier life of a file are not by chance those that a flush has at their place. */
const TELLING_BYTES = 16;
/** Behind the log: are there zeros, the file was never used up to there. */
const BEHIND_BYTES = 4096;

/** What is looked at, and with what. */
export interface Evidence {
	readonly options: LogOptions;
	readonly store: SegmentStore;
	readonly numbers: readonly number[];
	readonly stop: ScanStop;
	readonly memory: Memory;
}

/** The one place that decides that a log is damaged where its scan has stopped.
 * Errors: `Corruption` if anything that was acknowledged may be lost. */
export async function refuseCorruption(evidence: Evidence): Promise<void> {
	const { store, numbers, stop } = evidence;
	// Segments are dropped only once the next one's first flush is durable.
	if (stop.mark === null && numbers.length > 0 && numbers[0] !== 1) {
		throw new Corruption(store.path(numbers[0]!), 0, 'the first segment has no valid flush');
	}
	const { damage } = stop;
	if (damage?.isImpossible) throw new Corruption(whereOf(evidence), damage.position, damage.what);
	await refuseShortFile(evidence);
	await refuseLaterMark(evidence);
	if (damage === null) {
		await refuseMarkBit(evidence);
		await refuseHeaderBit(evidence);
	} else await refuseBatchBit(evidence);
}

function whereOf({ store, stop }: Evidence): string {
	return store.path(stop.segment === 0 ? 1 : stop.segment);
}

/** A segment gets its name only once it has its length, on the disk. */
async function refuseShortFile({ options, store, numbers, stop, memory }: Evidence): Promise<void> {
	const refuse = (number: number, size: number, expected: string) => {
		const what = `the file ends here, it was ${expected} long: it has been cut`;
		throw new Corruption(store.path(number), size, what);
	};
	if (stop.segment !== 0) {
		await withWindow(options, store, stop.segment, memory, async (window) => {
			const size = await window.size();
			if (size < stop.fileBytes) refuse(stop.segment, size, `${stop.fileBytes} bytes`);
		});
	}
	// The last flush may have been the first of the next segment, which now has no mark and so no place in the log.
	const next = nextNumber(numbers, stop);
	if (next === null) return;
	await withWindow(options, store, next, memory, async (window) => {
		const size = await window.size();
		const least = SEGMENT_HEADER_BYTES + FLUSH_MARK_BYTES;
		if (size < SEGMENT_HEADER_BYTES) refuse(next, size, `${least} bytes or more`);
		await window.load(0, SEGMENT_HEADER_BYTES);
		const header = window.offsetOf(0);
		if (!isHeaderOfNext(window.memory, header, next, stop)) return;
		const { bytes } = readSegmentHeader(window.memory, header);
		if (size < bytes) refuse(next, size, `${bytes} bytes`);
	});
}

/** The segment in which the log would go on, if there is one. */
function nextNumber(numbers: readonly number[], stop: ScanStop): number | null {
	return numbers.find((number) => number > stop.segment) ?? null;
}

function isHeaderOfNext(memory: Memory, at: number, number: number, stop: ScanStop): boolean {
	if (!isSegmentHeader(memory, at)) return false;
	const { segment, sequence, salt } = readSegmentHeader(memory, at);
	const isSameLog = salt === stop.salt || stop.salt === -1;
	return segment === number && sequence === stop.nextSequence && isSameLog;
}

/** A flush exists that was written after the one that isn't whole. */
async function refuseLaterMark(evidence: Evidence): Promise<void> {
	const { options, store, numbers, stop, memory } = evidence;
	for (const number of numbers.filter((candidate) => candidate >= stop.segment)) {
		const from = number === stop.segment ? stop.position : 0;
		// The interrupted flush, if it is the first of a segment, may have left its own mark without the
		// segment's header.
		const isInterrupted = stop.damage === null && number === stop.segment + 1;
		const sequence = stop.nextSequence + (isInterrupted ? 1 : 0);
		const found = await withWindow(options, store, number, memory, (window) =>
			findLaterMark(window, number, from, sequence, stop.salt),
		);
		if (found === null) continue;
		if (stop.damage === null && number > stop.segment) {
			// Not where the later mark lies, which may be whole: where the log should have gone on.
			const next = store.path(stop.segment + 1);
			throw new Corruption(next, 0, `its beginning is damaged, but ${found}`);
		}
		const what = stop.damage?.what ?? `flush ${stop.nextSequence} is damaged`;
		const at = stop.damage?.position ?? stop.position;
		throw new Corruption(whereOf(evidence), at, `${what}, but ${found}`);
	}
}

/** The mark behind the log's end is whole but for one bit. */
async function refuseMarkBit(evidence: Evidence): Promise<void> {
	const { options, store, stop, memory } = evidence;
	if (stop.segment === 0) return;
	const { position } = stop;
	await withWindow(options, store, stop.segment, memory, async (window) => {
		if ((await window.load(position, FLUSH_MARK_BYTES)) < FLUSH_MARK_BYTES) return;
		const at = window.offsetOf(position);
		const frameEnd = position + FLUSH_MARK_BYTES;
		let frame: Frame | null = null;
		const bit = findBit(memory, at, FLUSH_MARK_BYTES, () => {
			frame = lostMark(memory, at, stop, frameEnd);
			return frame !== null;
		});
		if (bit >= 0) await refuseBit(evidence, window, stop.segment, position + (bit >>> 3), frame!);
	});
}

/** What has one wrong bit: where it ends, and the flush that it is of; the log's end behind it. */
interface Frame {
	readonly frameEnd: number;
	readonly flushEnd: number;
	readonly end: LogPosition;
}

/** The mark that lies there, if it is the next flush's, and says something. */
function lostMark(memory: Memory, at: number, stop: ScanStop, frameEnd: number): Frame | null {
	if (!isFlushMark(memory, at)) return null;
	const mark = readFlushMark(memory, at);
	if (mark.sequence !== stop.nextSequence) return null;
	if (mark.salt !== stop.salt && stop.salt !== -1) return null;
	if (stop.mark !== null && isSeal(mark, stop.mark, stop.end.index)) return null;
	const end = { index: mark.index, term: mark.indexTerm, checksum: mark.parent };
	return { frameEnd, flushEnd: frameEnd + mark.bytes, end };
}

/** The next segment's header, or its first mark, is whole but for one bit. */
async function refuseHeaderBit(evidence: Evidence): Promise<void> {
	const { options, store, numbers, stop, memory } = evidence;
	const number = nextNumber(numbers, stop);
	if (number === null) return;
	const bytes = SEGMENT_HEADER_BYTES + FLUSH_MARK_BYTES;
	await withWindow(options, store, number, memory, async (window) => {
		if ((await window.load(0, bytes)) < bytes) return;
		const at = window.offsetOf(0);
		const mark = at + SEGMENT_HEADER_BYTES;
		let frame: Frame | null = null;
		const bit = findBit(memory, at, bytes, () => {
			const isHeader = isHeaderOfNext(memory, at, number, stop);
			frame = isHeader ? lostMark(memory, mark, stop, bytes) : null;
			return frame !== null;
		});
		if (bit >= 0) await refuseBit(evidence, window, number, bit >>> 3, frame!);
	});
}

/** The batch at which the scan has stopped is whole but for one bit. */
async function refuseBatchBit(evidence: Evidence): Promise<void> {
	const { options, store, stop, memory } = evidence;
	const { position } = stop;
	const flushEnd = stop.markPosition + FLUSH_MARK_BYTES + stop.mark!.bytes;
	const frameBytesMax = options.limits.slabBytes / 2;
	await withWindow(options, store, stop.segment, memory, async (window) => {
		const room = Math.min(flushEnd - position, frameBytesMax);
		const there = Math.min(room, await window.load(position, room));
		const at = window.offsetOf(position);
		let frame: Frame | null = null;
		const bit = findBatchBit(memory, at, there, () => {
			const frameEnd = position + frameLength(memory, at);
			frame = { frameEnd, flushEnd, end: batchEnd(memory, at) };
			return isNextBatch(memory, at, stop.end);
		});
		if (bit >= 0) await refuseBit(evidence, window, stop.segment, position + (bit >>> 3), frame!);
	});
}

/** Throws, unless a torn write can have left the bit at `position` as it is. */
async function refuseBit(
	{ store }: Evidence,
	window: SegmentWindow,
	number: number,
	position: number,
	frame: Frame,
): Promise<void> {
	const { flushEnd } = frame;
	const sectorEnd = position - (position % SECTOR_BYTES) + SECTOR_BYTES;
	// A file of zeros, in which the rest of a sector was not written.
	if (isZero(await window.copy(position, Math.min(sectorEnd, flushEnd)))) return;
	if (!isZero(await window.copy(flushEnd, flushEnd + BEHIND_BYTES))) {
		// An earlier life of the file has the same bytes up to the sector's end: only if they are few.
		const end = Math.min(sectorEnd, await soundEnd(window, frame));
		const same = await window.copy(position + 1, end);
		if (same.length < TELLING_BYTES || isZero(same)) return;
	}
	const what = 'one bit is wrong: that is no write that was interrupted';
	throw new Corruption(store.path(number), position, what);
}

/** Up to where the bytes behind a wrong bit are those of the flush: the frame's end, or that of the batch behind it. */
async function soundEnd(window: SegmentWindow, frame: Frame): Promise<number> {
	const { frameEnd, flushEnd, end } = frame;
	const room = Math.min(flushEnd - frameEnd, window.memory.size / 2);
	const there = Math.min(room, await window.load(frameEnd, room));
	if (there < BATCH_BYTES_MIN) return frameEnd;
	const at = window.offsetOf(frameEnd);
	const length = frameLength(window.memory, at);
	if (!isPlausibleLength(length, there) || !isBatch(window.memory, at)) return frameEnd;
	const isSound =
		batchFault(window.memory, at, length) === null && isNextBatch(window.memory, at, end);
	return isSound ? frameEnd + length : frameEnd;
}

function isZero(bytes: Uint8Array): boolean {
	return bytes.every((byte) => byte === 0);
}
