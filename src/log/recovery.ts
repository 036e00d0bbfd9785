/**
 * Opens what a crash, a clean stop or a failing disk left behind.
 *
 * One flush is in flight at a time, so a flush with a later one behind it was complete: if it isn't whole now,
 * data that may have been acknowledged is hurt. That is `Corruption`: nothing is cut and nothing is written.
 * A damaged flush with nothing behind it is the one that the crash interrupted; nobody was told that it was
 * durable, so its damaged part is cut off.
 */

import { assert } from '../assert.js';
import { Corruption, WrongDirectory } from '../errors.js';
import { batchCount, batchIndex, batchTerm, batchTime } from '../format/batch.js';
import { Memory } from '../format/memory.js';
import {
	FLUSH_MARK_BYTES,
	type FlushMarkNumbers,
	SEGMENT_HEADER_BYTES,
	type SegmentHeaderNumbers,
	writeFlushMark,
} from '../format/segment-frames.js';
import { LogIndex } from './log-index.js';
import { findLaterMark, LogScan, type LogVisitor, type ScanStop } from './scan.js';
import { type LiveSegment, type SegmentStore, writeSlices } from './segment-store.js';
import { SegmentWindow } from './segment-window.js';
import { setAside } from './set-aside.js';
import type { LogOptions, Recovered } from './types.js';

/** The state of a log's files after recovery: where the flusher goes on. */
export interface RecoveredFiles {
	readonly recovered: Recovered;
	readonly index: LogIndex;
	readonly live: readonly LiveSegment[];
	readonly ahead: readonly number[];
	/** Where the next flush goes in the last live segment. */
	readonly position: number;
	readonly nextSequence: number;
	readonly salt: number;
}

/** Gathers what the rest of the engine must know about the log that is scanned. */
class Gatherer implements LogVisitor {
	readonly index: LogIndex;
	readonly live: LiveSegment[] = [];
	readonly runs: { index: number; term: number }[] = [];
	readonly #options: LogOptions;
	readonly #store: SegmentStore;
	#lastIndex = 0;
	term = 0;
	vote = 0;
	committed = 0;
	time = 0;

	constructor(options: LogOptions, store: SegmentStore) {
		this.index = new LogIndex(options.limits.slabBytes / 2);
		this.#options = options;
		this.#store = store;
	}

	header(header: SegmentHeaderNumbers): void {
		const { clusterNumber, replica, group } = this.#options;
		if (header.cluster !== clusterNumber || header.replica !== replica || header.group !== group) {
			const path = this.#store.path(header.segment);
			throw new WrongDirectory(path, 'the segment belongs to another cluster, replica or group');
		}
	}

	segment(header: SegmentHeaderNumbers): void {
		const { baseIndex, baseTerm, baseChecksum } = header;
		const base = { index: baseIndex, term: baseTerm, checksum: baseChecksum };
		this.live.push({ number: header.segment, base });
		if (this.live.length > 1) return;
		this.#lastIndex = baseIndex;
		this.index.startBehind(baseIndex);
	}

