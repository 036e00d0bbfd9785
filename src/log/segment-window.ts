import type { Memory } from '../format/memory.js';
import type { DiskFile } from '../io.js';

/** A segment file read in pieces: frames of any length up to half the window can be looked at in place. */
export class SegmentWindow {
	readonly memory: Memory;
	readonly #file: DiskFile;
	/** What of the file lies in memory: [#start, #start + #length). */
	#start = 0;
	#length = 0;

	constructor(file: DiskFile, memory: Memory) {
		this.#file = file;
		this.memory = memory;
	}

	/** Brings `bytes` bytes at `position` (a multiple of 8) into memory, if the file has them.
	 * @returns how many are there, at most; at `offsetOf(position)` */
	async load(position: number, bytes: number): Promise<number> {
		if (position < this.#start || position + bytes > this.#start + this.#length) {
			this.#start = position;
			this.#length = await this.#file.read(this.memory.bytes, position);
		}
		return Math.max(0, this.#start + this.#length - position);
	}

	/** Where in memory a loaded position lies. */
	offsetOf(position: number): number {
		return position - this.#start;
	}

	/** Where what is loaded ends in memory. */
	get end(): number {
		return this.#length;
	}
}
