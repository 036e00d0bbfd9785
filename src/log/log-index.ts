import { assert } from '../assert.js';

/** A new point is made at least every this many bytes of log. */
const POINT_EVERY_BYTES_MAX = 16 * 1024;

/**
 * Where in the segments an index lies, sparsely: a *point* says that the batch that begins at `index` is at
 * (segment, position).
 *
 * Invariant: the points cut the index space into ranges, and the batches of one range lie behind its point in
 * one file, in order, with nothing between them but flush marks and batches that were truncated later. A reader
 * that has reached the next point's index goes on at that point.
 */
export class LogIndex {
	#indexes = new Float64Array(1024);
	#segments = new Float64Array(1024);
	#positions = new Float64Array(1024);
	#first = 0;
	#end = 0;
	/** The next batch begins a range whatever its distance: the one before it was cut off or is in another file. */
	#forced = true;
	readonly #pointEveryBytes: number;
	#base = 0;
	#last = 0;

	/** A read begins at a point, so `frameBytesMax` behind the range must still fit in a slab. */
	constructor(frameBytesMax: number) {
		this.#pointEveryBytes = Math.min(POINT_EVERY_BYTES_MAX, frameBytesMax);
	}

	/** Everything up to here was dropped. */
	get base(): number {
		return this.#base;
	}

	/** The last index that is durable. What lies behind it in the files is not the log. */
	get last(): number {
		return this.#last;
	}

	/** Begins an empty log behind `index`; forgets everything else. */
	startBehind(index: number): void {
		this.#base = this.#last = index;
		this.#first = this.#end = 0;
		this.#forced = true;
	}

	/** Number of points. */
	get count(): number {
		return this.#end - this.#first;
	}

	/** Tells of a durable batch; batches come in order of their index. */
	add(index: number, lastIndex: number, segment: number, position: number): void {
		this.#last = lastIndex;
		if (!this.#isPointNeeded(segment, position)) return;
		assert(
			this.count === 0 || index > this.#indexes[this.#end - 1]!,
			'points ascend in the order of their index',
		);
		if (this.#end === this.#indexes.length) this.#makeRoom();
		this.#indexes[this.#end] = index;
		this.#segments[this.#end] = segment;
		this.#positions[this.#end] = position;
		this.#end += 1;
		this.#forced = false;
	}

	#isPointNeeded(segment: number, position: number): boolean {
		if (this.#forced || this.count === 0) return true;
		const last = this.#end - 1;
		return (
			this.#segments[last] !== segment || position - this.#positions[last]! >= this.#pointEveryBytes
		);
	}

	/** The number of the point from which `index` is found; -1 if it lies before all of them. */
	find(index: number): number {
		let low = this.#first;
		let high = this.#end;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.#indexes[middle]! <= index) low = middle + 1;
			else high = middle;
		}
		return low - 1 - this.#first;
	}

	/** Reads point `n` (of `find`), 0 being the first. */
	indexOf(n: number): number {
		return n < this.count ? this.#indexes[this.#first + n]! : Number.POSITIVE_INFINITY;
	}

	segmentOf(n: number): number {
		return this.#segments[this.#first + n]!;
	}

	positionOf(n: number): number {
		return this.#positions[this.#first + n]!;
	}

	/** Everything behind `index` was cut off. */
	truncate(index: number): void {
		while (this.count > 0 && this.#indexes[this.#end - 1]! > index) this.#end -= 1;
		this.#forced = true;
		this.#last = Math.min(this.#last, index);
		this.#base = Math.min(this.#base, index);
	}

	/** The segments below `segment` were dropped, and with them the log up to `base`. */
	dropBelow(segment: number, base: number): void {
		this.#base = base;
		while (this.count > 0 && this.#segments[this.#first]! < segment) this.#first += 1;
	}

	#makeRoom(): void {
		const size = Math.max(1024, this.count * 2);
		this.#indexes = this.#moved(this.#indexes, size);
		this.#segments = this.#moved(this.#segments, size);
		this.#positions = this.#moved(this.#positions, size);
		this.#end -= this.#first;
		this.#first = 0;
	}

	#moved(array: Float64Array, size: number): Float64Array<ArrayBuffer> {
		const moved = new Float64Array(size);
		moved.set(array.subarray(this.#first, this.#end));
		return moved;
	}
}
