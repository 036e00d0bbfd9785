import { FrameKind, FrameScanner } from '../format/frame-stream.js';
import { Memory } from '../format/memory.js';

const STAGE_BYTES = 64 * 1024;

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
		this.#memory ??= new Memory(STAGE_BYTES);
		if (this.#end === this.#memory.size) this.#makeRoom(this.#memory);
		this.#isReserved = true;
		return this.#memory.bytes.subarray(this.#end);
	}

	received(bytes: number): void {
		this.#isReserved = false;
		if (this.#isClosed) return;
		this.#end += bytes;
		this.#handOver();
	}

	/** Hands over what was refused before. */
	retry(): void {
		if (!this.#isClosed) this.#handOver();
	}

	close(): void {
		this.#isClosed = true;
		if (!this.#isHandingOver) this.#memory = null;
	}

	#handOver(): void {
		if (this.#isHandingOver || this.#memory === null) return;
		this.#isHandingOver = true;
		while (!this.#isClosed && this.#handOverNext(this.#memory));
		this.#isHandingOver = false;
		if (this.#isClosed) {
			this.#memory = null;
			return;
		}
		if (this.#start === this.#end && !this.#isReserved) this.#forget();
		this.#frames.readDone();
	}

	/** @returns whether a frame was handed over */
	#handOverNext(memory: Memory): boolean {
		const kind = this.#scanner.scan(memory, this.#start, this.#end, this.#frameBytesMax);
		if (kind === FrameKind.incomplete) return false;
		const length = this.#scanner.length;
		if (kind === FrameKind.batch || kind === FrameKind.message) {
			const isTaken =
				kind === FrameKind.batch
					? this.#frames.batch(memory, this.#start, length)
					: this.#frames.message(memory, this.#start, length);
			if (isTaken) this.#start += length;
			return isTaken;
		}
		this.#isClosed = true;
		this.#frames.broken(this.#scanner.fault ?? 'a frame that is never sent');
		return false;
	}

	/** Everything is handed over: begin at the front again, with little. */
	#forget(): void {
		this.#start = 0;
		this.#end = 0;
		if (this.#memory!.size > STAGE_BYTES) this.#memory = null;
	}

	#makeRoom(memory: Memory): void {
		const there = this.#end - this.#start;
		const next = there <= memory.size / 2 ? memory : new Memory(memory.size * 2);
		if (next === memory) memory.bytes.copyWithin(0, this.#start, this.#end);
		else next.bytes.set(memory.bytes.subarray(this.#start, this.#end));
		this.#memory = next;
		this.#start = 0;
		this.#end = there;
	}
}
