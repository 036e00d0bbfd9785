import { Busy, ReadFailed } from '../errors.js';

/** A read that waits for its round to be confirmed, or for the log to be applied up to its index. */
interface PendingRead {
	readonly run: () => void;
	readonly failed: (error: Error) => void;
	round: number;
	/** Once confirmed: may be answered when this index is applied. */
	index: number;
}

/**
 * Linearizable reads (read index, thesis 6.4). Those of one turn share a round; a round is confirmed by a
 * quorum that answered after it began; then the read waits until everything committed by then is applied.
 */
export class Reads {
	readonly #readsMax: number;
	/** Not yet given to the core. */
	#fresh: PendingRead[] = [];
	/** Ascending by round. */
	#unconfirmed: PendingRead[] = [];
	/** Ascending by index. */
	#confirmed: PendingRead[] = [];

	constructor(readsMax: number) {
		this.#readsMax = readsMax;
	}

	get hasFresh(): boolean {
		return this.#fresh.length > 0;
	}

	get count(): number {
		return this.#fresh.length + this.#unconfirmed.length + this.#confirmed.length;
	}

	/** `run` is called when the state machine may be asked. Errors: `Busy`. */
	add(run: () => void, failed: (error: Error) => void): void {
		if (this.count >= this.#readsMax) throw new Busy('pending reads', this.#readsMax);
		this.#fresh.push({ run, failed, round: 0, index: 0 });
	}

	/** The core's answer for all fresh reads. */
	began(round: number): void {
		for (const read of this.#fresh) {
			read.round = round;
			this.#unconfirmed.push(read);
		}
		this.#fresh = [];
	}

	confirmed(round: number, index: number): void {
		let count = 0;
		while (count < this.#unconfirmed.length && this.#unconfirmed[count]!.round <= round) {
			const read = this.#unconfirmed[count]!;
			read.index = index;
			this.#confirmed.push(read);
			count += 1;
		}
		if (count > 0) this.#unconfirmed = this.#unconfirmed.slice(count);
	}

	/** Everything up to `index` is applied. */
	applied(index: number): void {
		if (this.#confirmed.length === 0 || this.#confirmed[0]!.index > index) return;
		let count = 0;
		while (count < this.#confirmed.length && this.#confirmed[count]!.index <= index) count += 1;
		const ready = this.#confirmed.slice(0, count);
		this.#confirmed = this.#confirmed.slice(count);
		for (const read of ready) read.run();
	}

	/** Leadership is lost: what isn't confirmed never will be. */
	failUnconfirmed(error: Error): void {
		const failed = [...this.#unconfirmed, ...this.#fresh];
		this.#unconfirmed = [];
		this.#fresh = [];
		for (const read of failed) read.failed(error);
	}

	failAll(why: string): void {
		const error = new ReadFailed(why);
		this.failUnconfirmed(error);
		const failed = this.#confirmed;
		this.#confirmed = [];
		for (const read of failed) read.failed(error);
	}
}
