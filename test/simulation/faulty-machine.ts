import type { BatchView } from '../../src/format/batch-view.js';
import type { Clock } from '../../src/io.js';
import type { StateMachine } from '../../src/replica/types.js';
import { demand } from './violation.js';

/** Thrown on order. */
export class OrderedThrow extends Error {}

/**
 * A state machine that can be told to throw, around one that works. What it threw at, it has not applied; that its
 * replica asks for nothing more afterwards is rule 33.
 */
export class FaultyMachine implements StateMachine {
	readonly #machine: StateMachine;
	readonly #clock: Clock;
	readonly #guard: (work: () => void) => void;
	#order: 'now' | 'later' | null = null;
	/** Where it threw; 0 = nowhere. */
	threwAt = 0;
	/** It threw while it handed out a snapshot. */
	hasThrownElsewhere = false;
	/** Told when it has thrown. */
	onThrow: () => void = () => {};

	constructor(machine: StateMachine, clock: Clock, guard: (work: () => void) => void) {
		this.#machine = machine;
		this.#clock = clock;
		this.#guard = guard;
	}

	/** The next batch fails: from within `apply`, or by a promise. */
	throwNext(when: 'now' | 'later'): void {
		this.#order = when;
	}

	open(): ReturnType<NonNullable<StateMachine['open']>> {
		return this.#machine.open?.();
	}

	apply(batch: BatchView): ReturnType<StateMachine['apply']> {
		this.#guard(() => demand(this.threwAt === 0, 'nothing is applied after a throw'));
		const order = this.#order;
		if (order === null) return this.#machine.apply(batch);
		const { index } = batch;
		this.#order = null;
		if (order === 'now') this.#throw(index);
		return new Promise((_, reject) => {
			this.#clock.after(5, () => {
				try {
					this.#throw(index);
				} catch (error) {
					reject(error);
				}
			});
		});
	}

	#throw(index: number): never {
		this.threwAt = index;
		this.onThrow();
		throw new OrderedThrow(`ordered at ${index}`);
	}

	get snapshot(): StateMachine['snapshot'] {
		const { snapshot } = this.#machine;
		return snapshot === undefined ? undefined : () => this.#snapshot();
	}

	/** What is applied meanwhile is right; that its replica stops all the same is rule 33. */
	#snapshot(): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
		const order = this.#order;
		const chunks = this.#machine.snapshot!();
		if (order === null) return chunks;
		this.#order = null;
		if (order === 'now') this.#throwElsewhere();
		return this.#failing();
	}

	async *#failing(): AsyncGenerator<Uint8Array> {
		yield new Uint8Array(3);
		this.#throwElsewhere();
	}

	get restore(): StateMachine['restore'] {
		const { restore } = this.#machine;
		return restore === undefined ? undefined : (chunks, index) => this.#restore(chunks, index);
	}

	async #restore(chunks: AsyncIterable<Uint8Array>, index: number): Promise<void> {
		this.#guard(() => demand(this.threwAt === 0, 'nothing is restored after a throw'));
		if (this.#order !== null) {
			this.#order = null;
			this.#throw(index);
		}
		await this.#machine.restore!(chunks, index);
	}

	#throwElsewhere(): never {
		this.hasThrownElsewhere = true;
		this.onThrow();
		throw new OrderedThrow('ordered in a snapshot');
	}

	query(query: unknown): unknown {
		return this.#machine.query?.(query);
	}

	close(): void | Promise<void> {
		return this.#machine.close?.();
	}
}
