import { StateMachineFailed } from '../errors.js';
import { BatchKind } from '../format/batch.js';
import { BatchView } from '../format/batch-view.js';
import type { Slab } from '../format/slab.js';
import type { LogCursor } from './log-cursor.js';
import type { LogWindow } from './log-window.js';
import type { Sessions } from './sessions.js';
import type { StateMachine } from './types.js';

export interface ApplierEvents {
	/** A batch was applied. `view` is valid during the call. */
	applied(view: BatchView, results: readonly unknown[] | undefined): void;
	/** Something changed while nobody was looking: go on at the end of this turn. */
	wake(): void;
	fail(error: Error): void;
}

/** What is read from disk at a time when the window doesn't have it (any more). */
const READ_BYTES = 1024 * 1024;

/**
 * Hands committed batches to the state machine, in order, one at a time, as views on the memory they lie in.
 *
 * Invariant: everything up to `applied` was applied exactly once in this life or is held by the state machine.
 */
export class Applier {
	readonly #machine: StateMachine;
	readonly #window: LogWindow;
	readonly #cursor: LogCursor;
	readonly #sessions: Sessions;
	readonly #events: ApplierEvents;
	readonly #view = new BatchView();
	/** The state machine held this much when it was opened; null if it keeps nothing. */
	readonly #heldIndex: number | null;
	#applied: number;
	/** The last index that the state machine was given, or held before: no-ops and repeats it never hears of. */
	#given: number;
	/** The batch that is applied now is one that the state machine is given. */
	#isGiven = false;
	/** A disk read or an asynchronous `apply` is under way. */
	#isBusy = false;
	#onSettled: (() => void) | null = null;
	#isStopped = false;

	/** `base`: the log's first kept entry is behind it. */
	constructor(
		machine: StateMachine,
		window: LogWindow,
		cursor: LogCursor,
		sessions: Sessions,
		events: ApplierEvents,
		base: number,
		heldIndex: number | null,
	) {
		this.#machine = machine;
		this.#window = window;
		this.#cursor = cursor;
		this.#sessions = sessions;
		this.#events = events;
		this.#applied = base;
		this.#given = heldIndex ?? 0;
		this.#heldIndex = heldIndex;
	}

	get applied(): number {
		return this.#applied;
	}

	/** The log may be dropped up to here: whatever a state machine that keeps its state says that it holds when it is
	 * opened again, the log must begin no later than behind that. */
	get droppable(): number {
		return this.#heldIndex === null ? this.#applied : Math.min(this.#applied, this.#given);
	}

	/**
	 * Applies what is committed and in memory; what isn't is fetched. Invariant: `applied <= committed`.
	 *
	 * A majority may have committed what this disk doesn't have yet. A state machine that keeps what it applied must
	 * not be ahead of its own log: after a crash, nobody could tell what it holds.
	 */
	pump(majority: number, persisted: number): void {
		const committed = this.#heldIndex === null ? majority : Math.min(majority, persisted);
		while (!this.#isBusy && !this.#isStopped && this.#applied < committed) {
			const i = this.#window.find(this.#applied + 1);
			if (i < 0) return this.#applyFromDisk(Math.min(committed, persisted));
			const batch = this.#window.at(i);
			if (batch.lastIndex > committed) return;
			this.#apply(batch.slab, batch.offset, batch.length);
		}
	}

	/** After a restart, the log is on disk and not in memory. */
	#applyFromDisk(lastIndex: number): void {
		if (this.#applied >= lastIndex) return;
		this.#isBusy = true;
		this.#readAndApply(lastIndex)
			.catch((error: Error) => this.#fail(error))
			.finally(() => this.#settle());
	}

	#settle(): void {
		this.#isBusy = false;
		this.#onSettled?.();
		this.#events.wake();
	}

	async #readAndApply(lastIndex: number): Promise<void> {
		const run = await this.#cursor.onDisk(this.#applied + 1, lastIndex, READ_BYTES);
		try {
			for (const { offset, length } of run.batches) {
				if (this.#isStopped) return;
				this.#view.moveTo(run.slab, offset, length);
				if (this.#view.lastIndex > lastIndex) return;
				this.#finish(await this.#settled(this.#start(this.#view)));
			}
		} finally {
			run.release();
		}
	}

	async #settled(results: ReturnType<StateMachine['apply']>) {
		try {
			return await results;
		} catch (error) {
			throw this.#blame(error);
		}
	}

	#apply(slab: Slab, offset: number, length: number): void {
		let results: ReturnType<StateMachine['apply']>;
		try {
			results = this.#start(this.#view.moveTo(slab, offset, length));
		} catch (error) {
			return this.#fail(error as Error);
		}
		if (!(results instanceof Promise)) return this.#finish(results);
		slab.retain();
		this.#isBusy = true;
		results
			.then((settled) => {
				if (!this.#isStopped) this.#finish(settled);
			})
			.catch((error: unknown) => this.#fail(this.#blame(error)))
			.finally(() => {
				slab.release();
				this.#settle();
			});
	}

	/** Gives a batch to the state machine, unless it isn't for it or it had it already. */
	#start(view: BatchView): ReturnType<StateMachine['apply']> {
		this.#isGiven = false;
		if (view.kind !== BatchKind.entries) return undefined;
		const isNew =
			view.session === 0 || this.#sessions.apply(view.session, view.sequence, view.index);
		const heldIndex = this.#heldIndex ?? 0;
		if (view.lastIndex <= heldIndex || !isNew) return undefined;
		try {
			if (view.index <= heldIndex) throw new Error('its applied index is within a batch');
			this.#isGiven = true;
			return this.#machine.apply(view);
		} catch (error) {
			throw this.#blame(error);
		}
	}

	#blame(error: unknown): Error {
		const index = this.#applied + 1;
		return new StateMachineFailed(
			index,
			error instanceof Error ? error.message : String(error),
			error,
		);
	}

	#finish(results: readonly unknown[] | undefined): void {
		this.#applied = this.#view.lastIndex;
		if (this.#isGiven) this.#given = this.#applied;
		this.#events.applied(this.#view, results);
	}

	#fail(error: Error): void {
		this.#isStopped = true;
		this.#events.fail(error);
	}

	/** Applies nothing more. */
	stop(): void {
		this.#isStopped = true;
	}

	/** After `stop`: waits until the state machine is left alone. */
	settled(): Promise<void> {
		if (!this.#isBusy) return Promise.resolve();
		return new Promise((resolve) => {
			this.#onSettled = resolve;
		});
	}
}
