import type { Memory } from '../format/memory.js';
import type { DiskFile } from '../io.js';
import type { SegmentStore } from './segment-store.js';
import type { LogOptions } from './types.js';

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

	/** Bytes of the file. */
	size(): Promise<number> {
		return this.#file.size();
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

	/** A copy of the bytes in [position, end), as far as the file has them. */
	async copy(position: number, end: number): Promise<Uint8Array> {
		const bytes = new Uint8Array(Math.max(0, end - position));
		return bytes.subarray(0, await this.#file.read(bytes, position));
	}
}

/** Opens a segment's file for as long as `use` takes. */
export async function withWindow<T>(
	options: LogOptions,
	store: SegmentStore,
	number: number,
	memory: Memory,
	use: (window: SegmentWindow) => Promise<T>,
): Promise<T> {
	const file = await options.disk.open(store.path(number), 'read', false);
	try {
		return await use(new SegmentWindow(file, memory));
	} finally {
		await file.close();
	}
}
