import { Column, rowWidth } from './columns.js';

/**
 * Rows of a fixed number of batches, the latest, in memory that is made once.
 *
 * Rows are numbered from 0, in the order of the log: row `n` lies at `n` modulo the capacity, and rows `head` to `tail - 1`
 * are there. For each thing that happens in order a cursor says which row it has not come to yet, so that entering
 * it costs a step for each batch, however many there are.
 */
export class StageRows {
	readonly #capacity: number;
	readonly #width: number;
	readonly #peersMax: number;
	readonly #rows: Float64Array;
	#tail = 0;
	/** Rows that were ever begun. */
	batches = 0;
	/** By column; invariant: none is above `#tail`. */
	readonly #cursors: Float64Array;
	/** Ids; their place is that of their columns. */
	readonly peers: number[] = [];

	constructor(capacity: number, peersMax: number) {
		this.#capacity = capacity;
		this.#peersMax = peersMax;
		this.#width = rowWidth(peersMax);
		this.#rows = new Float64Array(capacity * this.#width);
		this.#cursors = new Float64Array(this.#width);
	}

	get #head(): number {
		return Math.max(0, this.#tail - this.#capacity);
	}

	/** The last index that has a row; 0 if none has. */
	get last(): number {
		return this.#tail === 0 ? 0 : this.#rows[this.#at(this.#tail - 1) + Column.last]!;
	}

	/** Begins a row for a batch behind all others. */
	begin(first: number, last: number, bytes: number): void {
		const at = this.#at(this.#tail);
		this.#rows.fill(0, at, at + this.#width);
		this.#rows[at + Column.first] = first;
		this.#rows[at + Column.last] = last;
		this.#rows[at + Column.bytes] = bytes;
		this.#tail += 1;
		this.batches += 1;
	}

	/** Sets a column of the newest row. */
	set(column: number, value: number): void {
		if (this.#tail > 0) this.#rows[this.#at(this.#tail - 1) + column] = value;
	}

	/** Sets a column of all rows up to index `last` that it hasn't come to yet. */
	reach(column: number, last: number, value: number): void {
		const rows = this.#rows;
		let row = Math.max(this.#cursors[column]!, this.#head);
		for (; row < this.#tail; row++) {
			const at = this.#at(row);
			if (rows[at + Column.last]! > last) break;
			rows[at + column] = value;
		}
		this.#cursors[column] = row;
	}

	/** The same, with another column in the same rows. */
	reachBoth(column: number, other: number, last: number, value: number, its: number): void {
		const from = Math.max(this.#cursors[column]!, this.#head);
		this.reach(column, last, value);
		for (let row = from; row < this.#cursors[column]!; row++)
			this.#rows[this.#at(row) + other] = its;
	}

	/** The same for what concerns one peer. Of more peers than there are columns for nothing is kept. */
	reachPeer(peer: number, column: number, last: number, value: number): void {
		let place = this.peers.indexOf(peer);
		if (place < 0) {
			if (this.peers.length === this.#peersMax) return;
			place = this.peers.push(peer) - 1;
		}
		this.reach(Column.peers + 2 * place + column, last, value);
	}

	/** The log was cut behind `index`. */
	truncate(index: number): void {
		while (this.#tail > this.#head && this.last > index) this.#tail -= 1;
		for (let i = 0; i < this.#cursors.length; i++) {
			this.#cursors[i] = Math.min(this.#cursors[i]!, this.#tail);
		}
	}

	/** A copy of the rows that are kept, with columns for the peers there were. */
	take(): Float64Array {
		const width = rowWidth(this.peers.length);
		const count = this.#tail - this.#head;
		const taken = new Float64Array(count * width);
		for (let i = 0; i < count; i++) {
			const at = this.#at(this.#head + i);
			taken.set(this.#rows.subarray(at, at + width), i * width);
		}
		return taken;
	}

	#at(row: number): number {
		return (row % this.#capacity) * this.#width;
	}
}
