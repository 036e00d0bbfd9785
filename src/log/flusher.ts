import { assert } from '../assert.js';
import { batchLastIndex } from '../format/batch.js';
import { Memory } from '../format/memory.js';
import {
	FLUSH_MARK_BYTES,
	SEGMENT_HEADER_BYTES,
	writeFlushMark,
	writeSegmentHeader,
} from '../format/segment-frames.js';
import type { Slab } from '../format/slab.js';
import type { DiskFile, Timer } from '../io.js';
import { Probe } from '../profile/recorder.js';
import type { LogIndex } from './log-index.js';
import { PendingBatches } from './pending-batches.js';
import type { RecoveredFiles } from './recovery.js';
import type { LiveSegment, SegmentStore } from './segment-store.js';
import type { LogOptions, LogPosition } from './types.js';

/**
 * So long after the last flush the log is sealed. Longer than the pauses of a load that goes on, and between 50 and
 * 100 ms, at which a producer's timer is likely to bring the next batch: it shall not find a seal being written.
 */
export const SEAL_AFTER_MS = 70;

/** Told when a flush is durable. */
export type OnPersisted = (index: number, epoch: number, term: number, vote: number) => void;

/** Who is told of what. */
export interface FlusherEvents {
	readonly onPersisted: OnPersisted;
	/** The log begins anew in this segment: those before it aren't needed any more. */
	readonly onReset: (segment: number) => void;
	readonly onFailure: (error: Error) => void;
	/** A flush took longer than `slowFlushMs`. */
	readonly onSlowFlush: (ms: number, bytes: number) => void;
}

/**
 * Writes batches and hard state: one flush in flight, and everything that comes meanwhile joins the next one.
 *
 *     append, setHardState, truncate  ->  pending  ->  one writev [header] mark batch batch ...  ->  onPersisted
 *
 * A mark behind a flush proves that it was complete. So that the last one has it too, an empty mark follows when
 * nothing else does: the *seal*, once for each time that the log falls idle, and before it is closed.
 *
 * Who owns what: the flusher holds each pending batch's slab until its flush is done.
 */
export class Flusher {
	readonly #options: LogOptions;
	readonly #store: SegmentStore;
	readonly #index: LogIndex;
	readonly #events: FlusherEvents;
	readonly #probe: Probe;
	readonly #slowFlushMs: number;
	readonly #pending = new PendingBatches();
	/** Segment header and flush mark; one flush in flight, so one is enough. */
	readonly #heads = new Memory(SEGMENT_HEADER_BYTES + FLUSH_MARK_BYTES);
	readonly #salt: number;
	readonly #headAndMark: Uint8Array;
	readonly #markAlone: Uint8Array;
	#slices: Uint8Array[] = [];

	#file: DiskFile | null = null;
	#segment = 0;
	/** What the file had when the segment was begun. */
	#fileBytes = 0;
	/** Where the next flush goes in the segment. */
	#position: number;
	#sequence: number;
	/** The log's end before the first pending batch. */
	#base: LogPosition;

	#term: number;
	#vote: number;
	#committed = 0;
	#savedTerm: number;
	#savedVote: number;

	/** waiting: for a segment to be made ready; opening: the next segment's file. */
	#state: 'idle' | 'writing' | 'waiting' | 'opening' | 'stopped' = 'idle';
	/** What is in flight. */
	#flushBatches = 0;
	#flushBytes = 0;
	/** When it was handed to the disk. */
	#flushingSince = 0;
	/** Set while the first flush of a segment is in flight. */
	#segmentBase: LogPosition | null = null;
	/** The lowest index the log was cut to since the flush in flight began. */
	#cutTo = Number.POSITIVE_INFINITY;
	/** The log begins anew at `#base`: in a new segment, whose first flush is not begun yet ('wanted'), or in flight. */
	#reset: 'none' | 'wanted' | 'writing' = 'none';
	#scheduled = false;
	/** The last flush, in flight or durable, is a seal, or there never was one. */
	#isSealed: boolean;
	#sealTimer: Timer | null = null;
	/** Set once it is being closed. */
	#onStopped: (() => void) | null = null;

