import type { BatchView } from '../../src/format/batch-view.js';
import type { StateMachine } from '../../src/replica/types.js';

/** An entry that carries a number and is `length` bytes long. */
export function numbered(number: number, length = 8): Uint8Array {
	const entry = new Uint8Array(length);
	new DataView(entry.buffer).setFloat64(0, number);
	return entry;
}

export function numberOf(entry: Uint8Array): number {
	return new DataView(entry.buffer, entry.byteOffset).getFloat64(0);
}

/** Remembers the number of each entry, in order; the result of an entry is its place. Shorter entries are -1. */
export class NumberMachine implements StateMachine {
	readonly numbers: number[] = [];
	readonly indexes: number[] = [];
	/** Called before each batch. */
	before: (batch: BatchView) => void = () => {};
	isClosed = false;

	apply(batch: BatchView): number[] {
		this.before(batch);
		const results: number[] = [];
		for (let i = 0; i < batch.count; i++) {
			const entry = batch.entry(i);
			results.push(this.numbers.length);
			this.indexes.push(batch.index + i);
			this.numbers.push(entry.length < 8 ? -1 : numberOf(entry));
		}
		return results;
	}

	query(query: unknown): unknown {
		if (query === 'fail') throw new Error('this query fails');
		return query === 'count' ? this.numbers.length : this.numbers.at(-1);
	}

	close(): void {
		this.isClosed = true;
	}
}

/** The same with snapshots: a chunk for each hundred numbers. */
export class SnapshotMachine extends NumberMachine {
	/** How often it was restored, and up to where. */
	readonly restored: number[] = [];
	/** Awaited before each chunk that is handed out, and before each that is taken. */
	pause: () => Promise<void> | void = () => {};

	snapshot(): AsyncIterable<Uint8Array> {
		return this.#chunks(this.numbers.slice(), this.indexes.slice());
	}

	async *#chunks(numbers: number[], indexes: number[]): AsyncGenerator<Uint8Array> {
		for (let i = 0; i < numbers.length; i += 100) {
			await this.pause();
			const both = [numbers.slice(i, i + 100), indexes.slice(i, i + 100)];
			yield new TextEncoder().encode(JSON.stringify(both));
		}
	}

	async restore(chunks: AsyncIterable<Uint8Array>, index: number): Promise<void> {
		const numbers: number[] = [];
		const indexes: number[] = [];
		for await (const chunk of chunks) {
			await this.pause();
			const [some, their] = JSON.parse(new TextDecoder().decode(chunk)) as [number[], number[]];
			numbers.push(...some);
			indexes.push(...their);
		}
		this.numbers.splice(0, this.numbers.length, ...numbers);
		this.indexes.splice(0, this.indexes.length, ...indexes);
		this.restored.push(index);
	}
}
