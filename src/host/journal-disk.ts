import { assert } from '../assert.js';
import type { Clock, DirectoryLock, Disk, DiskFile, Random } from '../io.js';
import { Journal } from './journal.js';
import { markMade, openJournal } from './journal-recovery.js';
import { JournaledFile, JournaledPath } from './journaled-file.js';
import { LATE_LIMITS, type LateLimits, LateWrites } from './late-writes.js';

export interface JournalOptions {
	readonly disk: Disk;
	readonly clock: Clock;
	readonly random: Random;
	/** What lies below it is written through the journal. */
	readonly directory: string;
	/** Of each of the journal's two files, when they are made: a multiple of 4096. */
	readonly fileBytes: number;
	/** Of what is written to the files themselves. */
	readonly late?: LateLimits;
	/** The disk has failed: nothing is written any more. */
	readonly onFailure: (error: Error) => void;
}

/**
 * A disk on which many files are made durable by one write: `DiskFile.writev` of a file that was opened `durable` becomes a
 * record of the journal. Everything else goes to the disk as it is.
 *
 * A record counts until its file has been synced and a flush has said so, or until a later record has said that the path is
 * given up. That must come before anything happens to the path that isn't in the journal (it is renamed, removed, replaced,
 * or written without the journal), for else a replay would write the past over it.
 *
 * Each path is spelled in one way, and a file is written durably under one name at a time.
 */
export class JournalDisk implements Disk {
	readonly #disk: Disk;
	readonly #directory: string;
	readonly #journal: Journal;
	readonly #late: LateWrites;
	readonly #paths = new Map<string, JournaledPath>();
	/** Open to be written without the journal, and how often. */
	readonly #direct = new Map<string, number>();
	#failure: Error | null = null;

