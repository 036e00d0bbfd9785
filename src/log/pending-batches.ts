import { assert } from '../assert.js';
import { batchHeaderChecksum, batchIndex, batchLastIndex, batchTerm } from '../format/batch.js';
import type { Slab } from '../format/slab.js';
import type { LogPosition } from './types.js';

/** One batch on its way to the disk. The objects are reused. */
class PendingBatch {
	slab!: Slab;
	offset = 0;
	length = 0;
	firstIndex = 0;
	lastIndex = 0;
	epoch = 0;
}

/** A queue of batches, the first `taken` of which are being written. */
export class PendingBatches {
	/** A ring; its size is a power of two. */
	#ring: PendingBatch[] = Array.from({ length: 64 }, () => new PendingBatch());
	#head = 0;
	#count = 0;
	#taken = 0;
	/** Of those not taken. */
	#bytes = 0;

	/** Batches that are not taken yet, and their bytes. */
	get count(): number {
		return this.#count - this.#taken;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get taken(): number {
		return this.#taken;
	}

	/** Length of the first batch that is not taken. */
	get firstLength(): number {
		return this.#at(this.#taken).length;
	}

	push(slab: Slab, offset: number, length: number, epoch: number): void {
		if (this.#count === this.#ring.length) this.#grow();
		const batch = this.#at(this.#count);
		batch.slab = slab;
		batch.offset = offset;
		batch.length = length;
		batch.firstIndex = batchIndex(slab, offset);
		batch.lastIndex = batchLastIndex(slab, offset);
		batch.epoch = epoch;
		this.#count += 1;
		this.#bytes += length;
	}

	/** Drops what isn't taken and lies behind `index`. */
	popAbove(index: number): void {
		while (this.count > 0) {
			const last = this.#at(this.#count - 1);
			if (last.lastIndex <= index) return;
			this.#count -= 1;
			this.#bytes -= last.length;
			last.slab.release();
		}
	}

	/** Takes as many as `room` bytes hold and appends them to `slices`, neighbours in a slab as one slice.
	 * @returns their bytes */
	take(room: number, slices: Uint8Array[]): number {
		assert(this.#taken === 0, 'one flush is in flight at a time');
		let total = 0;
		let run: PendingBatch | null = null;
		let runBytes = 0;
		while (this.count > 0) {
			const batch = this.#at(this.#taken);
			if (total + batch.length > room) break;
			if (run !== null && run.slab === batch.slab && run.offset + runBytes === batch.offset) {
				runBytes += batch.length;
			} else {
				if (run !== null) slices.push(run.slab.slice(run.offset, runBytes));
				run = batch;
				runBytes = batch.length;
			}
			total += batch.length;
			this.#taken += 1;
		}
		if (run !== null) slices.push(run.slab.slice(run.offset, runBytes));
		this.#bytes -= total;
		return total;
	}

	/** The log's end behind the batches that are taken. */
	get takenEnd(): LogPosition {
		const last = this.#at(this.#taken - 1);
		return {
			index: last.lastIndex,
			term: batchTerm(last.slab, last.offset),
			checksum: batchHeaderChecksum(last.slab, last.offset),
		};
	}

	/** Removes the first of those taken. What is returned is valid until the next `push`. */
	shift(): PendingBatch {
		assert(this.#taken > 0, 'only written batches leave at the front');
		const batch = this.#at(0);
		this.#head = (this.#head + 1) & (this.#ring.length - 1);
		this.#count -= 1;
		this.#taken -= 1;
		return batch;
	}

	#at(i: number): PendingBatch {
		return this.#ring[(this.#head + i) & (this.#ring.length - 1)]!;
	}

	#grow(): void {
		const size = this.#ring.length;
		const ordered = Array.from({ length: size }, (_, i) => this.#at(i));
		this.#ring = ordered.concat(Array.from({ length: size }, () => new PendingBatch()));
		this.#head = 0;
	}
}
