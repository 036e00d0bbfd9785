import { Compacted, Corruption, ReadFailed, Stopped } from '../errors.js';
import { batchCount, batchFault, batchIndex, isBatch } from '../format/batch.js';
import { FRAME_BYTES_MIN, frameLength, isPlausibleLength } from '../format/frame.js';
import type { Memory } from '../format/memory.js';
import { FLUSH_MARK_BYTES, isFlushMark } from '../format/segment-frames.js';
import type { DiskFile } from '../io.js';
import type { LogIndex } from './log-index.js';
import type { SegmentStore } from './segment-store.js';
import type { LogOptions } from './types.js';

const OPEN_FILES_MAX = 8;

/** Batches read back, where they lie in the memory that was given. */
export interface ReadRun {
	/** (offset, length) of each batch, in order; never empty. */
	readonly batches: readonly { readonly offset: number; readonly length: number }[];
	readonly firstIndex: number;
	readonly lastIndex: number;
	readonly bytes: number;
}

/** Reads the durable log back from the segments, for followers that lag, tails and a restarted applier. */
export class LogReader {
	readonly #options: LogOptions;
	readonly #store: SegmentStore;
	readonly #index: LogIndex;
	/** The most recently used last. */
	readonly #files = new Map<number, Promise<DiskFile>>();
	#closed = false;

	constructor(options: LogOptions, store: SegmentStore, index: LogIndex) {
		this.#options = options;
		this.#store = store;
		this.#index = index;
	}

	/**
	 * Reads the batch that holds `index`, and those behind it, up to `lastIndex` and as far as they lie together
	 * and fit in `memory` (at least two frames long) and `bytesMax`. The first batch is read whatever its length.
	 * Errors: `Compacted`; `ReadFailed` if `index` isn't durable (any more: it may be cut off while it is
	 * read); `Corruption` if what lies there isn't what was written; `DiskError`; `Stopped` after `close`.
	 */
	async read(index: number, lastIndex: number, memory: Memory, bytesMax: number): Promise<ReadRun> {
		for (;;) {
			const point = this.#find(index);
			const segment = this.#index.segmentOf(point);
			const position = this.#index.positionOf(point);
			const end = await this.#load(segment, position, memory, index);
			// While the file was read, the log may have been dropped up to here, or cut and written anew.
			const now = this.#find(index);
			if (this.#index.segmentOf(now) !== segment || this.#index.positionOf(now) !== position)
				continue;
			const last = Math.min(lastIndex, this.#index.last);
			const run = this.#collect(memory, end, now, index, last, bytesMax);
			if (run !== null) return run;
			const path = this.#store.path(segment);
			throw new Corruption(path, position, `the batch with index ${index} can't be read`);
		}
	}

	/** The point from which `index` is found. */
	#find(index: number): number {
		if (this.#closed) throw new Stopped('the log is closed');
		if (index <= this.#index.base) throw new Compacted(index, this.#index.base + 1);
		if (index > this.#index.last) throw new ReadFailed(`index ${index} is not in the durable log`);
		return this.#index.find(index);
	}

	async #load(segment: number, position: number, memory: Memory, index: number): Promise<number> {
		try {
			const file = await this.#file(segment);
			return await file.read(memory.bytes, position);
		} catch (error) {
			// A segment that was dropped before it could be opened is gone, but not by a failure.
			this.#find(index);
			throw error;
		}
	}

	#collect(
		memory: Memory,
		end: number,
		startPoint: number,
		index: number,
		lastIndex: number,
		bytesMax: number,
	): ReadRun | null {
		const segment = this.#index.segmentOf(startPoint);
		const position = this.#index.positionOf(startPoint);
		const batches: { offset: number; length: number }[] = [];
		let bytes = 0;
		let firstIndex = 0;
		let expected = this.#index.indexOf(startPoint);
		let nextPoint = startPoint + 1;
		let offset = 0;
		while (expected <= lastIndex && offset + FRAME_BYTES_MIN <= end) {
			if (isFlushMark(memory, offset)) {
				offset += FLUSH_MARK_BYTES;
				continue;
			}
			if (expected === this.#index.indexOf(nextPoint)) {
				const isHere =
					this.#index.segmentOf(nextPoint) === segment &&
					this.#index.positionOf(nextPoint) === position + offset;
				if (!isHere) break;
				nextPoint += 1;
			}
			const length = this.#batchAt(memory, offset, end, expected);
			if (length === 0) break;
			const next = expected + batchCount(memory, offset);
			if (next > index) {
				if (batches.length > 0 && bytes + length > bytesMax) break;
				if (batches.length === 0) firstIndex = expected;
				batches.push({ offset, length });
				bytes += length;
			}
			expected = next;
			offset += length;
		}
		if (batches.length === 0) return null;
		return { batches, firstIndex, lastIndex: expected - 1, bytes };
	}

	/** @returns the length of the whole and undamaged batch that begins at index `expected`, or 0 */
	#batchAt(memory: Memory, offset: number, end: number, expected: number): number {
		const length = frameLength(memory, offset);
		if (!isPlausibleLength(length, end - offset) || !isBatch(memory, offset)) return 0;
		if (batchFault(memory, offset, length) !== null) return 0;
		return batchIndex(memory, offset) === expected ? length : 0;
	}

	#file(segment: number): Promise<DiskFile> {
		const open = this.#files.get(segment);
		if (open !== undefined) this.#files.delete(segment);
		const file = open ?? this.#options.disk.open(this.#store.path(segment), 'read', false);
		this.#files.set(segment, file);
		file.catch(() => {
			if (this.#files.get(segment) === file) this.#files.delete(segment);
		});
		if (this.#files.size > OPEN_FILES_MAX) this.#forget(this.#files.keys().next().value!);
		return file;
	}

	/** A dropped segment will be written anew. */
	dropBelow(segment: number): void {
		for (const number of [...this.#files.keys()]) if (number < segment) this.#forget(number);
	}

	#forget(segment: number): void {
		const file = this.#files.get(segment);
		this.#files.delete(segment);
		file?.then((f) => f.close()).catch(() => {});
	}

	async close(): Promise<void> {
		this.#closed = true;
		const files = [...this.#files.values()];
		this.#files.clear();
		await Promise.allSettled(files.map(async (file) => (await file).close()));
	}
}
