/** What the tests of the transport have in common: streams of frames, and networks that can be driven by hand. */
import { BATCH_PAYLOAD_OFFSET, BatchKind, finishBatch } from '../../src/format/batch.js';
import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	messageLength,
	writeMessage,
} from '../../src/format/message.js';
import type { Connection, ConnectionHandler } from '../../src/io.js';

/** A batch of one entry of so many bytes, all of them `sequence`. */
export function batchFrame(sequence: number, payloadBytes: number): Uint8Array {
	const memory = new Memory(BATCH_PAYLOAD_OFFSET + payloadBytes + 24 - (payloadBytes % 8));
	memory.bytes.fill(sequence & 0xff, BATCH_PAYLOAD_OFFSET, BATCH_PAYLOAD_OFFSET + payloadBytes);
	const label = { group: 1, session: 0, sequence, kind: BatchKind.entries };
	const length = finishBatch(memory, 0, payloadBytes, Uint32Array.of(payloadBytes), 1, label);
	return memory.bytes.slice(0, length);
}

export function messageFrame(context: number, bodyBytes = 0): Uint8Array {
	const memory = new Memory(messageLength(bodyBytes));
	const message = { ...emptyMessage(MessageFrameKind.readReply), context };
	writeMessage(memory, 0, message, 0, new Uint8Array(bodyBytes).fill(context & 0xff));
	return memory.bytes;
}

export function joined(frames: readonly Uint8Array[]): Uint8Array {
	const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
	let at = 0;
	for (const frame of frames) {
		bytes.set(frame, at);
		at += frame.length;
	}
	return bytes;
}

/** Small whole numbers that look random, the same in each run. */
export function numbers(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

/**
 * Delivers a stream as the native dialled connection does: the next place is asked for as soon as the last one
 * was filled, also when reading is paused, and is filled at some later time.
 */
export class Feed {
	readonly #receiver: Pick<ConnectionHandler, 'space' | 'received'>;
	#space: Uint8Array | null = null;
	isPaused = false;

	constructor(receiver: Pick<ConnectionHandler, 'space' | 'received'>) {
		this.#receiver = receiver;
	}

	/** @returns how many of the bytes were delivered before reading was paused */
	deliver(bytes: Uint8Array, piece = Number.POSITIVE_INFINITY): number {
		let at = 0;
		this.#space ??= this.#receiver.space();
		while (at < bytes.length && !this.isPaused) {
			if (this.#space.length === 0) throw new Error('a place has at least one byte');
			const count = Math.min(piece, this.#space.length, bytes.length - at);
			this.#space.set(bytes.subarray(at, at + count));
			at += count;
			this.#receiver.received(count);
			this.#space = this.#receiver.space();
		}
		return at;
	}
}

/** A connection that keeps what is written to it until it is told that the writes are done. */
export class HeldConnection implements Connection {
	readonly remote = 'test:1';
	readonly writes: { slices: readonly Uint8Array[]; done(): void }[] = [];
	isClosed = false;
	paused = false;

	writev(slices: readonly Uint8Array[], done: () => void): void {
		this.writes.push({ slices, done });
	}

	pause(): void {
		this.paused = true;
	}

	resume(): void {
		this.paused = false;
	}

	close(): void {
		this.isClosed = true;
	}
}

/** Compares as bytes: `toEqual` looks at each one as a property, which takes minutes for a megabyte. */
export function areSame(one: Uint8Array, other: Uint8Array): boolean {
	return Buffer.compare(one, other) === 0;
}
