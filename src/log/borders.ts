import type { LogPosition } from './types.js';

/**
 * The borders between batches at which the log may still be cut, while it is scanned: those from the committed
 * index on. A mark that cuts anywhere else was not written by this log.
 */
export class Borders {
	#positions: LogPosition[] = [];
	/** Those before it are committed and forgotten. */
	#first = 0;

	startAt(base: LogPosition): void {
		this.#positions = [base];
		this.#first = 0;
	}

	add(position: LogPosition): void {
		this.#positions.push(position);
	}

	/** Forgets those behind `index`. @returns the last one that is left, if any */
	cut(index: number): LogPosition | undefined {
		const positions = this.#positions;
		while (positions.length > this.#first && positions.at(-1)!.index > index) positions.pop();
		return positions.length > this.#first ? positions.at(-1) : undefined;
	}

	/** Forgets those before `committed`. */
	commit(committed: number): void {
		const positions = this.#positions;
		while (this.#first < positions.length && positions[this.#first]!.index < committed) {
			this.#first += 1;
		}
		if (this.#first < 1024 || this.#first * 2 < positions.length) return;
		this.#positions = positions.slice(this.#first);
		this.#first = 0;
	}
}
