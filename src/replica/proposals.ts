import { Busy, NotLeader, SessionExpired, TooLarge, UnknownOutcome } from '../errors.js';
import {
	BatchKind,
	type BatchLabel,
	batchCount,
	batchLength,
	batchSequence,
	batchSession,
} from '../format/batch.js';
import type { BatchView } from '../format/batch-view.js';
import { BatchWriter, loneBatch, type PackedEntries } from '../format/batch-writer.js';
import { alignUp8, type Memory } from '../format/memory.js';
import type { Slab, SlabPool } from '../format/slab.js';
import type { Limits } from '../limits.js';
import { Probe } from '../profile/recorder.js';
import type { Proposed } from './types.js';
import { RunWaiter } from './waiters.js';

/** Somebody who waits for `count` entries of a batch to be applied. */
export interface Waiter {
	readonly count: number;
	/** `position`: where in the batch its first entry is. */
	applied(
		index: number,
		term: number,
		results: readonly unknown[] | undefined,
		position: number,
	): void;
	failed(error: Error): void;
	/** It was applied before: `results`, as they were encoded; null = there were none, 'lost' = nobody knows. Default: `applied`. */
	repeated?(index: number, results: Uint8Array | null | 'lost'): void;
}

/** A finished frame on its way into the log, and who waits for it. */
export interface ProposedFrame {
	/** Held once by this object until it is in the log. */
	readonly slab: Slab;
	readonly offset: number;
	readonly length: number;
	readonly count: number;
	readonly session: number;
	readonly sequence: number;
	readonly waiters: Waiter[];
	/** Where the leader put it; 0 before. */
	firstIndex: number;
	term: number;
	/** When its first entry came and when it was finished, while that is recorded; else 0. */
	readonly acceptedAt: number;
	readonly batchedAt: number;
}

/**
 * Gathers what is proposed into batches and remembers who waits for which.
 *
 *     add ...  ->  open batch  ->  (finish)  ->  ready frames  ->  (the loop stamps and appends)  ->  in the log  ->  applied
 *
 * Every byte between `add` and `applied` counts against `uncommittedBytesMax`.
 */
export class Proposals {
	readonly #pool: SlabPool;
	readonly #limits: Limits;
	readonly #label: BatchLabel;
	readonly #writer: BatchWriter;
	readonly #probe: Probe;
	/** When the open batch was begun, while that is recorded; else 0. */
	#acceptedAt = 0;
	#waiters: Waiter[] = [];
	/** The last of them, while whoever proposes one entry may join it. */
	#run: RunWaiter | null = null;
	/** Where frames are made; held once. */
	#slab: Slab | null = null;
	/** First free byte of it. */
	#free = 0;
	readonly #ready: ProposedFrame[] = [];
	/** Ascending by index. */
	#inLog: ProposedFrame[] = [];
	#inLogHead = 0;
	#bytes = 0;
	/** Made once: who proposes more than there is room for is told so very often. */
	readonly #isFull: Busy;
	readonly #hasNoMemory: Busy;

	constructor(pool: SlabPool, limits: Limits, group: number, probe = new Probe()) {
		this.#pool = pool;
		this.#limits = limits;
		this.#probe = probe;
		this.#label = { group, session: 0, sequence: 0, kind: BatchKind.entries };
		this.#writer = new BatchWriter(limits.batchEntriesMax);
		this.#isFull = new Busy('what is proposed and not yet applied', limits.uncommittedBytesMax);
		this.#hasNoMemory = new Busy('memory for frames', pool.slabBytes * pool.slabsMax);
	}

	/** Bytes that count against the limit. */
	get bytes(): number {
		return this.#bytes + this.#openBytes();
	}

