import { assert } from '../assert.js';
import {
	batchHeaderChecksum,
	batchIndex,
	batchLastIndex,
	batchParent,
	batchTerm,
} from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import type { Slab } from '../format/slab.js';
import { Flusher, type OnPersisted } from './flusher.js';
import type { LogIndex } from './log-index.js';
import { LogReader, type ReadRun } from './log-reader.js';
import { type RecoveredFiles, recover } from './recovery.js';
import { SegmentStore } from './segment-store.js';
import type { LogOptions, LogPosition, Recovered } from './types.js';

export interface LogEvents {
	/** Everything up to `index` is durable, and so is the hard state (term, vote). */
	readonly onPersisted: OnPersisted;
	/** A write or sync failed. Nothing is durable any more that wasn't before; the log takes nothing more. */
	readonly onFailure: (error: Error) => void;
	/** A flush took longer than `slowFlushMs`. */
	readonly onSlowFlush?: (ms: number, bytes: number) => void;
}

/** The log at rest: a run of batches, durable in order, and the hard state that rides along with it. */
export class Log {
	readonly recovered: Recovered;
	readonly #store: SegmentStore;
	readonly #index: LogIndex;
	readonly #flusher: Flusher;
	readonly #reader: LogReader;
	/** Behind everything handed over, durable or not. Nobody else has this object: it changes in place. */
	readonly #end = { index: 0, term: 0, checksum: 0 };
	#base: LogPosition;
	#closing: Promise<void> | null = null;

	/** Recovers what is in the directory. Errors: `Corruption`, `WrongDirectory`, `DiskError`. */
	static async open(options: LogOptions, events: LogEvents): Promise<Log> {
		const store = new SegmentStore(options);
		const files = await recover(options, store);
		const log = new Log(options, store, files, events);
		await log.#flusher.start(files.live.at(-1));
		store.start(files, (error) => log.#flusher.fail(error));
		return log;
	}

	private constructor(
		options: LogOptions,
		store: SegmentStore,
		files: RecoveredFiles,
		events: LogEvents,
	) {
		this.#store = store;
		this.#index = files.index;
		this.recovered = files.recovered;
		this.#base = files.recovered.base;
		this.#endAt(files.recovered.end);
		this.#flusher = new Flusher(options, store, files, {
			onPersisted: events.onPersisted,
			onSlowFlush: events.onSlowFlush ?? (() => {}),
			onReset: (segment) => {
				store.dropBefore(segment);
				this.#reader.dropBelow(segment);
			},
			onFailure: (error) => {
				store.stop();
				events.onFailure(error);
			},
		});
		this.#reader = new LogReader(options, store, files.index);
	}

	/** Where the next batch goes: its index is `end.index + 1`, its parent `end.checksum`. */
	get end(): LogPosition {
		return { ...this.#end };
	}

	/** Everything up to here was dropped. */
	get base(): LogPosition {
		return this.#base;
	}

	get pendingBatches(): number {
		return this.#flusher.pendingBatches;
	}

	get pendingBytes(): number {
		return this.#flusher.pendingBytes;
	}

	/** Too little room on the file system to go on: refuse proposals. */
	get noSpace(): boolean {
		return this.#store.noSpace;
	}

	/** Is there a file to go on in? Not at once, when the log is new. */
	get hasSegments(): boolean {
		return this.#store.hasSegments;
	}

	/** Takes a stamped, validated batch that continues the log; its slab is held until it is durable. */
	append(slab: Slab, offset: number, length: number, epoch: number): void {
		// A log with a gap or a wrong parent could never be opened again.
		assert(batchIndex(slab, offset) === this.#end.index + 1, 'a batch follows the one before');
		assert(batchParent(slab, offset) === this.#end.checksum, 'a batch names the one before');
		assert(batchTerm(slab, offset) >= this.#end.term, 'terms never go back along the log');
		this.#flusher.append(slab, offset, length, epoch);
		this.#end.index = batchLastIndex(slab, offset);
		this.#end.term = batchTerm(slab, offset);
		this.#end.checksum = batchHeaderChecksum(slab, offset);
	}

	#endAt({ index, term, checksum }: LogPosition): void {
		this.#end.index = index;
		this.#end.term = term;
		this.#end.checksum = checksum;
	}

	/** Cuts everything behind `to`. An append follows in the same step. */
	truncate(to: LogPosition): void {
		assert(to.index >= this.#base.index, 'what was dropped is not cut');
		assert(to.index <= this.#end.index, 'the log is cut where it is');
		this.#store.truncate(to.index);
		this.#flusher.truncate(to);
		this.#endAt(to);
	}

	/**
	 * Begins the log anew behind a snapshot, which is durable: nothing is kept of what was before, flushes under way
	 * included. `onPersisted` tells when that is durable too; until then a restart finds the old log, which gives way to
	 * the snapshot. The hard state stays.
	 */
	reset(to: LogPosition): void {
		assert(to.index > this.#base.index, 'the log begins anew further on');
		this.#flusher.reset(to);
		this.#base = to;
		this.#endAt(to);
	}

	/** `onPersisted` tells when it is durable. */
	setHardState(term: number, vote: number): void {
		this.#flusher.setHardState(term, vote);
	}

	setCommitted(index: number): void {
		this.#flusher.setCommitted(index);
	}

	/** Reads durable batches back; see `LogReader.read`. */
	read(index: number, lastIndex: number, memory: Memory, bytesMax: number): Promise<ReadRun> {
		return this.#reader.read(index, lastIndex, memory, bytesMax);
	}

	/** Whether there is more than `retainBytes`, in whole segments. */
	hasBeyond(retainBytes: number): boolean {
		return this.#store.hasBeyond(retainBytes);
	}

	/**
	 * Drops whole segments from the front while more than `retainBytes` are kept and nothing above `index` is lost.
	 * @returns whether `base` has moved
	 */
	compact(index: number, retainBytes: number): boolean {
		if (this.#flusher.isResetting) return false;
		const base = this.#store.drop(index, retainBytes);
		if (base === null) return false;
		const first = this.#store.live[0]!.number;
		this.#base = base;
		this.#index.dropBelow(first, base.index);
		this.#reader.dropBelow(first);
		return true;
	}

	/** Bytes of the segments in use. */
	get liveBytes(): number {
		return this.#store.liveBytes;
	}

	/** Bytes of segments ready for use, or not needed any more. */
	get spareBytes(): number {
		return this.#store.spareBytes;
	}

	/** Bytes of batches that were written in this life. */
	get writtenBytes(): number {
		return this.#flusher.flushedBytes;
	}

	/** For metrics. */
	counters(): Record<string, number> {
		return {
			flushes: this.#flusher.flushes,
			seals: this.#flusher.seals,
			flushedBytes: this.#flusher.flushedBytes,
			segmentWaits: this.#flusher.segmentWaits,
			segmentsCreated: this.#store.created,
			segmentsRecycled: this.#store.recycled,
			segmentsLive: this.#store.live.length,
			logIndexPoints: this.#index.count,
		};
	}

	/** Makes durable what was handed over, then lets go of the files. If that can't be made durable, because
	 * the log has failed or there is no space for its next segment, it is let go of too. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		await this.#flusher.close();
		await this.#store.close();
		await this.#reader.close();
	}
}
