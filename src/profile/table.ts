import { Column, PeerColumn, type Recording, rowWidth } from './columns.js';

/** A recording's rows, to be read. */
export class Table {
	readonly count: number;
	readonly #rows: Float64Array;
	readonly #width: number;

	constructor({ rows, peers }: Recording) {
		this.#rows = rows;
		this.#width = rowWidth(peers.length);
		this.count = rows.length / this.#width;
	}

	get(row: number, column: number): number {
		return this.#rows[row * this.#width + column]!;
	}

	sent(row: number, peer: number): number {
		return this.get(row, Column.peers + 2 * peer + PeerColumn.sent);
	}

	acked(row: number, peer: number): number {
		return this.get(row, Column.peers + 2 * peer + PeerColumn.acked);
	}

	/** The row of the batch that ends at `last`; -1 if there is none. */
	find(last: number): number {
		let low = 0;
		let high = this.count - 1;
		while (low <= high) {
			const middle = (low + high) >>> 1;
			const found = this.get(middle, Column.last);
			if (found === last) return middle;
			if (found < last) low = middle + 1;
			else high = middle - 1;
		}
		return -1;
	}
}
