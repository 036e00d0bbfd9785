import { Compacted, Corruption, DiskError, ReadFailed, StateMachineFailed } from '../errors.js';
import { BatchKind } from '../format/batch.js';
import { BatchView } from '../format/batch-view.js';
import { readRegistration } from '../format/registration.js';
import { encodeResults } from '../format/results.js';
import type { Slab } from '../format/slab.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { LogPosition } from '../log/types.js';
import type { LogCursor } from './log-cursor.js';
import type { LogWindow } from './log-window.js';
import { givenOf } from './session-table.js';
import type { Sessions } from './sessions.js';
import type { StateMachine } from './types.js';

export interface ApplierEvents {
	/** A batch was applied. `view` is valid during the call. `isRefused`: its session isn't known, and it was passed over. */
	applied(view: BatchView, results: readonly unknown[] | undefined, isRefused: boolean): void;
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
	readonly #chunks: () => AsyncIterable<Uint8Array>;
	readonly #events: ApplierEvents;
	readonly #view = new BatchView();
	/** The state machine held this much when it was opened; null if it keeps nothing. */
	readonly #heldIndex: number | null;
	#applied: number;
	/** The last index that the state machine was given, or held before: no-ops and repeats it never hears of. */
	#given: number;
	/** The batch that is applied now is one that the state machine is given. */
	#isGiven = false;
	/** The batch that is applied now is of a session that isn't known. */
	#isRefused = false;
	/** Of the batch that ends at `#applied`. */
	#term = 0;
	#checksum = 0;
	#time = 0;
	/** A snapshot that takes the place of everything up to its index: it is restored before anything is applied. */
	#pending: StoredSnapshot | null = null;
	/** A snapshot ahead whose table of sessions counts once everything up to its end is applied. */
	#table: StoredSnapshot | null = null;
	/** Its end; infinite if there is none. */
	#tableIndex = Number.POSITIVE_INFINITY;
	/** A disk read, an asynchronous `apply` or a restore is under way. */
	#isBusy = false;
	#onSettled: (() => void) | null = null;
	#isStopped = false;

	/** `chunks`: the state in the latest snapshot. `base`: the log's first kept entry is behind it. */
	constructor(
		machine: StateMachine,
		window: LogWindow,
		cursor: LogCursor,
		sessions: Sessions,
		chunks: () => AsyncIterable<Uint8Array>,
		events: ApplierEvents,
		base: number,
		heldIndex: number | null,
	) {
		this.#machine = machine;
		this.#window = window;
		this.#cursor = cursor;
		this.#sessions = sessions;
		this.#chunks = chunks;
		this.#events = events;
		this.#applied = base;
		this.#given = heldIndex ?? 0;
		this.#heldIndex = heldIndex;
	}

	get applied(): number {
		return this.#applied;
	}

	/** Nothing is under way: the state machine stands between two batches, at `position`. Not if it holds what comes behind
	 * that, too, since an earlier life; nor before something was applied, for then the term there isn't known. */
	get isBetween(): boolean {
		const isKnown = this.#term > 0 && this.#applied >= this.#given;
		return isKnown && !this.#isBusy && !this.#isStopped && this.#pending === null;
	}

	/** A snapshot is waiting to be restored, or is being restored. */
	get isRestoring(): boolean {
		return this.#pending !== null;
	}

	/** The end of the last batch that was applied, and its time. */
	get position(): LogPosition & { readonly time: number } {
		return {
			index: this.#applied,
			term: this.#term,
			checksum: this.#checksum,
			time: this.#time,
		};
	}

	/** The last index that the state machine was given. */
	get given(): number {
		return this.#given;
	}

