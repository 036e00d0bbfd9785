/**
 * Opens what a crash, a clean stop or a failing disk left behind.
 *
 * Damage to what may have been acknowledged is `Corruption` (`verdict.ts`): nothing is cut and nothing is written.
 * Otherwise a damaged flush is the one that the crash interrupted; nobody was told that it was durable, so its
 * damaged part is cut off.
 */

import { Corruption, WrongDirectory } from '../errors.js';
import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	batchCount,
	batchIndex,
	batchKind,
	batchPayloadLength,
	batchTerm,
	batchTime,
} from '../format/batch.js';
import { Memory } from '../format/memory.js';
import {
	FLUSH_MARK_BYTES,
	type FlushMarkNumbers,
	SEGMENT_HEADER_BYTES,
	type SegmentHeaderNumbers,
	writeFlushMark,
} from '../format/segment-frames.js';
import { Detached, findCoveredStarts, type Place, placeBehind } from './behind-snapshot.js';
import { LogIndex } from './log-index.js';
import { batchEnd, LogScan, type LogVisitor, type ScanStop } from './scan.js';
import { type LiveSegment, type SegmentStore, writeSlices } from './segment-store.js';
import { withWindow } from './segment-window.js';
import { setAside } from './set-aside.js';
import type { LogOptions, LogPosition, Recovered } from './types.js';
import { refuseCorruption } from './verdict.js';

/** The state of a log's files after recovery: where the flusher goes on. */
export interface RecoveredFiles {
	readonly recovered: Recovered;
	readonly index: LogIndex;
	readonly live: readonly LiveSegment[];
	/** Those before a segment in which the log begins anew: nothing of them is needed once its first flush is durable. */
	readonly stale: readonly number[];
	readonly ahead: readonly number[];
	/** Where the next flush goes in the last live segment. */
	readonly position: number;
	readonly nextSequence: number;
	readonly salt: number;
	/** A seal is the last flush, or there was none. */
	readonly isSealed: boolean;
}

/** Gathers what the rest of the engine must know about the log that is scanned. */
class Gatherer implements LogVisitor {
	readonly index: LogIndex;
	live: LiveSegment[] = [];
	stale: number[] = [];
	readonly runs: { index: number; term: number }[] = [];
	/** Borders of the log at the snapshot's index: its batch there, or its base. */
	atSnapshot: LogPosition | null = null;
	readonly #snapshotIndex: number;
	readonly configurations: { index: number; json: Uint8Array }[] = [];
	readonly #options: LogOptions;
	readonly #store: SegmentStore;
	#lastIndex = 0;
	term = 0;
	vote = 0;
	committed = 0;
	time = 0;

	constructor(options: LogOptions, store: SegmentStore) {
		this.index = new LogIndex(options.limits.slabBytes / 2);
		this.#snapshotIndex = options.snapshot?.index ?? 0;
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
		if (this.live.length === 1) this.#beginAt(base);
	}

	reset({ baseIndex, baseTerm, baseChecksum }: SegmentHeaderNumbers): void {
		for (const { number } of this.live.splice(0, this.live.length - 1)) this.stale.push(number);
		this.runs.length = 0;
		this.configurations.length = 0;
		this.#beginAt({ index: baseIndex, term: baseTerm, checksum: baseChecksum });
	}

	/** All that was found is cut off or covered by the snapshot. */
	beginBehind(snapshot: LogPosition): void {
		for (const { number } of this.live.splice(0)) this.stale.push(number);
		this.runs.length = 0;
		this.configurations.length = 0;
		this.#beginAt(snapshot);
	}

