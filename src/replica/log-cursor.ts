import type { Slab } from '../format/slab.js';
import type { Log } from '../log/log.js';
import type { LogWindow } from './log-window.js';
import type { ReadSlabs } from './read-slabs.js';

/** A run of neighbouring batches in one slab, borrowed: `release` gives it back, once. */
export interface BatchRun {
	readonly slab: Slab;
	/** (offset, length) of each batch, in order; never empty. */
	readonly batches: readonly { readonly offset: number; readonly length: number }[];
	readonly firstIndex: number;
	readonly lastIndex: number;
	readonly bytes: number;
	release(): void;
}

/** Reads the log wherever it lies: from memory if it is still there, else from disk. */
export class LogCursor {
	readonly #log: Log;
	readonly #window: LogWindow;
	readonly #readSlabs: ReadSlabs;

	constructor(log: Log, window: LogWindow, readSlabs: ReadSlabs) {
		this.#log = log;
		this.#window = window;
		this.#readSlabs = readSlabs;
	}

	/** The batches from the one that holds `index`, whole ones up to `lastIndex`, from memory; null if it isn't there. */
	inMemory(index: number, lastIndex: number, bytesMax: number): BatchRun | null {
		const start = this.#window.find(index);
		if (start < 0 || this.#window.at(start).lastIndex > lastIndex) return null;
		const { slab, firstIndex } = this.#window.at(start);
		const batches: { offset: number; length: number }[] = [];
		let bytes = 0;
		let end = 0;
		for (let i = start; i < this.#window.count; i++) {
			const batch = this.#window.at(i);
			if (batch.slab !== slab || batch.lastIndex > lastIndex) break;
			if (batches.length > 0 && bytes + batch.length > bytesMax) break;
			batches.push({ offset: batch.offset, length: batch.length });
			bytes += batch.length;
			end = batch.lastIndex;
		}
		slab.retain();
		return { slab, batches, firstIndex, lastIndex: end, bytes, release: () => slab.release() };
	}

	/** The same from disk; `lastIndex` must be durable. Errors: `Compacted`, `Corruption`, `DiskError`. */
	async onDisk(index: number, lastIndex: number, bytesMax: number): Promise<BatchRun> {
		const slab = await this.#readSlabs.acquire();
		let isReleased = false;
		const release = () => {
			if (!isReleased) slab.release();
			isReleased = true;
		};
		try {
			const run = await this.#log.read(index, lastIndex, slab, bytesMax);
			return { ...run, slab, release };
		} catch (error) {
			release();
			throw error;
		}
	}

	/** From wherever it is. */
	async next(
		index: number,
		lastIndex: number,
		persisted: number,
		bytesMax: number,
	): Promise<BatchRun> {
		return (
			this.inMemory(index, lastIndex, bytesMax) ??
			(await this.onDisk(index, Math.min(lastIndex, persisted), bytesMax))
		);
	}
}
