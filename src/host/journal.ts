import { assert } from '../assert.js';
import type { Clock, DiskFile } from '../io.js';
import {
	alignFlush,
	FLUSH_HEADER_BYTES,
	FlushHeads,
	type JournalRecord,
	recordHeadBytes,
} from './journal-frames.js';

/** One flush takes no more than this, but always one record. */
const FLUSH_BYTES_MAX = 8 * 1024 * 1024;

/** A record and what belongs to it. */
export interface Entry extends JournalRecord {
	readonly slices: readonly Uint8Array[];
	/** Where the bytes belong; null: a record without bytes. */
	readonly target: Target | null;
	/** The flush with this sequence, which has it, begins. */
	began(sequence: number): void;
	/** It is durable in the journal, and what reads its file finds it; or the disk has failed. */
	done(error: Error | null): void;
}

/** Takes a record's bytes for its own file. */
export interface Target {
	/** @returns whether they were copied; if not, `done` is called when they are written */
	take(
		slices: readonly Uint8Array[],
		position: number,
		bytes: number,
		done: (error: Error | null) => void,
	): boolean;
}

/** Where a journal goes on. */
export interface JournalPlace {
	/** Which of the two files. */
	readonly file: 0 | 1;
	readonly position: number;
	/** Of the next flush. */
	readonly sequence: number;
}

export interface JournalEvents {
	/** Makes everything durable that was ever written to the files themselves. */
	sync(): Promise<void>;
	/** What flushes below this one say is needed no more, durably. */
	freed(keepFrom: number): void;
	failed(error: Error): void;
}

interface Half {
	readonly file: DiskFile;
	readonly bytes: number;
	/** Of the last flush in it; 0 = none. */
	lastSequence: number;
}

/**
 * Makes writes to many files durable by one write: each flush goes to the journal (O_DSYNC), and its records to their own
 * files, where nothing is durable before a checkpoint. When the journal has it, and all its records are taken there, it is
 * done, and the next one begins with what has come meanwhile.
 *
 * The journal is two files of a fixed size. When one is full and the other one free, it goes on there, and a checkpoint
 * begins: all files are synced; then no record of the full one is needed, which the next flush says (`keepFrom`), and
 * when that is durable it is free.
 *
 * Invariant: what a file that is being written over holds is below the `keepFrom` of a durable flush in the other one.
 */
export class Journal {
	readonly #clock: Clock;
	readonly #salt: number;
	readonly #halves: readonly [Half, Half];
	readonly #events: JournalEvents;
	readonly #heads = new FlushHeads();
	#active: 0 | 1;
	#position: number;
	#sequence: number;
	/** Goes along with the next flush; and what went along with a durable one. */
	#keepFrom: number;
	#freedBelow = 0;
	/** A flush must tell `keepFrom`, whether there is anything else to tell or not. */
	#mustTell = true;
	#pending: Entry[] = [];
	#flushing: Entry[] = [];
	/** Writes of the flush in flight that haven't ended. */
	#underWay = 0;
	#isScheduled = false;
	#isCheckpointing = false;
	#failure: Error | null = null;
	#idleWaiters: (() => void)[] = [];

	/** For metrics. */
	readonly counters = { flushes: 0, records: 0, bytes: 0, checkpoints: 0, waits: 0 };