	/** Replays what the journal has. Errors: `Corruption`, `DiskError`. */
	static async open(options: JournalOptions): Promise<JournalDisk> {
		const opened = await openJournal(options);
		const made = new JournalDisk(options, opened);
		// Its first flush: what was replayed is not to be replayed again over what is done from now on.
		await made.#journal.idle();
		if (made.#failure !== null) throw made.#failure;
		if (opened.isNew) await markMade(options, opened.salt);
		return made;
	}

	private constructor(
		{ disk, clock, directory, late = LATE_LIMITS, onFailure }: JournalOptions,
		{ salt, files, place }: Awaited<ReturnType<typeof openJournal>>,
	) {
		this.#disk = disk;
		this.#directory = directory;
		this.#late = new LateWrites(clock, late, (error) => this.#journal.fail(error));
		this.#journal = new Journal(clock, salt, files, place, {
			sync: () => this.#syncAll(),
			freed: () => this.#letGo(),
			failed: (error) => {
				this.#failure = error;
				this.#late.stop(error);
				onFailure(error);
			},
		});
	}

	get counters(): Readonly<Journal['counters']> {
		return this.#journal.counters;
	}

	lock(directory: string): Promise<DirectoryLock> {
		return this.#disk.lock(directory);
	}

	makeDirectory(path: string): Promise<void> {
		return this.#disk.makeDirectory(path);
	}

	list(path: string): Promise<string[]> {
		return this.#disk.list(path);
	}

	async open(path: string, mode: 'read' | 'write' | 'create', durable: boolean): Promise<DiskFile> {
		if (!path.startsWith(`${this.#directory}/`)) return await this.#disk.open(path, mode, durable);
		if (mode === 'read') return this.#reader(path, await this.#disk.open(path, mode, durable));
		if (!durable) {
			await this.#giveUp(path);
			return this.#watch(path, await this.#disk.open(path, mode, false));
		}
		// Who writes to it without the journal may write anything: so must everybody.
		if (this.#direct.has(path)) return this.#watch(path, await this.#disk.open(path, mode, true));
		return await this.#openJournaled(path, mode);
	}

	async #openJournaled(path: string, mode: 'write' | 'create'): Promise<DiskFile> {
		const there = this.#paths.get(path);
		// Of a file that was here before, if this one is made anew.
		if (there !== undefined && (there.released !== null || mode === 'create')) {
			await this.#giveUp(path);
		}
		let shared = this.#paths.get(path);
		if (shared === undefined) {
			const name = new TextEncoder().encode(path.slice(this.#directory.length + 1));
			const base = await this.#disk.open(path, mode, false);
			shared = this.#paths.get(path);
			// Somebody else was faster.
			if (shared !== undefined) await base.close();
			else shared = new JournaledPath(path, name, base, this.#journal, this.#late);
			this.#paths.set(path, shared);
		}
		return new JournaledFile(
			shared,
			this.#journal.recordBytesMax - shared.name.length - 2 * 64,
			(released) => this.#release(released),
			(closed) => this.#closed(closed),
		);
	}

	async readSmall(path: string): Promise<Uint8Array | null> {
		await this.#paths.get(path)?.late.written();
		return await this.#disk.readSmall(path);
	}

	async writeSmall(path: string, bytes: Uint8Array): Promise<void> {
		await this.#giveUp(path);
		await this.#disk.writeSmall(path, bytes);
	}

	async rename(from: string, to: string): Promise<void> {
		await this.#giveUp(from);
		await this.#giveUp(to);
		await this.#disk.rename(from, to);
	}

	async remove(path: string): Promise<void> {
		await this.#giveUp(path);
		await this.#disk.remove(path);
	}

	syncDirectory(path: string): Promise<void> {
		return this.#disk.syncDirectory(path);
	}

	freeBytes(path: string): Promise<number> {
		return this.#disk.freeBytes(path);
	}

	/** Makes everything durable in its own place; no file is used any more. Errors: `DiskError` if the disk has failed. */
	async close(): Promise<void> {
		try {
			await this.#journal.close();
		} finally {
			this.#late.stop(new Error('the disk is closed'));
			for (const { base } of this.#paths.values()) await base.close().catch(() => {});
			this.#paths.clear();
		}
	}

	/** Waits until no record of the path counts any more. */
	async #giveUp(path: string): Promise<void> {
		const there = this.#paths.get(path);
		if (there !== undefined) await this.#release(there);
	}

	#release(shared: JournaledPath): Promise<void> {
		shared.released ??= this.#settle(shared);
		return shared.released;
	}

	async #settle(shared: JournaledPath): Promise<void> {
		await shared.idle();
		if (this.#failure !== null) throw this.#failure;
		// First its bytes, then the word that they aren't needed elsewhere.
		await this.#sync(shared);
		if (!shared.isSettled) await shared.forget();
		this.#paths.delete(shared.path);
		if (shared.users === 0) await shared.base.close();
		else this.#count(shared.path, 1);
	}

	async #closed(shared: JournaledPath): Promise<void> {
		if (shared.users > 0) return;
		if (this.#paths.get(shared.path) === shared) {
			if (!shared.isSettled || shared.released !== null) return;
			this.#paths.delete(shared.path);
		} else this.#count(shared.path, -1);
		await shared.base.close();
	}

	/** A flush that frees others is durable. */
	#letGo(): void {
		for (const shared of this.#paths.values()) {
			if (shared.users > 0 || !shared.isSettled || shared.released !== null) continue;
			this.#paths.delete(shared.path);
			// All that was written to it is durable: how its closing ends says nothing about it.
			shared.base.close().catch(() => {});
		}
	}

	async #syncAll(): Promise<void> {
		// One by one: flushes go on meanwhile, and the threads are few.
		for (const shared of [...this.#paths.values()]) await this.#sync(shared);
	}

	/** Whose sync fails has nobody knows what on the disk; but the journal has it, and is never freed again. */
	async #sync(shared: JournaledPath): Promise<void> {
		try {
			await shared.sync();
		} catch (error) {
			this.#journal.fail(error as Error);
			throw error;
		}
	}

	#count(path: string, change: 1 | -1): void {
		const count = (this.#direct.get(path) ?? 0) + change;
		assert(count >= 0, 'what is closed was open');
		if (count === 0) this.#direct.delete(path);
		else this.#direct.set(path, count);
	}

	/** Whoever reads a file finds all that is done. */
	#reader(path: string, file: DiskFile): DiskFile {
		const { read, size } = file;
		const written = () => this.#paths.get(path)?.late.written();
		file.read = async (target, position) => {
			await written();
			return await read.call(file, target, position);
		};
		file.size = async () => {
			await written();
			return await size.call(file);
		};
		return file;
	}

	#watch(path: string, file: DiskFile): DiskFile {
		this.#count(path, 1);
		const { close } = file;
		// A file of the disk's own is what it is, but that its end is noticed.
		file.close = async () => {
			await close.call(file);
			this.#count(path, -1);
		};
		return file;
	}
}
