import { assert } from '../assert.js';
import { FrameKind, FrameScanner } from '../format/frame-stream.js';
import { Memory } from '../format/memory.js';
import { largeMemories } from './large-memories.js';
import { type RingSize, rings } from './rings.js';
import { sharedPlace } from './shared-place.js';

/** Whose last read was shorter is read into the shared place next. */
const SHORT_READ_BYTES = 4 * 1024;
/** Keeps nothing from one frame to the next, so all receivers have the same one. */
const scanner = new FrameScanner();

export interface StagedFrames {
	/** A validated frame, valid until this returns. `false` = not now: it is handed over again after `retry`. */
	batch(memory: Memory, offset: number, length: number): boolean;
	message(memory: Memory, offset: number, length: number): boolean;
	readDone(): void;
	broken(reason: string): void;
}

/**
 * Receives a stream of frames, for the many connections that are idle most of the time: whole frames are handed over from the
 * place that all share. Who has sent a part of one, or much at once, has memory of his own until everything is handed over. It
 * grows with the bytes that have arrived, never with what a frame claims.
 */
export class StagingReceiver {
	readonly #frames: StagedFrames;
	readonly #frameBytesMax: number;
	/** Null: nothing waits here, and the next bytes come by the shared place. */
	#memory: Memory | null = null;
	/** Whose `#memory` is: that of a ring, one of the large memories, or its own. */
	#kind: RingSize | 'largest' | 'own' = 'small';
	#start = 0;
	#end = 0;
	/** The last read was a short one: so will be the next. */
	#isShort = true;
	/** Whether the next bytes have a place already, which must stay where it is: `space` comes long before
	 * `received` where the network reads straight into it. */
	#isReserved = false;
	#isClosed = false;
	#isHandingOver = false;

	constructor(frames: StagedFrames, frameBytesMax: number) {
		this.#frames = frames;
		this.#frameBytesMax = frameBytesMax;
	}

	space(): Uint8Array {
		this.#isReserved = true;
		if (this.#memory === null) {
			if (this.#isShort && !sharedPlace.isBusy) return sharedPlace.memory.bytes;
			this.#takeRing(this.#isShort ? 'small' : 'large');
		}
		if (this.#end === this.#memory!.size) this.#makeRoom(this.#memory!);
		return this.#memory!.bytes.subarray(this.#end);
	}

	received(bytes: number): void {
		this.#isReserved = false;
		if (this.#isClosed) return;
		this.#isShort = bytes < SHORT_READ_BYTES;
		if (this.#memory === null) return this.#handOverShared(bytes);
		this.#end += bytes;
		// There may be more where this came from.
		if (this.#end === this.#memory.size) this.#isShort = false;
		this.#handOver();
	}

	/** Hands over frames where they lie, in memory that is gone when this returns. @returns the length of those taken */
	lent(bytes: Uint8Array): number {
		const isBehindOthers = this.#start < this.#end || this.#isReserved || this.#isHandingOver;
		if (this.#isClosed || isBehindOthers || bytes.byteOffset % 8 !== 0) return 0;
		const memory = new Memory(bytes.length - (bytes.length % 8), bytes.buffer, bytes.byteOffset);
		const length = this.#handOverFrom(memory, 0, memory.size);
		this.#frames.readDone();
		return length;
	}

	/** Hands over what was refused before. */
	retry(): void {
		if (!this.#isClosed) this.#handOver();
	}

	close(): void {
		this.#isClosed = true;
		if (!this.#isHandingOver) this.#drop();
	}

	#handOverShared(bytes: number): void {
		const { memory } = sharedPlace;
		assert(!sharedPlace.isBusy && !this.#isHandingOver, 'nothing is received from within a frame');
		sharedPlace.isBusy = true;
		try {
			const at = this.#handOverFrom(memory, 0, bytes);
			if (at < bytes && !this.#isClosed) this.#takeAlong(memory.bytes.subarray(at, bytes));
		} finally {
			sharedPlace.isBusy = false;
		}
		if (!this.#isClosed) this.#frames.readDone();
	}

	#takeAlong(rest: Uint8Array): void {
		assert(this.#memory === null, 'nothing has come before it');
		const isLittle = this.#isShort && rest.length <= rings.bytesOf('small') / 2;
		this.#takeRing(isLittle ? 'small' : 'large').bytes.set(rest);
		this.#end = rest.length;
	}

	#handOver(): void {
		if (this.#isHandingOver || this.#memory === null) return;
		this.#start = this.#handOverFrom(this.#memory, this.#start, this.#end);
		if (this.#isClosed) return;
		if (this.#start === this.#end && !this.#isReserved) this.#letGo(true);
		this.#frames.readDone();
	}

	/** @returns where the frames that were taken end */
	#handOverFrom(memory: Memory, start: number, end: number): number {
		let at = start;
		this.#isHandingOver = true;
		while (!this.#isClosed) {
			const length = this.#handOverNext(memory, at, end);
			if (length === 0) break;
			at += length;
		}
		this.#isHandingOver = false;
		if (this.#isClosed) this.#drop();
		return at;
	}

	/** @returns the length of the frame that was taken; 0 if none was */
	#handOverNext(memory: Memory, at: number, end: number): number {
		const kind = scanner.scan(memory, at, end, this.#frameBytesMax);
		if (kind === FrameKind.incomplete) return 0;
		const { length } = scanner;
		if (kind === FrameKind.batch || kind === FrameKind.message) {
			const isTaken =
				kind === FrameKind.batch
					? this.#frames.batch(memory, at, length)
					: this.#frames.message(memory, at, length);
			return isTaken ? length : 0;
		}
		this.#isClosed = true;
		this.#frames.broken(scanner.fault ?? 'a frame that is never sent');
		return 0;
	}

	/** Of one who is closed. */
	#drop(): void {
		// A place that the network still has may be written to until the connection is gone.
		if (this.#memory !== null) this.#letGo(!this.#isReserved);
	}

	/** Of what it has read: everything is handed over, or nobody wants it. `isFree`: nobody writes to it any more. */
	#letGo(isFree: boolean): void {
		const memory = this.#memory!;
		this.#memory = null;
		this.#start = 0;
		this.#end = 0;
		if (this.#kind === 'largest') largeMemories.giveBack(memory, isFree);
		else if (this.#kind !== 'own' && isFree) rings.giveBack(memory, this.#kind);
	}

	#takeRing(size: RingSize): Memory {
		this.#memory = rings.take(size);
		this.#kind = size;
		return this.#memory;
	}

	#makeRoom(memory: Memory): void {
		const there = this.#end - this.#start;
		const isEnough = this.#kind !== 'small' && there <= memory.size / 2;
		if (isEnough) memory.bytes.copyWithin(0, this.#start, this.#end);
		else this.#grow(memory.bytes.subarray(this.#start, this.#end));
		this.#start = 0;
		this.#end = there;
	}

	#grow(content: Uint8Array): void {
		const { size } = this.#memory!;
		const kind = this.#kind;
		this.#letGo(true);
		if (kind === 'small') this.#takeRing('large');
		else {
			const largest = kind === 'large' ? largeMemories.take() : null;
			this.#memory = largest ?? new Memory(2 * size);
			this.#kind = largest === null ? 'own' : 'largest';
		}
		this.#memory!.bytes.set(content);
	}
}