	/** For metrics. */
	flushes = 0;
	flushedBytes = 0;
	/** Not counted among the flushes. */
	seals = 0;
	segmentWaits = 0;

	constructor(
		options: LogOptions,
		store: SegmentStore,
		files: RecoveredFiles,
		events: FlusherEvents,
	) {
		this.#options = options;
		this.#store = store;
		this.#index = files.index;
		this.#events = events;
		this.#probe = options.probe ?? new Probe();
		this.#slowFlushMs = options.slowFlushMs ?? Number.POSITIVE_INFINITY;
		this.#position = files.position;
		this.#sequence = files.nextSequence;
		this.#salt = files.salt;
		this.#base = files.recovered.end;
		this.#term = this.#savedTerm = files.recovered.term;
		this.#vote = this.#savedVote = files.recovered.vote;
		this.#isSealed = files.isSealed;
		if (files.live.length === 0 && files.stale.length > 0) this.#reset = 'wanted';
		this.#headAndMark = this.#heads.bytes;
		this.#markAlone = this.#heads.slice(SEGMENT_HEADER_BYTES, FLUSH_MARK_BYTES);
	}

	/** Opens the segment that recovery ended in. */
	async start(last: LiveSegment | undefined): Promise<void> {
		if (last === undefined) return;
		this.#file = await this.#store.openFile(last.number);
		this.#segment = last.number;
		this.#sealSoon();
	}

	/** Batches handed over and not yet durable. */
	get pendingBatches(): number {
		return this.#pending.count + this.#flushBatches;
	}

	get pendingBytes(): number {
		return this.#pending.bytes + this.#flushBytes;
	}

	/** Takes a batch. Its slab is held until it is durable. */
	append(slab: Slab, offset: number, length: number, epoch: number): void {
		const headBytes = SEGMENT_HEADER_BYTES + FLUSH_MARK_BYTES;
		assert(length <= this.#options.limits.segmentBytes - headBytes, 'a batch fits in a segment');
		if (this.#state === 'stopped') return;
		slab.retain();
		this.#pending.push(slab, offset, length, epoch);
		this.#probe.recorder?.queued(batchLastIndex(slab, offset));
		this.#schedule();
	}

	/** Cuts the log behind `to`. What is pending behind it is not written any more; for the rest the next
	 * flush's mark says so. Nothing on the disk is touched. */
	truncate(to: LogPosition): void {
		this.#pending.popAbove(to.index);
		if (to.index < this.#base.index) this.#base = to;
		this.#cutTo = Math.min(this.#cutTo, to.index);
		this.#index.truncate(to.index);
	}

	/** Begins the log anew behind `to`. What is pending is not written any more, and what is in flight not the log's. */
	reset(to: LogPosition): void {
		this.#pending.popAbove(0);
		this.#base = to;
		this.#committed = Math.max(this.#committed, to.index);
		this.#index.startBehind(to.index);
		this.#reset = 'wanted';
		this.#schedule();
	}

	/** The log has begun anew, and that is not durable yet. */
	get isResetting(): boolean {
		return this.#reset !== 'none';
	}

	setHardState(term: number, vote: number): void {
		this.#term = term;
		this.#vote = vote;
		this.#schedule();
	}

	/** Rides along with the next flush, as a hint. */
	setCommitted(index: number): void {
		this.#committed = index;
	}

	/** At the end of the turn, so that all that comes in this turn is one flush. */
	#schedule(): void {
		if (this.#scheduled || this.#state !== 'idle') return;
		this.#scheduled = true;
		this.#options.clock.endOfTurn(() => {
			this.#scheduled = false;
			if (this.#state === 'idle') this.#pump();
		});
	}

	#isHardStateDirty(): boolean {
		return this.#term !== this.#savedTerm || this.#vote !== this.#savedVote;
	}

	#pump(): void {
		if (this.#pending.count > 0 || this.#isHardStateDirty() || this.#reset === 'wanted') {
			return this.#next();
		}
		this.#state = 'idle';
		if (this.#onStopped === null) this.#sealSoon();
		else if (this.#needsSeal()) this.#next();
		else this.#stop();
	}

	/** Where writes reach the disk in any order, one behind another proves nothing. */
	#needsSeal(): boolean {
		return !this.#isSealed && this.#options.durability === 'sync';
	}

	/** One timer for many flushes: while they go on, it is neither cancelled nor set anew for each. */
	#sealSoon(): void {
		if (!this.#needsSeal() || this.#sealTimer !== null) return;
		const { flushes } = this;
		this.#sealTimer = this.#options.clock.after(SEAL_AFTER_MS, () => {
			this.#sealTimer = null;
			if (this.#state !== 'idle') return;
			if (this.flushes === flushes) this.#next();
			else this.#sealSoon();
		});
	}

