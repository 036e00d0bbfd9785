import { BadOption } from '../errors.js';
import { batchLength } from '../format/batch.js';
import { type BatchWriter, type PackedEntries, packedFault } from '../format/batch-writer.js';
import type { EntryResult } from '../format/results.js';
import type { Accepted } from './types.js';

/** What one call proposes, and its promise. */
export class Call {
	readonly promise: Promise<Accepted>;
	readonly count: number;
	/** Of all entries together. */
	readonly bytes: number;
	/** The caller's own memory, until it is copied. */
	#entries: Uint8Array | readonly Uint8Array[] | PackedEntries | null;
	#resolve!: (accepted: Accepted) => void;
	#reject!: (error: Error) => void;

	/** Errors: `BadOption`, for entries that are no batch. */
	constructor(entries: Uint8Array | readonly Uint8Array[] | PackedEntries) {
		this.#entries = entries;
		if (entries instanceof Uint8Array) {
			this.count = 1;
			this.bytes = entries.length;
		} else if (isList(entries)) {
			if (entries.length === 0) throw new BadOption('a batch has at least one entry');
			this.count = entries.length;
			this.bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
		} else {
			const fault = packedFault(entries);
			if (fault !== null) throw new BadOption(`packed entries: ${fault}`);
			this.count = entries.ends.length;
			this.bytes = entries.payload.length;
		}
		this.promise = new Promise((resolve, reject) => {
			this.#resolve = resolve;
			this.#reject = reject;
		});
	}

	/** Length of a frame that holds nothing else. */
	get frameBytes(): number {
		return batchLength(this.bytes, this.count);
	}

	/** Copies the entries into a batch in which they fit, and forgets the caller's memory. */
	copyTo(writer: BatchWriter): void {
		const entries = this.#entries!;
		this.#entries = null;
		if (entries instanceof Uint8Array) writer.add(entries);
		else if (isList(entries)) for (const entry of entries) writer.add(entry);
		else writer.addPacked(entries);
	}

	/** `results`: of the call's entries; null = there are none, 'lost' = nobody knows. */
	succeed(index: number, term: number, results: readonly EntryResult[] | null | 'lost'): void {
		const { count } = this;
		if (results === null) this.#resolve({ index, term, count });
		else if (results === 'lost') this.#resolve({ index, term, count, areResultsLost: true });
		else this.#resolve({ index, term, count, results });
	}

	fail(error: Error): void {
		this.#entries = null;
		this.#reject(error);
	}
}

function isList(entries: readonly Uint8Array[] | PackedEntries): entries is readonly Uint8Array[] {
	return Array.isArray(entries);
}
