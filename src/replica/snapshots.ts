import { isNoSpace, StateMachineFailed, Stopped, TooLarge } from '../errors.js';
import type { Clock } from '../io.js';
import type { Log } from '../log/log.js';
import type { HeldSnapshot, SnapshotStore } from '../log/snapshot-store.js';
import type { SnapshotHead, StoredSnapshot } from '../log/snapshot-types.js';
import type { SnapshotWriter } from '../log/snapshot-writer.js';
import type { Applier } from './applier.js';
import { tellDamage } from './chronicle.js';
import type { Tell } from './events.js';
import type { Sessions } from './sessions.js';
import type { StateMachine } from './types.js';

/** After a disk that was too full it is tried again. */
const RETRY_MS = 1000;

export interface SnapshotParts {
	readonly store: SnapshotStore;
	readonly machine: StateMachine;
	readonly applier: Applier;
	readonly sessions: Sessions;
	readonly log: Log;
	readonly clock: Clock;
	/** Of log since the last snapshot: then the next one is due. */
	readonly everyBytes: number;
	/** The configuration in force at the last index applied. */
	readonly members: () => Uint8Array;
	readonly events: SnapshotEvents;
}

export interface SnapshotEvents {
	/** A snapshot has become durable. */
	taken(snapshot: StoredSnapshot): void;
	readonly tell: Tell;
	/** At the end of this turn, look whether one is wanted. */
	wake(): void;
	fail(error: Error): void;
}

interface Waiter {
	readonly resolve: (snapshot: StoredSnapshot) => void;
	readonly reject: (error: Error) => void;
}

/** What a state machine gives: its first chunk is drawn at once, so that a generator has begun. */
interface Source {
	readonly first: IteratorResult<Uint8Array> | Promise<IteratorResult<Uint8Array>>;
	readonly rest: Iterator<Uint8Array> | AsyncIterator<Uint8Array>;
}

/**
 * Takes snapshots of the state machine: when enough log has come since the last one, when somebody asks, and when a
 * follower needs one. A snapshot begins between two batches and is written while the next ones are applied; only once
 * it is durable may what it stands for be dropped from the log.
 */
export class Snapshots {
	readonly #parts: SnapshotParts;
	/** The state machine gives its state. */
	readonly #givesState: boolean;
	/** Snapshots are taken: with the state, or, of a state machine that keeps it, with what else the log says. */
	readonly #isAble: boolean;
	/** What the log had written up to the end of the latest snapshot, about. */
	#writtenBytes: number;
	#isFullWanted = false;
	/** Identity of a snapshot whose file has rotted since it was verified; 0 = none. */
	#rotten = 0;
	#waiters: Waiter[] = [];
	#taking: Promise<void> | null = null;
	#writer: SnapshotWriter | null = null;
	#retryAt = 0;
	#isStopped = false;
	/** One snapshot at a time becomes the latest. */
	#publishing: Promise<unknown> = Promise.resolve();

	constructor(parts: SnapshotParts) {
		this.#parts = parts;
		this.#givesState = canSnapshot(parts.machine);
		this.#isAble = this.#givesState || parts.applier.isKept;
		this.#writtenBytes = -bytesBehind(parts.log, this.latest?.index ?? 0);
	}

	get latest(): StoredSnapshot | null {
		return this.#parts.store.latest;
	}