	/** Writes what is pending; if nothing is, a seal. */
	#next(): void {
		const first = this.#pending.count === 0 ? 0 : this.#pending.firstLength;
		const isNewSegment =
			this.#file === null ||
			this.#reset === 'wanted' ||
			this.#position + FLUSH_MARK_BYTES + first > this.#options.limits.segmentBytes;
		if (isNewSegment) this.#roll();
		else this.#flush(false);
	}

	/** Goes on in the next segment, as soon as one is ready. */
	#roll(): void {
		const next = this.#store.take();
		if (next === null) return this.#wait();
		this.#state = 'opening';
		this.#store
			.openFile(next)
			.then(async (file) => {
				// It may have been made when `segmentBytes` was another; what the header says is held against it.
				const size = await file.size();
				if (this.#state !== 'opening') return file.close();
				this.#fileBytes = Math.min(size, this.#options.limits.segmentBytes);
				// All that was written to the old one is durable: how its closing ends says nothing about it.
				this.#file?.close().catch(() => {});
				this.#file = file;
				this.#segment = next;
				this.#position = 0;
				return this.#flush(true);
			})
			.catch((error: Error) => this.fail(error));
	}

	#wait(): void {
		if (this.#state !== 'waiting') this.segmentWaits += 1;
		this.#state = 'waiting';
		// Space may never come back, and a close must end.
		if (this.#onStopped !== null && this.#store.noSpace) return this.#stop();
		this.#store.whenPrepared(() => {
			if (this.#state === 'waiting') this.#roll();
		});
	}

	/** One write: everything pending that fits the segment and the limit. */
	#flush(isNewSegment: boolean): void {
		const { segmentBytes, flushBytesMax } = this.#options.limits;
		const headBytes = FLUSH_MARK_BYTES + (isNewSegment ? SEGMENT_HEADER_BYTES : 0);
		const first = this.#pending.count === 0 ? 0 : this.#pending.firstLength;
		const room = Math.min(
			segmentBytes - this.#position - headBytes,
			Math.max(flushBytesMax, first),
		);
		this.#slices = [isNewSegment ? this.#headAndMark : this.#markAlone];
		this.#flushBytes = this.#pending.take(room, this.#slices);
		this.#flushBatches = this.#pending.taken;
		this.#segmentBase = isNewSegment ? this.#base : null;
		if (this.#reset === 'wanted') this.#reset = 'writing';
		this.#cutTo = Number.POSITIVE_INFINITY;
		if (isNewSegment) this.#writeHeader();
		this.#writeMark();
		const position = this.#position;
		const isReset = this.#reset === 'writing';
		this.#isSealed = this.#flushBatches === 0 && !this.#isHardStateDirty() && !isReset;
		this.#state = 'writing';
		const term = this.#term;
		const vote = this.#vote;
		if (this.#flushBatches > 0) this.#probe.recorder?.flushing(this.#base.index);
		this.#flushingSince = this.#options.clock.now();
		this.#file!.writev(this.#slices, position, (error) => {
			if (error === null && this.#state === 'writing') {
				this.#flushed(position + headBytes, term, vote);
				return;
			}
			this.#letGo();
			if (error !== null) this.fail(error);
		});
	}

	#writeHeader(): void {
		writeSegmentHeader(this.#heads, 0, {
			group: this.#options.group,
			cluster: this.#options.clusterNumber,
			replica: this.#options.replica,
			baseChecksum: this.#base.checksum,
			baseIndex: this.#base.index,
			baseTerm: this.#base.term,
			segment: this.#segment,
			sequence: this.#sequence,
			bytes: this.#fileBytes,
			salt: this.#salt,
		});
	}

	#writeMark(): void {
		writeFlushMark(this.#heads, SEGMENT_HEADER_BYTES, {
			group: this.#options.group,
			sequence: this.#sequence,
			term: this.#term,
			vote: this.#vote,
			index: this.#base.index,
			indexTerm: this.#base.term,
			parent: this.#base.checksum,
			committed: Math.min(this.#committed, this.#base.index),
			bytes: this.#flushBytes,
			salt: this.#salt,
		});
		this.#sequence += 1;
		if (this.#flushBatches > 0) this.#base = this.#pending.takenEnd;
	}

	#flushed(batchesPosition: number, term: number, vote: number): void {
		this.#position = batchesPosition + this.#flushBytes;
		this.#savedTerm = term;
		this.#savedVote = vote;
		if (this.#segmentBase !== null) {
			const isCut = this.#segmentBase.index > this.#cutTo;
			this.#store.begun(this.#segment, isCut ? null : this.#segmentBase);
			this.#segmentBase = null;
		}
		if (this.#reset === 'writing') {
			this.#reset = 'none';
			this.#events.onReset(this.#segment);
		}
		const bytes = this.#flushBytes;
		const { lastIndex, epoch } = this.#settle(batchesPosition);
		this.#state = 'idle';
		if (lastIndex > 0) this.#probe.recorder?.persisted(lastIndex);
		if (this.#isSealed) this.seals += 1;
		else {
			this.#timed(bytes);
			this.#events.onPersisted(lastIndex, epoch, term, vote);
		}
		// What the completion brought joins the next flush, which begins at once.
		if (this.#state === 'idle') this.#pump();
	}

	#timed(bytes: number): void {
		const now = this.#options.clock.now();
		const ms = now - this.#flushingSince;
		this.#probe.vitals.flush.record(ms, now);
		if (ms > this.#slowFlushMs) this.#events.onSlowFlush(ms, bytes);
	}

	/** Enters the written batches in the index and lets go of their slabs. */
	#settle(batchesPosition: number): { lastIndex: number; epoch: number } {
		if (!this.#isSealed) this.flushes += 1;
		this.flushedBytes += this.#flushBytes;
		let position = batchesPosition;
		let lastIndex = 0;
		let epoch = 0;
		for (let i = 0; i < this.#flushBatches; i++) {
			const { firstIndex, lastIndex: last, epoch: its, length, slab } = this.#pending.shift();
			slab.release();
			// Of a log that has begun anew meanwhile it is nothing.
			if (this.#reset === 'wanted') continue;
			this.#index.add(firstIndex, last, this.#segment, position);
			position += length;
			lastIndex = last;
			epoch = its;
		}
		// Those that were cut off meanwhile lie between the others and whatever comes next.
		if (this.#cutTo < lastIndex) this.#index.truncate(this.#cutTo);
		this.#flushBatches = 0;
		this.#flushBytes = 0;
		return { lastIndex, epoch };
	}

	/** The flush that was in flight came to nothing. */
	#letGo(): void {
		for (; this.#flushBatches > 0; this.#flushBatches--) this.#pending.shift().slab.release();
		this.#flushBytes = 0;
	}

	/** The disk has failed, here or while a segment was prepared: nothing is written any more. */
	fail(error: Error): void {
		if (this.#state === 'stopped') return;
		this.#stop();
		this.#events.onFailure(error);
	}

	#stop(): void {
		this.#state = 'stopped';
		this.#sealTimer?.cancel();
		this.#pending.popAbove(0);
		this.#onStopped?.();
	}

	/** Waits until everything handed over is durable, or can't be made so; then takes no more. */
	async close(): Promise<void> {
		if (this.#state !== 'stopped') {
			await new Promise<void>((resolve) => {
				this.#onStopped = resolve;
				if (this.#state === 'idle') this.#pump();
				else if (this.#state === 'waiting' && this.#store.noSpace) this.#stop();
			});
		}
		await this.#file?.close().catch(() => {});
	}
}