	#openBytes(): number {
		const { count, payloadBytes } = this.#writer;
		return count === 0 ? 0 : batchLength(payloadBytes, count);
	}

	/** Takes one entry. Errors: `TooLarge`, `Busy`. */
	add(entry: Uint8Array, waiter: Waiter): void {
		this.#write(entry);
		this.#push(waiter);
	}

	/** The same; those who come one behind the other share a waiter. */
	join(entry: Uint8Array): Promise<Proposed> {
		this.#write(entry);
		if (this.#run === null) {
			const run = new RunWaiter();
			this.#push(run);
			this.#run = run;
		}
		return this.#run.join();
	}

	#write(entry: Uint8Array): void {
		if (!this.#writer.fits(entry.length, 1)) this.#begin(entry.length, 1);
		else if (this.#isOverLimit(entry.length)) throw this.#isFull;
		this.#writer.add(entry);
	}

	#push(waiter: Waiter): void {
		this.#waiters.push(waiter);
		this.#run = null;
	}

	/** Takes entries that become neighbours in one batch. Errors: `TooLarge`, `Busy`. */
	addPacked(packed: PackedEntries, waiter: Waiter): void {
		const { payload, ends } = packed;
		if (!this.#writer.fits(payload.length, ends.length)) this.#begin(payload.length, ends.length);
		else if (this.#isOverLimit(payload.length)) throw this.#isFull;
		this.#writer.addPacked(packed);
		this.#push(waiter);
	}

	/** Takes entries, `bytes` altogether, that become neighbours in one batch. Errors: `TooLarge`, `Busy`. */
	addBatch(entries: readonly Uint8Array[], bytes: number, waiter: Waiter): void {
		if (!this.#writer.fits(bytes, entries.length)) this.#begin(bytes, entries.length);
		else if (this.#isOverLimit(bytes)) throw this.#isFull;
		for (const entry of entries) this.#writer.add(entry);
		this.#push(waiter);
	}

	/** Takes a finished frame, validated, of a remote producer: copied once, as a whole. Errors: `Busy`. */
	addFrame(memory: Memory, offset: number, length: number, waiter: Waiter): void {
		if (this.#isOverLimit(length)) throw this.#isFull;
		this.#finish();
		this.#makeFree(length);
		const slab = this.#slab!;
		slab.bytes.set(memory.bytes.subarray(offset, offset + length), this.#free);
		this.#acceptedAt = this.#now();
		this.#pushReady(length, [waiter]);
	}

	/** Takes the one entry of a batch of this kind, which is a batch of its own. Errors: `Busy`. */
	addAlone(entry: Uint8Array, kind: BatchKind, waiter: Waiter): void {
		this.#begin(entry.length, 1);
		this.#writer.add(entry);
		this.#pushReady(this.#writer.finish({ ...this.#label, kind }), [waiter]);
	}

	/** Adds a waiter for a session's batch that is on its way. @returns false if there is no such batch */
	joinSession(session: number, sequence: number, waiter: Waiter): boolean {
		const isIt = (frame: ProposedFrame) => frame.session === session && frame.sequence === sequence;
		const frame = this.#ready.find(isIt) ?? this.#inLog.find(isIt);
		frame?.waiters.push(waiter);
		return frame !== undefined;
	}

	/** Makes a no-op frame for a new leader: the first of its term. Held once by the caller. */
	noOp(): { readonly slab: Slab; readonly length: number } {
		return this.#alone(new Uint8Array(0), BatchKind.noOp);
	}

	/** Makes a frame of a configuration (JSON). Held once by the caller. */
	configuration(json: Uint8Array): { readonly slab: Slab; readonly length: number } {
		return this.#alone(json, BatchKind.configuration);
	}

	/** In memory of its own: such frames are rare, the log's end holds on to them for as long as it has room, and neither a
	 * leadership nor a change of the members may fail because every slab is in use. */
	#alone(entry: Uint8Array, kind: BatchKind): { readonly slab: Slab; readonly length: number } {
		return loneBatch(entry, { ...this.#label, kind });
	}

	/** The next frame for the log, or null. `force`: finishes the open batch for it. */
	next(force: boolean): ProposedFrame | null {
		if (this.#ready.length === 0 && force) this.#finish();
		return this.#ready.shift() ?? null;
	}

	/** The loop has appended it. */
	appended(frame: ProposedFrame, firstIndex: number, term: number): void {
		frame.firstIndex = firstIndex;
		frame.term = term;
		this.#inLog.push(frame);
		frame.slab.release();
	}

	/** A batch was applied, or passed over: tells who waited for it, if it was proposed here. */
	applied(batch: BatchView, results: readonly unknown[] | undefined, isRefused = false): void {
		const frame = this.#inLog[this.#inLogHead];
		if (frame === undefined || frame.firstIndex > batch.index) return;
		const isIt = frame.firstIndex === batch.index && frame.term === batch.term;
		// After a transfer another leader may have put something else there, and behind it.
		if (!isIt) return this.failSent('another leader’s entry is in its place');
		this.#inLogHead += 1;
		if (this.#inLogHead > 1024 || this.#inLogHead === this.#inLog.length) {
			this.#inLog = this.#inLog.slice(this.#inLogHead);
			this.#inLogHead = 0;
		}
		this.#bytes -= frame.length;
		if (isRefused) {
			const error = new SessionExpired(`session ${frame.session} ended before this was applied`);
			for (const waiter of frame.waiters) waiter.failed(error);
			return;
		}
		let position = 0;
		for (const waiter of frame.waiters) {
			waiter.applied(frame.firstIndex + position, frame.term, results, position);
			// All who wait for a session's frame wait for the whole of it.
			if (frame.session === 0) position += waiter.count;
		}
	}

	/** Everything that was proposed has its answer. */
	get isSettled(): boolean {
		return this.bytes === 0;
	}

	/** Leadership is lost: what is in the log may or may not come through, the rest was never proposed. */
	fail(notProposed: Error, why: string): void {
		this.failUnsent(notProposed);
		this.failSent(why);
	}

	/** Leadership begins: what an earlier one has left goes on if it is still in the log. */
	beginTerm(isKept: (index: number, term: number) => boolean): void {
		this.failUnsent(new NotLeader(0));
		this.failSent('another leader’s entry is in its place', isKept);
	}

	/** What isn't in the log will not be. */
	failUnsent(error: Error): void {
		const open = this.#waiters;
		if (this.#writer.count > 0) this.#writer.abandon();
		this.#waiters = [];
		this.#run = null;
		const ready = this.#ready.splice(0);
		for (const frame of ready) {
			this.#bytes -= frame.length;
			frame.slab.release();
		}
		for (const waiter of open) waiter.failed(error);
		for (const frame of ready) for (const waiter of frame.waiters) waiter.failed(error);
	}

	/** What is in the log may or may not come through, unless `isKept` says that it is still there. */
	failSent(why: string, isKept: (index: number, term: number) => boolean = () => false): void {
		const all = this.#inLog.slice(this.#inLogHead);
		const first = all.findIndex(({ firstIndex, term }) => !isKept(firstIndex, term));
		const inLog = first === -1 ? [] : all.splice(first);
		this.#inLog = all;
		this.#inLogHead = 0;
		for (const frame of inLog) this.#bytes -= frame.length;
		const unknown = new UnknownOutcome(why);
		for (const frame of inLog) for (const waiter of frame.waiters) waiter.failed(unknown);
	}

	#now(): number {
		return this.#probe.recorder?.now() ?? 0;
	}

	#isOverLimit(bytes: number): boolean {
		return this.bytes + bytes > this.#limits.uncommittedBytesMax;
	}

	/** Begins a batch in which this much has room. */
	#begin(bytes: number, count: number): void {
		if (bytes > this.#limits.entryBytesMax) {
			throw new TooLarge('a proposal', bytes, this.#limits.entryBytesMax);
		}
		if (count > this.#limits.batchEntriesMax) {
			throw new TooLarge(`a batch of ${count} entries`, bytes, this.#limits.batchEntriesMax);
		}
		const length = batchLength(bytes, count);
		// Nobody takes a longer frame: a follower would refuse it for ever, and with it all that follows.
		const frameBytesMax = this.#pool.slabBytes / 2;
		if (length > frameBytesMax) throw new TooLarge('the frame of a batch', length, frameBytesMax);
		if (this.#isOverLimit(length)) throw this.#isFull;
		this.#finish();
		this.#makeFree(length);
		this.#acceptedAt = this.#now();
		const room = this.#slab!.size - this.#free;
		this.#writer.begin(
			this.#slab!,
			this.#free,
			Math.min(room, Math.max(length, this.#limits.batchBytes)),
		);
	}

	/** Makes a frame of the open batch, if there is one. */
	#finish(): void {
		if (this.#writer.count === 0) return;
		const waiters = this.#waiters;
		this.#waiters = [];
		this.#run = null;
		this.#pushReady(this.#writer.finish(this.#label), waiters);
	}

	#pushReady(length: number, waiters: Waiter[]): void {
		const slab = this.#slab!;
		const offset = this.#free;
		slab.retain();
		this.#ready.push({
			slab,
			offset,
			length,
			count: batchCount(slab, offset),
			session: batchSession(slab, offset),
			sequence: batchSequence(slab, offset),
			waiters,
			firstIndex: 0,
			term: 0,
			acceptedAt: this.#acceptedAt,
			batchedAt: this.#now(),
		});
		this.#free = alignUp8(offset + length);
		this.#bytes += length;
	}

	/** Makes sure that `length` bytes are free in the slab where frames are made. Errors: `Busy`. */
	#makeFree(length: number): void {
		if (this.#slab !== null && this.#slab.size - this.#free >= length) return;
		const next = this.#pool.acquire();
		if (next === null) {
			throw this.#hasNoMemory;
		}
		const last = this.#slab;
		this.#slab = next;
		this.#free = 0;
		last?.release();
	}

	close(): void {
		this.#slab?.release();
		this.#slab = null;
	}
}