	/** Does the state machine keep its state itself? */
	get isKept(): boolean {
		return this.#heldIndex !== null;
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
		if (this.#pending !== null) return this.#restoreWhenIdle(this.#pending);
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
			.catch((error: Error) => {
				// The log has begun anew behind a snapshot: what was being read isn't there any more.
				const isOvertaken = error instanceof Compacted || error instanceof ReadFailed;
				if (this.#pending === null || !isOvertaken) this.#fail(error);
			})
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
				if (this.#isStopped || this.#pending !== null) return;
				this.#view.moveTo(run.slab, offset, length);
				if (this.#view.lastIndex > lastIndex) return;
				this.#finish(await this.#settled(this.#start(this.#view)));
			}
		} finally {
			run.release();
		}
	}

	/** Everything up to the end of `snapshot`, the latest, comes from there. Whatever is being applied comes first. */
	install(snapshot: StoredSnapshot): void {
		this.#pending = snapshot;
		this.#restoreWhenIdle(snapshot);
	}

	/** What comes before its end is applied from the log, which has not all that it says of sessions: at its end that is taken over. */
	replayTo(snapshot: StoredSnapshot): void {
		this.#table = snapshot;
		this.#tableIndex = snapshot.index;
	}

	#restoreWhenIdle(snapshot: StoredSnapshot): void {
		if (this.#isBusy || this.#isStopped) return;
		this.#isBusy = true;
		this.#restore(snapshot)
			.catch((error: Error) => this.#fail(error))
			.finally(() => this.#settle());
	}

	async #restore(snapshot: StoredSnapshot): Promise<void> {
		const given = givenOf(snapshot.sessions);
		// One that keeps its state may hold more than the snapshot does.
		const isHeld = this.#heldIndex !== null && this.#given >= given;
		if (!isHeld) await this.#restoreMachine(snapshot);
		if (this.#isStopped) return;
		this.#sessions.load(snapshot.sessions);
		this.#given = Math.max(this.#given, given);
		this.#applied = snapshot.index;
		this.#term = snapshot.term;
		this.#checksum = snapshot.checksum;
		this.#time = snapshot.time;
		this.#pending = null;
	}

	async #restoreMachine({ index, isFull }: StoredSnapshot): Promise<void> {
		try {
			if (!isFull)
				throw new Error(`it holds entries up to ${this.#given}, and the snapshot no state`);
			if (this.#machine.restore === undefined) throw new Error('it can’t restore a snapshot');
			await this.#machine.restore(this.#chunks(), index);
		} catch (error) {
			// What can't be read isn't the state machine's fault.
			if (error instanceof Corruption || error instanceof DiskError) throw error;
			throw new StateMachineFailed(index, messageOf(error), error);
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
		this.#isRefused = false;
		this.#sessions.passTo(view.time);
		if (view.kind === BatchKind.session) {
			this.#sessions.register(view.index, readRegistration(view.entry(0)));
		}
		if (view.kind !== BatchKind.entries) return undefined;
		const isNew = view.session === 0 || this.#isNew(view);
		const heldIndex = this.#heldIndex ?? 0;
		if (!isNew) return undefined;
		if (view.lastIndex <= heldIndex) {
			if (view.isRegistered) this.#sessions.returnedBefore(view.session);
			return undefined;
		}
		try {
			if (view.index <= heldIndex) throw new Error('its applied index is within a batch');
			this.#isGiven = true;
			return this.#machine.apply(view);
		} catch (error) {
			throw this.#blame(error);
		}
	}

	/** Is a session's batch one to be applied? */
	#isNew({ session, sequence, index, isRegistered, waits }: BatchView): boolean {
		const outcome = this.#sessions.apply(session, sequence, index, isRegistered, waits);
		this.#isRefused = outcome === 'unknown';
		return outcome === 'new';
	}

	#blame(error: unknown): Error {
		const index = this.#applied + 1;
		return new StateMachineFailed(index, messageOf(error), error);
	}

	#finish(results: readonly unknown[] | undefined): void {
		this.#applied = this.#view.lastIndex;
		this.#term = this.#view.term;
		this.#checksum = this.#view.checksum;
		this.#time = this.#view.time;
		if (this.#isGiven) this.#given = this.#applied;
		if (results !== undefined && this.#view.isRegistered) this.#keep(this.#view, results);
		if (this.#applied === this.#tableIndex) this.#sessions.load(this.#table!.sessions);
		this.#events.applied(this.#view, results, this.#isRefused);
	}

	/** For a producer that loses the answer. */
	#keep({ session, sequence, index, count }: BatchView, results: readonly unknown[]): void {
		const bytes = encodeResults(results, 0, count);
		if (bytes !== null) this.#sessions.returned(session, sequence, index, bytes);
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

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
