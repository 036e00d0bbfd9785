import { assert } from '../assert.js';
import { batchIndex, batchLastIndex } from '../format/batch.js';
import type { Slab } from '../format/slab.js';

/** Where a batch lies in memory. The objects belong to the window and are reused. */
export class WindowBatch {
	slab!: Slab;
	offset = 0;
	length = 0;
	firstIndex = 0;
	lastIndex = 0;
}

/**
 * The end of the log that is in memory: a run of whole batches without gaps, newest last.
 *
 * It holds one reference on each batch's slab. A batch stays at least until it is durable, and until it is applied unless
 * memory has run out; after that it is kept as long as there is room, so that followers that lag a little are served
 * from memory.
 */
export class LogWindow {
	/** A ring; its size is a power of two. */
	#ring: WindowBatch[] = Array.from({ length: 64 }, () => new WindowBatch());
	#head = 0;
	#count = 0;
	#bytes = 0;

	get count(): number {
		return this.#count;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** First index held; infinite when there is none. */
	get firstIndex(): number {
		return this.#count === 0 ? Number.POSITIVE_INFINITY : this.at(0).firstIndex;
	}

	/** Batch number `i` from the oldest. Valid until the window changes. */
	at(i: number): WindowBatch {
		return this.#ring[(this.#head + i) & (this.#ring.length - 1)]!;
	}

	push(slab: Slab, offset: number, length: number): void {
		if (this.#count === this.#ring.length) this.#grow();
		const firstIndex = batchIndex(slab, offset);
		assert(
			this.#count === 0 || this.at(this.#count - 1).lastIndex + 1 === firstIndex,
			'the window has no gaps',
		);
		slab.retain();
		const batch = this.at(this.#count);
		batch.slab = slab;
		batch.offset = offset;
		batch.length = length;
		batch.firstIndex = firstIndex;
		batch.lastIndex = batchLastIndex(slab, offset);
		this.#count += 1;
		this.#bytes += length;
	}

	/** The number of the batch that holds `index`; -1 if it isn't here. */
	find(index: number): number {
		if (this.#count === 0 || index < this.at(0).firstIndex) return -1;
		let low = 0;
		let high = this.#count - 1;
		while (low < high) {
			const middle = (low + high + 1) >>> 1;
			if (this.at(middle).firstIndex <= index) low = middle;
			else high = middle - 1;
		}
		return index <= this.at(low).lastIndex ? low : -1;
	}

	/** Lets go of everything behind `index`. */
	truncate(index: number): void {
		while (this.#count > 0) {
			const last = this.at(this.#count - 1);
			if (last.lastIndex <= index) return;
			this.#count -= 1;
			this.#bytes -= last.length;
			last.slab.release();
		}
	}

	/** Lets go of the oldest batches up to `index` while more than `bytesMax` bytes are held. */
	trim(index: number, bytesMax: number): void {
		while (this.#count > 0 && this.#bytes > bytesMax) {
			const first = this.at(0);
			if (first.lastIndex > index) return;
			this.#head = (this.#head + 1) & (this.#ring.length - 1);
			this.#count -= 1;
			this.#bytes -= first.length;
			first.slab.release();
		}
	}

	#grow(): void {
		const size = this.#ring.length;
		const ordered = Array.from({ length: size }, (_, i) => this.at(i));
		this.#ring = ordered.concat(Array.from({ length: size }, () => new WindowBatch()));
		this.#head = 0;
	}
}
