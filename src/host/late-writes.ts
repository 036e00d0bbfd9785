import { assert } from '../assert.js';
import { type Slab, SlabPool } from '../format/slab.js';
import type { Clock, Timer } from '../io.js';
import type { LateFile } from './late-file.js';

/** What waits to be written, how long and how much of it. */
export interface LateLimits {
	readonly lateMs: number;
	/** A write from this size on gains little by being gathered: it is done as it comes. No more than a slab. */
	readonly copiedBytesMax: number;
	/** So much for one file is written at once, and about so much in one write. */
	readonly runBytes: number;
	/** All memory for it. When half of the slabs are in use, everything is written. */
	readonly slabBytes: number;
	readonly slabsMax: number;
}

/** 16 MiB, for all groups of a host. */
export const LATE_LIMITS: LateLimits = {
	lateMs: 200,
	copiedBytesMax: 64 * 1024,
	runBytes: 256 * 1024,
	slabBytes: 1024 * 1024,
	slabsMax: 16,
};

/** The threads are few, and the journal needs one. */
const WRITERS_MAX = 2;

/** Bytes that were copied, and where they are held. */
export interface Piece {
	readonly bytes: Uint8Array;
	readonly slab: Slab;
}

/**
 * Writes to many files, gathered: what is durable elsewhere needn't be handed to the kernel piece by piece. Small writes are
 * copied, and come to their file together: after a while, when there are enough of them, or when somebody asks.
 */
export class LateWrites {
	readonly limits: LateLimits;
	readonly #clock: Clock;
	readonly #onFailure: (error: Error) => void;
	readonly #pool: SlabPool;
	#failure: Error | null = null;
	/** Is being filled, and held by this as well. */
	#slab: Slab | null = null;
	#used = 0;
	/** Files that have something to be written. */
	readonly #waiting = new Set<LateFile>();
	/** Those of them whose turn has come. */
	readonly #due = new Set<LateFile>();
	#writers = 0;
	#timer: Timer | null = null;

	/** For metrics. */
	readonly counters = { writes: 0 };

	/** `onFailure`: a file can't be written. */
	constructor(clock: Clock, limits: LateLimits, onFailure: (error: Error) => void) {
		assert(limits.copiedBytesMax <= limits.slabBytes, 'what is copied fits in a slab');
		this.limits = limits;
		this.#clock = clock;
		this.#pool = new SlabPool(limits.slabBytes, limits.slabsMax);
		this.#onFailure = onFailure;
	}

	get failure(): Error | null {
		return this.#failure;
	}

	/** Nothing more is begun; whoever waits hears why. */
	stop(why: Error): void {
		if (this.#failure !== null) return;
		this.#failure = why;
		this.#timer?.cancel();
		this.#due.clear();
		for (const file of [...this.#waiting]) file.drop(why);
		this.#waiting.clear();
	}

	/** @returns null if there is no memory for them */
	copy(slices: readonly Uint8Array[], bytes: number): Piece | null {
		// Nobody else has anything in it any more.
		if (this.#slab?.references === 1) this.#used = 0;
		if (this.#slab === null || this.#used + bytes > this.limits.slabBytes) {
			const next = this.#pool.acquire();
			if (next === null) return null;
			this.#slab?.release();
			this.#slab = next;
			this.#used = 0;
		}
		const start = this.#used;
		for (const slice of slices) {
			this.#slab.bytes.set(slice, this.#used);
			this.#used += slice.byteLength;
		}
		this.#slab.retain();
		return { bytes: this.#slab.bytes.subarray(start, this.#used), slab: this.#slab };
	}

	/** The file has something to be written: now, or when its time comes. */
	add(file: LateFile, isDue: boolean): void {
		if (this.#failure !== null) return;
		this.#waiting.add(file);
		if (isDue) this.#due.add(file);
		if (this.#pool.available < this.#pool.slabsMax / 2) this.#pressAll();
		if (this.#due.size > 0) this.#pump();
		this.#timer ??= this.#clock.after(this.limits.lateMs, () => {
			this.#timer = null;
			this.#pressAll();
			this.#pump();
		});
	}

	#pressAll(): void {
		for (const file of this.#waiting) this.#due.add(file);
	}

	#pump(): void {
		for (const file of this.#due) {
			if (this.#writers === WRITERS_MAX) return;
			this.#due.delete(file);
			this.#waiting.delete(file);
			// It is added again when that has ended.
			if (file.isWriting) continue;
			this.#writers += 1;
			this.counters.writes += 1;
			file.writeNext((error) => this.#written(file, error));
		}
	}

	#written(file: LateFile, error: Error | null): void {
		this.#writers -= 1;
		if (error !== null && this.#failure === null) {
			this.stop(error);
			this.#onFailure(error);
		}
		if (this.#failure !== null) return file.drop(this.#failure);
		this.#due.delete(file);
		this.#waiting.delete(file);
		if (file.hasMore) this.add(file, file.isPressed);
		this.#pump();
	}
}
