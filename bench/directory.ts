import fs from 'node:fs';
import { join } from 'node:path';
import { NativeDisk } from '../native-free-io/index.js';
import { makeDirectories } from '../native-free-io/make-directories.js';
import { BadOption, DiskError } from '../src/errors.js';
import type { DirectoryLock } from '../src/io.js';
import { BENCH_LIMITS, type BenchOptions, CEILING_SEGMENTS } from './options.js';

const DEFAULT_PARENT = 'millrace-data';
const RUN_PREFIX = 'bench-';
const TMPFS_TYPE = 0x0102_1994;

/** The run's own directory, made in the one the user named and removed at the end. */
export class BenchDirectory {
	readonly path: string;
	/** Whether it lies in memory, where a sync costs nothing. */
	readonly isInMemory: boolean;
	readonly #parent: string;
	readonly #lock: DirectoryLock | null;
	readonly #madeParent: boolean;

	private constructor(
		path: string,
		parent: string,
		lock: DirectoryLock | null,
		madeParent: boolean,
	) {
		this.path = path;
		this.#parent = parent;
		this.#lock = lock;
		this.#madeParent = madeParent;
		this.isInMemory = fs.statfsSync(parent).type === TMPFS_TYPE;
	}

	/**
	 * @param processes that keep a log there at the same time
	 * @throws BadOption or DirectoryLocked, in one line
	 */
	static async make(
		options: BenchOptions,
		processes = processesOf(options),
	): Promise<BenchDirectory> {
		const parent = options.dir ?? DEFAULT_PARENT;
		try {
			const madeParent = (await makeDirectories(parent)) !== null;
			// Two runs on one disk would only measure each other. A default that is shared by accident is let be.
			const lock = options.dir === null ? null : await new NativeDisk().lock(parent);
			checkSpace(processes, parent);
			const path = fs.mkdtempSync(join(parent, RUN_PREFIX));
			return new BenchDirectory(path, parent, lock, madeParent);
		} catch (error) {
			const { code } = (error instanceof DiskError ? error.cause : error) as NodeJS.ErrnoException;
			if (error instanceof BadOption || code === 'DIRECTORY_LOCKED') throw error;
			throw new BadOption(`${parent} cannot be written: ${code ?? (error as Error).message}`);
		}
	}

	async remove(): Promise<void> {
		this.removeNow();
		await this.#lock?.release();
		this.#removeParent();
	}

	/** The same in one go, for a process that has no more time. */
	removeNow(): void {
		fs.rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
		this.#removeParent();
	}

	#removeParent(): void {
		if (!this.#madeParent) return;
		try {
			fs.rmdirSync(this.#parent);
		} catch {
			// Somebody else put something there: then it stays.
		}
	}
}

function processesOf({ replicas, ceiling }: BenchOptions): number {
	return replicas * (ceiling ? 2 : 1);
}

function checkSpace(processes: number, parent: string): void {
	const perProcess = CEILING_SEGMENTS * BENCH_LIMITS.segmentBytes;
	const needed = processes * perProcess + BENCH_LIMITS.freeBytesMin;
	const { bavail, bsize } = fs.statfsSync(parent);
	if (bavail * bsize < needed) {
		const mib = (bytes: number) => Math.ceil(bytes / 1024 / 1024);
		throw new BadOption(`${parent} has ${mib(bavail * bsize)} MiB free, needed are ${mib(needed)}`);
	}
}