	/** Its first flush says that nothing before it is needed. */
	constructor(
		clock: Clock,
		salt: number,
		files: readonly [{ file: DiskFile; bytes: number }, { file: DiskFile; bytes: number }],
		place: JournalPlace,
		events: JournalEvents,
	) {
		this.#clock = clock;
		this.#salt = salt;
		this.#halves = [
			{ ...files[0], lastSequence: 0 },
			{ ...files[1], lastSequence: 0 },
		];
		this.#events = events;
		this.#active = place.file;
		this.#position = place.position;
		this.#sequence = this.#keepFrom = place.sequence;
		this.#schedule();
	}

	/** Of flushes below this one nothing is needed any more, and a durable one says so. */
	get freedBelow(): number {
		return this.#freedBelow;
	}

	/** The longest record that fits. */
	get recordBytesMax(): number {
		return Math.min(...this.#halves.map(({ bytes }) => bytes)) - 2 * FLUSH_HEADER_BYTES;
	}

	append(entry: Entry): void {
		if (this.#failure !== null) {
			const failure = this.#failure;
			this.#clock.endOfTurn(() => entry.done(failure));
			return;
		}
		this.#pending.push(entry);
		this.#schedule();
	}

	/** Nothing is durable any more that wasn't before, and nothing is ever freed: the next start replays what there is. */
	fail(error: Error): void {
		if (this.#failure !== null) return;
		this.#failure = error;
		const lost = this.#pending;
		this.#pending = [];
		for (const entry of lost) entry.done(error);
		if (this.#underWay === 0) this.#tellIdle();
		this.#events.failed(error);
	}

	/** Waits until everything is done, syncs the files, and says that nothing is needed any more. */
	async close(): Promise<void> {
		await this.idle();
		if (this.#failure === null) {
			await this.#checkpoint(this.#sequence);
			await this.idle();
		}
		for (const { file } of this.#halves) await file.close();
		if (this.#failure !== null) throw this.#failure;
	}

	/** Waits until there is nothing to do. */
	idle(): Promise<void> {
		const isBusy = this.#underWay > 0 || this.#isCheckpointing || this.#isScheduled;
		const hasWork = this.#failure === null && (this.#pending.length > 0 || this.#mustTell);
		if (!isBusy && !hasWork) return Promise.resolve();
		return new Promise<void>((resolve) => this.#idleWaiters.push(resolve)).then(() => this.idle());
	}

	#tellIdle(): void {
		const waiters = this.#idleWaiters;
		this.#idleWaiters = [];
		for (const resolve of waiters) resolve();
	}

	/** At the end of the turn, so that all that comes in this turn is one flush. */
	#schedule(): void {
		if (this.#isScheduled || this.#underWay > 0) return;
		this.#isScheduled = true;
		this.#clock.endOfTurn(() => {
			this.#isScheduled = false;
			this.#pump();
		});
	}

	#pump(): void {
		if (this.#underWay > 0) return;
		if (this.#failure !== null || (this.#pending.length === 0 && !this.#mustTell)) {
			return this.#tellIdle();
		}
		const count = this.#fitting();
		if (count > 0 || (this.#mustTell && this.#hasRoom)) {
			this.#flush(this.#pending.splice(0, count));
		} else if (this.#isFree(this.#other)) this.#switch();
		else this.counters.waits += 1;
	}

	/** Records leave room for one empty flush behind them: it may be what frees the other file. */
	get #hasRoom(): boolean {
		return this.#position + FLUSH_HEADER_BYTES <= this.#halves[this.#active].bytes;
	}

	get #other(): 0 | 1 {
		return this.#active === 0 ? 1 : 0;
	}

	#isFree(half: 0 | 1): boolean {
		return this.#halves[half].lastSequence < this.#freedBelow;
	}

	/** How many of the pending ones fit the file, behind which an empty flush must still fit, and the limit. */
	#fitting(): number {
		const room = this.#halves[this.#active].bytes - this.#position - 2 * FLUSH_HEADER_BYTES;
		let bytes = 0;
		let count = 0;
		for (const entry of this.#pending) {
			bytes += recordHeadBytes(entry.path) + entry.bytes;
			// Up to 63 bytes are lost to the place where the next flush begins.
			if (alignFlush(bytes) > room || (count > 0 && bytes > FLUSH_BYTES_MAX)) break;
			count += 1;
		}
		return count;
	}

	#switch(): void {
		assert(!this.#isCheckpointing, 'the last checkpoint has freed the file to go on in');
		const { lastSequence } = this.#halves[this.#active];
		this.#active = this.#other;
		this.#position = 0;
		this.#pump();
		void this.#checkpoint(lastSequence + 1);
	}

	/** Makes the files hold what flushes below `keepFrom` say. */
	async #checkpoint(keepFrom: number): Promise<void> {
		this.#isCheckpointing = true;
		try {
			await this.#events.sync();
			if (this.#failure !== null) return;
			this.#keepFrom = keepFrom;
			this.#mustTell = true;
			this.counters.checkpoints += 1;
		} catch (error) {
			this.fail(error as Error);
		} finally {
			this.#isCheckpointing = false;
			this.#schedule();
		}
	}

	#flush(entries: Entry[]): void {
		const half = this.#halves[this.#active];
		const position = this.#position;
		const sequence = this.#sequence;
		const keepFrom = this.#keepFrom;
		const slices = entries.flatMap((entry) => entry.slices);
		const head = this.#heads.write({ salt: this.#salt, sequence, keepFrom }, entries, slices);
		let end = position + head.length;
		for (const entry of entries) end += entry.bytes;
		assert(end <= half.bytes, 'a flush lies in its file');
		this.#sequence += 1;
		this.#mustTell = false;
		this.#flushing = entries;
		this.#underWay = 1;
		const ended = (error: Error | null) => this.#ended(error, sequence, keepFrom);
		// First of all: the threads are few, and this is the write that takes long.
		half.file.writev([head, ...slices], position, ended);
		for (const entry of entries) {
			entry.began(sequence);
			const { target } = entry;
			// What isn't copied is written before the flush is done: its memory is lent until then.
			const isCopied = target?.take(entry.slices, entry.position, entry.bytes, ended) ?? true;
			if (!isCopied) this.#underWay += 1;
		}
		half.lastSequence = sequence;
		this.#position = alignFlush(end);
		this.counters.flushes += 1;
		this.counters.records += entries.length;
		this.counters.bytes += end - position;
	}

	#ended(error: Error | null, sequence: number, keepFrom: number): void {
		this.#underWay -= 1;
		if (error !== null) this.fail(error);
		if (this.#underWay > 0) return;
		const entries = this.#flushing;
		this.#flushing = [];
		if (this.#failure === null && keepFrom > this.#freedBelow) {
			this.#freedBelow = keepFrom;
			this.#events.freed(keepFrom);
		}
		assert(sequence === this.#sequence - 1, 'one flush is in flight');
		for (const entry of entries) entry.done(this.#failure);
		// What the completions brought joins the next flush.
		this.#schedule();
	}
}