	/** The latest, unless it is known to have rotted. */
	get #whole(): StoredSnapshot | null {
		return this.latest?.identity === this.#rotten ? null : this.latest;
	}

	/** Bytes of the snapshot that is being written; null if none is. */
	get takenBytes(): number | null {
		return this.#taking === null ? null : (this.#writer?.bytes ?? 0);
	}

	/** Up to here the log may be dropped, as far as snapshots are concerned. A state machine that keeps its state needs them for the
	 * sessions: what of a log is to be applied depends on them, and who drops its front without one knows less than others do. One
	 * in memory that has none is not what it was after a restart, whatever becomes of the log (`retainBytes`). */
	get coveredIndex(): number {
		return this.#isAble ? (this.#whole?.index ?? 0) : Number.POSITIVE_INFINITY;
	}

	/** Once in each turn, when nothing is being applied: begins a snapshot if one is due or wanted. */
	turn(): void {
		// There is nothing to take one of, whatever lies in the log: who wants one waits.
		if (this.#parts.applier.position.index === 0) return;
		if (!this.#isAble || this.#taking !== null || this.#isStopped) return;
		const { applier, log, clock, everyBytes } = this.#parts;
		const isDue = log.writtenBytes - this.#writtenBytes >= everyBytes;
		if ((!isDue && !this.#isFullWanted) || !applier.isBetween) return;
		// Of sessions less is known than the latest says, until its end is applied.
		if (applier.applied < (this.latest?.index ?? 0)) return;
		if (!this.#isEnough(applier.applied)) {
			if (clock.now() >= this.#retryAt) this.#begin();
		} else if (this.#isFullWanted) this.#settle(this.latest!);
	}

	/** A follower needs the state. @returns the latest snapshot if it has that; else one is begun */
	wantFull(): StoredSnapshot | null {
		const whole = this.#whole;
		if (whole?.isFull === true) return whole;
		if (this.#givesState && !this.#isFullWanted) {
			this.#isFullWanted = true;
			this.#parts.events.wake();
		}
		return null;
	}

	/**
	 * A follower had no use for what it was sent. If the file has rotted since it was verified, it is no good any more, for
	 * dropping log either, and a fresh one is taken.
	 * @returns whether it is whole. Errors: `DiskError`
	 */
	async isWhole(held: HeldSnapshot): Promise<boolean> {
		const damage = await held.damage();
		const { identity } = held.snapshot;
		if (damage !== null && this.#whole?.identity === identity) {
			this.#rotten = identity;
			tellDamage(this.#parts.events.tell, damage, 'a fresh snapshot takes its place');
			this.wantFull();
		}
		return damage === null;
	}

	/** Takes one now. Resolves once it is durable. */
	take(): Promise<StoredSnapshot> {
		return new Promise((resolve, reject) => {
			this.#waiters.push({ resolve, reject });
			this.#isFullWanted = true;
			this.#parts.events.wake();
		});
	}

	/** One snapshot after the other becomes the latest. */
	publish<T>(finish: () => Promise<T>): Promise<T> {
		const published = this.#publishing.then(finish, finish);
		this.#publishing = published.catch(() => {});
		return published;
	}

	/** The log begins anew behind one that came from a leader. */
	installed(): void {
		this.#writtenBytes = this.#parts.log.writtenBytes;
	}

	#begin(): void {
		const { applier, sessions, log, members } = this.#parts;
		const isFull = this.#isFullWanted || !applier.isKept;
		const { index, term, checksum, time } = applier.position;
		const waiters = this.#waiters;
		this.#waiters = [];
		this.#isFullWanted = false;
		// What is in the log and isn't applied yet counts for the next one.
		this.#writtenBytes = log.writtenBytes - bytesBehind(log, index);
		let source: Source | null = null;
		try {
			if (isFull) source = sourceOf(this.#parts.machine);
		} catch (error) {
			return this.#parts.events.fail(blamed(index, error));
		}
		this.#parts.events.tell('', 'snapshot-begun', { index, isFull });
		const head = { index, term, checksum, time, isFull, members: members() };
		const whole = { ...head, sessions: sessions.save(applier.given) };
		this.#taking = this.#write(whole, source, waiters).finally(() => {
			this.#taking = null;
			this.#writer = null;
			this.#parts.events.wake();
		});
	}

	/** Nothing was applied since the latest, or that is ahead: it came from a leader. */
	#isEnough(applied: number): boolean {
		const whole = this.#whole;
		return whole !== null && whole.index >= applied && (whole.isFull || !this.#isFullWanted);
	}

	#settle(latest: StoredSnapshot): void {
		const waiters = this.#waiters;
		this.#waiters = [];
		this.#isFullWanted = false;
		for (const waiter of waiters) waiter.resolve(latest);
	}

	async #write(
		head: SnapshotHead,
		source: Source | null,
		waiters: readonly Waiter[],
	): Promise<void> {
		const { events, clock } = this.#parts;
		try {
			const stored = await this.#store(head, source);
			events.taken(stored);
			for (const waiter of waiters) waiter.resolve(stored);
		} catch (error) {
			for (const waiter of waiters) waiter.reject(error as Error);
			if (this.#isStopped || error instanceof Stopped) return;
			if (!isNoSpace(error)) return events.fail(error as Error);
			const why = error.message;
			events.tell(`no snapshot could be taken: ${why}`, 'snapshot-failed', { why });
			this.#retryAt = clock.now() + RETRY_MS;
			this.#writtenBytes -= this.#parts.everyBytes;
		}
	}

	async #store(head: SnapshotHead, source: Source | null): Promise<StoredSnapshot> {
		const { store, events } = this.#parts;
		const writer = await store.begin(head);
		this.#writer = writer;
		try {
			if (source !== null) await this.#drain(source, writer, head.index);
			return await this.publish(() => writer.finish());
		} catch (error) {
			// A state machine that fails stops its replica at once, whatever the disk does.
			if (error instanceof StateMachineFailed) events.fail(error);
			await writer.abandon();
			throw error;
		} finally {
			// Whoever keeps something for its reader lets go of it; nobody waits for that.
			if (source !== null) blaming(head.index, () => source.rest.return?.()).catch(() => {});
		}
	}

	async #drain({ first, rest }: Source, writer: SnapshotWriter, index: number): Promise<void> {
		let drawn = await blaming(index, () => first);
		while (drawn.done !== true) {
			if (this.#isStopped) throw new Stopped('it was closed');
			await this.#writeChunk(writer, drawn.value, index);
			drawn = await blaming(index, () => rest.next());
		}
	}

	async #writeChunk(writer: SnapshotWriter, chunk: unknown, index: number): Promise<void> {
		if (!(chunk instanceof Uint8Array)) throw blamed(index, new Error('a chunk is no Uint8Array'));
		try {
			await writer.chunk(chunk);
		} catch (error) {
			throw error instanceof TooLarge ? blamed(index, error) : error;
		}
	}

	/** Begins nothing more. */
	stop(why: Error): void {
		this.#isStopped = true;
		const waiters = this.#waiters;
		this.#waiters = [];
		for (const waiter of waiters) waiter.reject(why);
	}

	/** After `stop`: waits for what is under way. */
	async settled(): Promise<void> {
		await this.#taking;
		await this.#publishing;
	}
}

/** Does it take part in snapshots, with its state? */
export function canSnapshot(machine: StateMachine): boolean {
	return machine.snapshot !== undefined && machine.restore !== undefined;
}

/** How much log there is behind `index`, about: what is kept of it lies evenly. */
function bytesBehind({ base, end, liveBytes }: Log, index: number): number {
	const kept = end.index - base.index;
	return kept === 0 ? 0 : (liveBytes * Math.max(0, end.index - Math.max(index, base.index))) / kept;
}

function sourceOf(machine: StateMachine): Source {
	const chunks = machine.snapshot!();
	const rest =
		Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
	const first = rest.next();
	// Whoever draws the first chunk hears of a failure; it may be a while.
	if (first instanceof Promise) first.catch(() => {});
	return { first, rest };
}

function blamed(index: number, error: unknown): StateMachineFailed {
	return new StateMachineFailed(
		index,
		error instanceof Error ? error.message : String(error),
		error,
	);
}

/** What goes wrong in there is the state machine's fault. */
async function blaming<T>(index: number, work: () => T | Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw blamed(index, error);
	}
}