	#beginAt(base: LogPosition): void {
		this.#lastIndex = base.index;
		this.index.startBehind(base.index);
		this.atSnapshot = base.index === this.#snapshotIndex ? base : null;
	}

	flush(mark: FlushMarkNumbers): void {
		this.term = mark.term;
		this.vote = mark.vote;
		this.committed = Math.max(this.committed, mark.committed);
		if (mark.index === this.#lastIndex) return;
		this.index.truncate(mark.index);
		if (mark.index < this.#snapshotIndex) this.atSnapshot = null;
		for (const segment of this.live) {
			if (segment.base !== null && segment.base.index > mark.index) segment.base = null;
		}
		while (this.runs.length > 0 && this.runs.at(-1)!.index > mark.index) this.runs.pop();
		while ((this.configurations.at(-1)?.index ?? 0) > mark.index) this.configurations.pop();
		this.#lastIndex = mark.index;
	}

	batch(memory: Memory, offset: number, _length: number, segment: number, position: number): void {
		const first = batchIndex(memory, offset);
		const term = batchTerm(memory, offset);
		this.time = Math.max(this.time, batchTime(memory, offset));
		this.#lastIndex = first + batchCount(memory, offset) - 1;
		this.index.add(first, this.#lastIndex, segment, position);
		if (this.#lastIndex === this.#snapshotIndex) this.atSnapshot = batchEnd(memory, offset);
		if (this.runs.at(-1)?.term !== term) this.runs.push({ index: first, term });
		if (batchKind(memory, offset) === BatchKind.configuration) {
			const payload = memory.slice(
				offset + BATCH_PAYLOAD_OFFSET,
				batchPayloadLength(memory, offset),
			);
			this.configurations.push({ index: first, json: payload.slice() });
		}
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
		const found = await recoverCovered(options, store, numbers);
		if (found.files !== null) return found.files;
		const { error, stop } = found;
		const isHandled = error instanceof Corruption && options.setsDamageAside;
		if (!isHandled || attempt === ATTEMPTS_MAX) throw error;
		await setAside(options, store, numbers, stop);
	}
}

/** What an attempt came to; if to nothing, up to where there is a log. */
type Found =
	| { readonly files: RecoveredFiles }
	| { readonly files: null; readonly error: unknown; readonly stop: ScanStop };

/** Where the log is damaged in segments that the snapshot covers, it is read from the first one behind them. */
async function recoverCovered(
	options: LogOptions,
	store: SegmentStore,
	numbers: readonly number[],
): Promise<Found> {
	const whole = await attemptAt(options, store, numbers);
	if (whole.files !== null || !(whole.error instanceof Corruption)) return whole;
	for (const start of await findCoveredStarts(options, store, numbers, whole.stop)) {
		const rest = numbers.filter((number) => number >= start);
		const { files } = await attemptAt(options, store, rest);
		if (files === null) continue;
		await store.remove(numbers.filter((number) => number < start));
		return { files: { ...files, recovered: { ...files.recovered, covered: whole.error } } };
	}
	return whole;
}

async function attemptAt(
	options: LogOptions,
	store: SegmentStore,
	numbers: readonly number[],
): Promise<Found> {
	const gatherer = new Gatherer(options, store);
	const { limits, snapshot } = options;
	const scan = new LogScan(gatherer, limits.slabBytes / 2, snapshot?.index);
	try {
		return { files: await recoverFrom(options, store, numbers, gatherer, scan) };
	} catch (error) {
		// What doesn't reach back to the snapshot is of no use, whole or not.
		const isDetached = error instanceof Detached;
		const stop = isDetached ? { ...scan.stop, mark: null } : scan.stop;
		return { files: null, error: isDetached ? error.corruption : error, stop };
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
	await refuseCorruption({ options, store, numbers, stop, memory });
	gatherer.live = gatherer.live.filter((segment) => segment.number <= stop.segment);
	const place = placeBehind(options, store, stop, gatherer);
	if (place === 'behind the snapshot') gatherer.beginBehind(options.snapshot!);
	const tornBytes = await rewriteLastFlush(options, store, stop, memory);
	const { live, stale } = gatherer;
	await makeDurable(options, store, [...stale, ...live.map(({ number }) => number)]);
	return {
		recovered: { ...recoveredState(options, stop, gatherer, place), tornBytes, covered: null },
		index: gatherer.index,
		live,
		stale,
		ahead: numbers.filter((number) => number > stop.segment),
		position: stop.position,
		nextSequence: stop.nextSequence,
		salt: stop.salt === -1 ? options.newSalt : stop.salt,
		isSealed: stop.mark === null || (stop.isSeal && tornBytes === 0),
	};
}

function recoveredState(
	{ snapshot }: LogOptions,
	stop: ScanStop,
	gatherer: Gatherer,
	place: Place,
): Omit<Recovered, 'tornBytes' | 'covered'> {
	const isAnew = place === 'behind the snapshot';
	const end = isAnew ? snapshot! : stop.end;
	// A crash may have left the snapshot of a term that was entered, and not the mark that says so. Then nobody had this
	// replica's vote in it.
	const isTermLost = gatherer.term < (snapshot?.term ?? 0);
	return {
		base: isAnew ? snapshot! : stop.base,
		end,
		term: isTermLost ? snapshot!.term : gatherer.term,
		vote: isTermLost ? 0 : gatherer.vote,
		committed: Math.min(Math.max(gatherer.committed, snapshot?.index ?? 0), end.index),
		runs: gatherer.runs,
		configurations: gatherer.configurations,
		time: Math.max(gatherer.time, snapshot?.time ?? 0),
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

/**
 * Makes a torn flush a whole one that ends before the damage, and writes the last flush where it is once more: if a
 * write or a sync of it failed, the kernel may show it, take it for clean and write it never, whatever is synced by a
 * process that comes later. If this is torn too, nothing is lost: the bytes are the same. That goes for a seal too: what it
 * is behind was durable before, but were it gone under the next flush, it would look like damage.
 * @returns the bytes cut off
 */
async function rewriteLastFlush(
	options: LogOptions,
	store: SegmentStore,
	stop: ScanStop,
	memory: Memory,
): Promise<number> {
	if (stop.mark === null) return 0;
	const bytes = stop.position - stop.markPosition - FLUSH_MARK_BYTES;
	const isFirst = stop.markPosition === SEGMENT_HEADER_BYTES;
	const start = isFirst ? 0 : stop.markPosition;
	const file = await options.disk.open(store.path(stop.segment), 'write', true);
	try {
		for (let position = start; position < stop.position; position += memory.size) {
			await file.read(memory.bytes, position);
			const mark = stop.markPosition - position;
			if (mark >= 0) writeFlushMark(memory, mark, { ...stop.mark, bytes });
			const length = Math.min(memory.size, stop.position - position);
			await writeSlices(file, [memory.slice(0, length)], position);
		}
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
	numbers: readonly number[],
): Promise<void> {
	for (const number of numbers) {
		const file = await options.disk.open(store.path(number), 'write', false);
		try {
			await file.sync();
		} finally {
			await file.close();
		}
	}
}
