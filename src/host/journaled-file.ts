import { assert } from '../assert.js';
import type { DiskFile } from '../io.js';
import type { Journal } from './journal.js';
import { RecordKind } from './journal-frames.js';
import { LateFile } from './late-file.js';
import type { LateWrites } from './late-writes.js';

/** What a path that is written through the journal has in common for all who have it open. */
export class JournaledPath {
	readonly path: string;
	/** As records name it. */
	readonly name: Uint8Array;
	/** Not durable by itself. Kept open for as long as a sync may be due: one that is opened later needn't hear of a failure. */
	readonly base: DiskFile;
	/** What records bring to it. */
	readonly late: LateFile;
	readonly #journal: Journal;
	/** Who has it open. */
	users = 0;
	/** Records are done since the last sync began. */
	isDirty = false;
	#syncing: Promise<void> | null = null;
	/** The last flush with a record of it. */
	lastSequence = 0;
	/** Records that aren't done. */
	#waiting = 0;
	#onIdle: (() => void)[] = [];
	/** Set when the path is given up: resolves when no record of it counts any more. From then on writes go to the file
	 * alone, and are synced one by one. */
	released: Promise<void> | null = null;

	constructor(path: string, name: Uint8Array, base: DiskFile, journal: Journal, late: LateWrites) {
		this.path = path;
		this.name = name;
		this.base = base;
		this.late = new LateFile(base, late);
		this.#journal = journal;
	}

	/** No record of it is needed, or will be. */
	get isSettled(): boolean {
		const isPast = this.lastSequence < this.#journal.freedBelow;
		const isSynced = !this.isDirty && this.#syncing === null;
		return this.#waiting === 0 && isSynced && isPast;
	}

	idle(): Promise<void> {
		if (this.#waiting === 0) return Promise.resolve();
		return new Promise((resolve) => this.#onIdle.push(resolve));
	}

	/** Whoever asks while a sync is under way needs its end as well. */
	async sync(): Promise<void> {
		while (this.#syncing !== null) await this.#syncing;
		if (!this.isDirty) return;
		// A write that ends from now on needn't be in it.
		this.isDirty = false;
		this.#syncing = this.#syncAll();
		try {
			await this.#syncing;
		} finally {
			this.#syncing = null;
		}
	}

	async #syncAll(): Promise<void> {
		await this.late.written();
		await this.base.sync();
	}

	write(
		slices: readonly Uint8Array[],
		position: number,
		bytes: number,
		done: (error: Error | null) => void,
	): void {
		this.#append(RecordKind.write, slices, position, bytes, done);
	}

	/** Makes all earlier records void, durably. */
	forget(): Promise<void> {
		return new Promise((resolve, reject) => {
			const done = (error: Error | null) => (error === null ? resolve() : reject(error));
			this.#append(RecordKind.forget, [], 0, 0, done);
		});
	}

	#append(
		kind: RecordKind,
		slices: readonly Uint8Array[],
		position: number,
		bytes: number,
		done: (error: Error | null) => void,
	): void {
		this.#waiting += 1;
		this.#journal.append({
			kind,
			path: this.name,
			position,
			bytes,
			slices,
			target: kind === RecordKind.write ? this.late : null,
			began: (sequence) => {
				this.lastSequence = sequence;
			},
			done: (error) => {
				if (kind === RecordKind.write) this.isDirty = true;
				this.#waiting -= 1;
				done(error);
				if (this.#waiting === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
			},
		});
	}
}

/** A file that was opened to be written durably: each write is a record of the journal. */
export class JournaledFile implements DiskFile {
	readonly path: string;
	readonly #shared: JournaledPath;
	readonly #recordBytesMax: number;
	readonly #release: (path: JournaledPath) => Promise<void>;
	readonly #closed: (path: JournaledPath) => Promise<void>;
	#failure: Error | null = null;
	#running = 0;
	#isClosing = false;
	#onIdle: (() => void)[] = [];

	/** `release` gives the path up; `closed`: this user is gone. */
	constructor(
		shared: JournaledPath,
		recordBytesMax: number,
		release: (path: JournaledPath) => Promise<void>,
		closed: (path: JournaledPath) => Promise<void>,
	) {
		this.path = shared.path;
		this.#shared = shared;
		this.#recordBytesMax = recordBytesMax;
		this.#release = release;
		this.#closed = closed;
		shared.users += 1;
	}

	async size(): Promise<number> {
		return await this.#do(async () => {
			await this.#shared.late.written();
			return await this.#shared.base.size();
		});
	}

	async read(target: Uint8Array, position: number): Promise<number> {
		return await this.#do(async () => {
			await this.#shared.late.written();
			return await this.#shared.base.read(target, position);
		});
	}

	writev(
		slices: readonly Uint8Array[],
		position: number,
		done: (error: Error | null) => void,
	): void {
		this.#begin();
		const shared = this.#shared;
		const finish = (error: Error | null): void => {
			this.#failure ??= error;
			this.#end();
			done(error);
		};
		let bytes = 0;
		for (const slice of slices) bytes += slice.byteLength;
		if (this.#failure !== null || bytes === 0) {
			shared.base.writev([], 0, () => finish(this.#failure));
			return;
		}
		const own = slices.slice();
		const isRecord = shared.released === null && bytes <= this.#recordBytesMax;
		if (isRecord) shared.write(own, position, bytes, finish);
		else this.#writeDirectly(own, position, finish);
	}

	#writeDirectly(
		slices: readonly Uint8Array[],
		position: number,
		done: (error: Error | null) => void,
	): void {
		const { base } = this.#shared;
		const written = (error: Error | null): void => {
			if (error !== null) done(error);
			else base.sync().then(() => done(null), done);
		};
		// No record of an earlier write to the same place may be played over it.
		this.#release(this.#shared).then(() => base.writev(slices, position, written), done);
	}

	/** What is written is durable when it is done. */
	async sync(): Promise<void> {
		await this.#do(() => this.#shared.idle());
		if (this.#failure !== null) throw this.#failure;
	}

	async close(): Promise<void> {
		assert(!this.#isClosing, 'a file is closed once');
		this.#isClosing = true;
		if (this.#running > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
		this.#shared.users -= 1;
		await this.#closed(this.#shared);
	}

	async #do<T>(work: () => Promise<T>): Promise<T> {
		this.#begin();
		try {
			return await work();
		} finally {
			this.#end();
		}
	}

	#begin(): void {
		assert(!this.#isClosing, 'a closed file is not used');
		this.#running += 1;
	}

	#end(): void {
		this.#running -= 1;
		if (this.#running === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
	}
}
