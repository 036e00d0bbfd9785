import { MUX_HEAD_BYTES, type MuxKind, writeMuxHead } from './mux-frames.js';

/** Slices up to here are copied: a slice of its own costs the socket more than that. */
const COPIED_BYTES_MAX = 512;
const PIECE_BYTES = 16 * 1024;
/** Kept for the next writes. */
const PIECES_KEPT_MAX = 8;

/** Memory for small slices, used again. */
export class MuxPieces {
	readonly #free: Uint8Array[] = [];

	take(): Uint8Array {
		return this.#free.pop() ?? new Uint8Array(PIECE_BYTES);
	}

	giveBack(pieces: readonly Uint8Array[]): void {
		for (const piece of pieces) if (this.#free.length < PIECES_KEPT_MAX) this.#free.push(piece);
	}
}

/** One write to be: heads and small slices side by side in memory of its own, large ones where they lie. */
export class MuxWrite {
	readonly #pieces: MuxPieces;
	readonly #slices: Uint8Array[] = [];
	/** Its own memory, the last one being filled: `[#start, #end)` of it isn't a slice yet. */
	readonly #used: Uint8Array[] = [];
	#piece: Uint8Array | null = null;
	#start = 0;
	#end = 0;
	bytes = 0;

	constructor(pieces: MuxPieces) {
		this.#pieces = pieces;
	}

	head(kind: MuxKind, stream: number, value: number): void {
		const piece = this.#room(MUX_HEAD_BYTES);
		writeMuxHead(piece, this.#end, kind, stream, value);
		this.#end += MUX_HEAD_BYTES;
		this.bytes += MUX_HEAD_BYTES;
	}

	/** These bytes must not change before the write is done. */
	add(slice: Uint8Array): void {
		const { byteLength } = slice;
		if (byteLength > COPIED_BYTES_MAX) {
			this.#cut();
			this.#slices.push(slice);
		} else {
			this.#room(byteLength).set(slice, this.#end);
			this.#end += byteLength;
		}
		this.bytes += byteLength;
	}

	/** All that was added. */
	slices(): readonly Uint8Array[] {
		this.#cut();
		return this.#slices;
	}

	/** It is written, or never will be. */
	done(): void {
		this.#pieces.giveBack(this.#used);
	}

	#room(bytes: number): Uint8Array {
		if (this.#piece !== null && this.#end + bytes <= PIECE_BYTES) return this.#piece;
		this.#cut();
		const piece = this.#pieces.take();
		this.#piece = piece;
		this.#used.push(piece);
		this.#start = this.#end = 0;
		return piece;
	}

	/** What follows doesn't lie behind what was copied. */
	#cut(): void {
		if (this.#end > this.#start) this.#slices.push(this.#piece!.subarray(this.#start, this.#end));
		this.#start = this.#end;
	}
}
