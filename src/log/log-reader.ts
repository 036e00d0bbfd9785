import { Compacted, Corruption } from '../errors.js';
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

	constructor(options: LogOptions, store: SegmentStore, index: LogIndex) {
		this.#options = options;
		this.#store = store;
		this.#index = index;
	}

	/**
	 * Reads the batch that holds `index`, and those behind it, up to `lastIndex` and as far as they lie together
	 * and fit in `memory` (at least two frames long) and `bytesMax`. The first batch is read whatever its length.
	 * Errors: `Compacted`; `Corruption` if what lies there isn't what was written.
	 */
	async read(index: number, lastIndex: number, memory: Memory, bytesMax: number): Promise<ReadRun> {
		for (;;) {
			const point = this.#index.find(index);
			if (point < 0) throw this.#compacted(index);
			const segment = this.#index.segmentOf(point);
			const position = this.#index.positionOf(point);
			const file = await this.#file(segment);
			const end = await file.read(memory.bytes, position);
			// While the file was read, the log may have been dropped up to here, or cut and written anew.
			const now = this.#index.find(index);
			if (now < 0) throw this.#compacted(index);
			if (this.#index.segmentOf(now) !== segment || this.#index.positionOf(now) !== position)
				continue;
			const run = this.#collect(memory, end, now, index, lastIndex, bytesMax);
			if (run !== null) return run;
			throw new Corruption(file.path, position, `the batch with index ${index} can't be read`);
		}
	}

	#compacted(index: number): Compacted {
		return new Compacted(index, (this.#store.live[0]?.base.index ?? 0) + 1);
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
		if (open === undefined) file.catch(() => this.#files.delete(segment));
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
		const files = [...this.#files.values()];
		this.#files.clear();
		await Promise.allSettled(files.map(async (file) => (await file).close()));
	}
}