	flush(mark: FlushMarkNumbers): void {
		this.term = mark.term;
		this.vote = mark.vote;
		this.committed = Math.max(this.committed, mark.committed);
		if (mark.index === this.#lastIndex) return;
		this.index.truncate(mark.index);
		for (const segment of this.live) {
			if (segment.base !== null && segment.base.index > mark.index) segment.base = null;
		}
		while (this.runs.length > 0 && this.runs.at(-1)!.index > mark.index) this.runs.pop();
		this.#lastIndex = mark.index;
	}

	batch(memory: Memory, offset: number, _length: number, segment: number, position: number): void {
		const first = batchIndex(memory, offset);
		const term = batchTerm(memory, offset);
		this.time = Math.max(this.time, batchTime(memory, offset));
		this.#lastIndex = first + batchCount(memory, offset) - 1;
		this.index.add(first, this.#lastIndex, segment, position);
		if (this.runs.at(-1)?.term !== term) this.runs.push({ index: first, term });
	}
}

/** How often damage is set aside before it is given up: once for what is damaged, and once more where a segment
 * whose beginning alone was left is of no use. */
const ATTEMPTS_MAX = 3;

/** Errors: `Corruption`, `WrongDirectory`, `DiskError`, `BadOption`. */
export async function recover(options: LogOptions, store: SegmentStore): Promise<RecoveredFiles> {
	const first = await store.list();
	if (options.mustExist && first.length === 0) {
		throw new Corruption(store.directory, 0, 'there was a log, and no segment of it is left');
	}
	for (let attempt = 1; ; attempt++) {
		const numbers = await store.list();
		const gatherer = new Gatherer(options, store);
		const scan = new LogScan(gatherer, options.limits.slabBytes / 2);
		try {
			return await recoverFrom(options, store, numbers, gatherer, scan);
		} catch (error) {
			const isHandled = error instanceof Corruption && options.setsDamageAside;
			if (!isHandled || attempt === ATTEMPTS_MAX) throw error;
			await setAside(options, store, numbers, scan.stop);
		}
	}
}

async function recoverFrom(
	options: LogOptions,
	store: SegmentStore,
	numbers: readonly number[],
	gatherer: Gatherer,
	scan: LogScan,
): Promise<RecoveredFiles> {
	const memory = new Memory(2 * options.limits.slabBytes);
	for (const number of contiguous(numbers)) {
		if (!(await withWindow(options, store, number, memory, (w) => scan.scanSegment(number, w))))
			break;
	}
	const stop = scan.stop;
	requireContiguous(numbers, store);
	await refuseCorruption(options, store, numbers, stop, memory);
	const live = gatherer.live.filter((segment) => segment.number <= stop.segment);
	const tornBytes = await cutTornFlush(options, store, stop);
	await makeDurable(options, store, live);
	await rewriteLastFlush(options, store, stop, memory);
	return {
		recovered: {
			base: stop.base,
			end: stop.end,
			term: gatherer.term,
			vote: gatherer.vote,
			committed: Math.min(gatherer.committed, stop.end.index),
			runs: gatherer.runs,
			time: gatherer.time,
			tornBytes,
		},
		index: gatherer.index,
		live,
		ahead: numbers.filter((number) => number > stop.segment),
		position: stop.position,
		nextSequence: stop.nextSequence,
		salt: stop.salt === -1 ? options.newSalt : stop.salt,
	};
}

/** Those before the first gap. */
function contiguous(numbers: readonly number[]): readonly number[] {
	return numbers.filter((number, i) => number === numbers[0]! + i);
}

function requireContiguous(numbers: readonly number[], store: SegmentStore): void {
	for (let i = 1; i < numbers.length; i++) {
		const expected = numbers[i - 1]! + 1;
		if (numbers[i] !== expected) {
			throw new Corruption(store.path(expected), 0, 'the segment is missing');
		}
	}
}

/** Throws if a flush exists that was written after the one that isn't whole. */
async function refuseCorruption(
	options: LogOptions,
	store: SegmentStore,
	numbers: readonly number[],
	stop: ScanStop,
	memory: Memory,
): Promise<void> {
	// Segments are dropped only once the next one's first flush is durable.
	if (stop.mark === null && numbers.length > 0 && numbers[0] !== 1) {
		throw new Corruption(store.path(numbers[0]!), 0, 'the first segment has no valid flush');
	}
	const where = store.path(stop.segment === 0 ? 1 : stop.segment);
	const at = stop.damage?.position ?? stop.position;
	if (stop.damage?.isImpossible) throw new Corruption(where, at, stop.damage.what);
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
		throw new Corruption(where, at, `${what}, but ${found}`);
	}
}

/** Makes a torn flush a whole one that ends before the damage. @returns the bytes cut off */
async function cutTornFlush(
	options: LogOptions,
	store: SegmentStore,
	stop: ScanStop,
): Promise<number> {
	if (stop.damage === null || stop.mark === null) return 0;
	const bytes = stop.position - stop.markPosition - FLUSH_MARK_BYTES;
	const memory = new Memory(FLUSH_MARK_BYTES);
	writeFlushMark(memory, 0, { ...stop.mark, bytes });
	const file = await options.disk.open(store.path(stop.segment), 'write', true);
	try {
		await writeSlices(file, [memory.bytes], stop.markPosition);
	} finally {
		await file.close();
	}
	return stop.mark.bytes - bytes;
}

/** What was read may be in the page cache alone: a process that was killed in the middle of a write leaves it
 * there, and so does one that ran with durability 'os'. From now on it counts as durable. */
async function makeDurable(
	options: LogOptions,
	store: SegmentStore,
	live: readonly LiveSegment[],
): Promise<void> {
	for (const { number } of live) {
		const file = await options.disk.open(store.path(number), 'write', false);
		try {
			await file.sync();
		} finally {
			await file.close();
		}
	}
}

/** Of a log whose flushes are durable one after the other only the last may not be. It is written again: after a sync
 * that failed, the kernel takes for clean what never reached the disk, so that the sync above proves nothing about it
 * to a process that comes later. */
async function rewriteLastFlush(
	options: LogOptions,
	store: SegmentStore,
	stop: ScanStop,
	memory: Memory,
): Promise<void> {
	if (stop.mark === null) return;
	const isFirst = stop.markPosition === SEGMENT_HEADER_BYTES;
	let position = isFirst ? 0 : stop.markPosition;
	await withWindow(options, store, stop.segment, memory, async (window) => {
		const file = await options.disk.open(store.path(stop.segment), 'write', true);
		try {
			while (position < stop.position) {
				const there = await window.load(position, FLUSH_MARK_BYTES);
				const bytes = Math.min(there, stop.position - position);
				assert(bytes > 0, 'what was scanned can be read');
				await writeSlices(file, [window.memory.slice(window.offsetOf(position), bytes)], position);
				position += bytes;
			}
		} finally {
			await file.close();
		}
	});
}

async function withWindow<T>(
	options: LogOptions,
	store: SegmentStore,
	number: number,
	memory: Memory,
	use: (window: SegmentWindow) => Promise<T>,
): Promise<T> {
	const file = await options.disk.open(store.path(number), 'read', false);
	try {
		return await use(new SegmentWindow(file, memory));
	} finally {
		await file.close();
	}
}
