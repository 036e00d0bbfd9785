import { FrameKind, FrameScanner } from '../format/frame-stream.js';
import { Memory } from '../format/memory.js';
import { largeMemories } from './large-memories.js';

const STAGE_BYTES = 64 * 1024;
/** Of those who have said little yet: there may be thousands. */
const FIRST_STAGE_BYTES = 1024;

export interface StagedFrames {
	/** A validated frame, valid until this returns. `false` = not now: it is handed over again after `retry`. */
	batch(memory: Memory, offset: number, length: number): boolean;
	message(memory: Memory, offset: number, length: number): boolean;
	readDone(): void;
	broken(reason: string): void;
}

/**
 * Receives a stream of frames into memory of its own: for the many connections that are idle most of the time. It
 * grows with the bytes that have arrived (never with what a frame claims) and shrinks when they are handed over.
 */
export class StagingReceiver {
	readonly #frames: StagedFrames;
	readonly #frameBytesMax: number;
	readonly #scanner = new FrameScanner();
	#memory: Memory | null = null;
	/** While `#memory` is one of the large memories: what it took the place of. */
	#stage: Memory | null = null;
	/** What the next memory begins with. */
	#stageBytes = FIRST_STAGE_BYTES;
	#start = 0;
	#end = 0;
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
		this.#memory ??= new Memory(this.#stageBytes);
		if (this.#end === this.#memory.size) this.#makeRoom(this.#memory);
		this.#isReserved = true;
		return this.#memory.bytes.subarray(this.#end);
	}

	received(bytes: number): void {
		this.#isReserved = false;
		if (this.#isClosed) return;
		this.#end += bytes;
		const { size } = this.#memory!;
		// Step by step: who fills little once would keep much for good.
		if (this.#end === size) this.#stageBytes = Math.min(STAGE_BYTES, 4 * size);
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

	/** Hands over what was refused before. */
	retry(): void {
		if (!this.#isClosed) this.#handOver();
	}

	close(): void {
		this.#isClosed = true;
		if (!this.#isHandingOver) this.#drop();
	}

	#drop(): void {
		this.#leaveLarge();
		this.#memory = null;
	}

	/** Lets go of a large memory, if this has one, and of what it contains. */
	#leaveLarge(): void {
		if (this.#stage === null) return;
		// A place that the network still has may be written to until the connection is gone.
		largeMemories.giveBack(this.#memory!, !this.#isReserved);
		this.#memory = this.#stage;
		this.#stage = null;
	}

	#handOver(): void {
		if (this.#isHandingOver || this.#memory === null) return;
		this.#start = this.#handOverFrom(this.#memory, this.#start, this.#end);
		if (this.#isClosed) return;
		if (this.#start === this.#end && !this.#isReserved) this.#forget();
		this.#frames.readDone();
	}

	/** @returns the length of the frame that was taken; 0 if none was */
	#handOverNext(memory: Memory, at: number, end: number): number {
		const kind = this.#scanner.scan(memory, at, end, this.#frameBytesMax);
		if (kind === FrameKind.incomplete) return 0;
		const length = this.#scanner.length;
		if (kind === FrameKind.batch || kind === FrameKind.message) {
			const isTaken =
				kind === FrameKind.batch
					? this.#frames.batch(memory, at, length)
					: this.#frames.message(memory, at, length);
			return isTaken ? length : 0;
		}
		this.#isClosed = true;
		this.#frames.broken(this.#scanner.fault ?? 'a frame that is never sent');
		return 0;
	}

	/** Everything is handed over: begin at the front again, with as much as usual. */
	#forget(): void {
		this.#start = 0;
		this.#end = 0;
		this.#leaveLarge();
		const { size } = this.#memory!;
		if (size > STAGE_BYTES || size < this.#stageBytes) this.#memory = null;
	}

	#makeRoom(memory: Memory): void {
		const there = this.#end - this.#start;
		if (there <= memory.size / 2) memory.bytes.copyWithin(0, this.#start, this.#end);
		else this.#grow(memory);
		this.#start = 0;
		this.#end = there;
	}

	#grow(memory: Memory): void {
		const large = memory.size === STAGE_BYTES ? largeMemories.take() : null;
		const next = large ?? new Memory(memory.size * 2);
		next.bytes.set(memory.bytes.subarray(this.#start, this.#end));
		this.#leaveLarge();
		if (large !== null) this.#stage = memory;
		this.#memory = next;
	}
}
