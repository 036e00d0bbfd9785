import { assert } from '../assert.js';
import { DiskError } from '../errors.js';
import type { DiskFile, Timer } from '../io.js';
import type { LogOptions, LogPosition } from './types.js';

const SEGMENT_NAME = /^(\d{16})\.segment$/;
/** A segment being filled with zeros has this name until it is ready. */
const UNFINISHED_NAME = 'unfinished.segment';
const ZEROS_BYTES = 1024 * 1024;
const RETRY_MS = 1000;

export function segmentName(number: number): string {
	return `${String(number).padStart(16, '0')}.segment`;
}

/** The number in a segment's file name; null for any other name. */
export function segmentNumber(name: string): number | null {
	const match = SEGMENT_NAME.exec(name);
	return match === null ? null : Number(match[1]);
}

/** A segment that holds part of the log. */
export interface LiveSegment {
	readonly number: number;
	/** The log's end when it was begun. */
	readonly base: LogPosition;
}

/**
 * The segment files: some hold the log (live), some are ready for it (ahead). Numbers are contiguous: the log
 * goes on in the next one. A dropped segment becomes one ahead by a rename: overwriting blocks that a file
 * already has costs half of making it grow.
 */
export class SegmentStore {
	readonly directory: string;
	readonly #options: LogOptions;
	/** Ascending. The last one is being written. */
	readonly live: LiveSegment[] = [];
	/** Numbers ready to be taken, ascending, following the live ones. */
	readonly #ahead: number[] = [];
	/** Dropped, and waiting to become ahead. */
	readonly #dropped: number[] = [];
	#nextNumber = 1;
	#preparing: Promise<void> | null = null;
	#noSpace = false;
	#retry: Timer | null = null;
	#closed = false;
	#onReady: (() => void) | null = null;
	#onFailure: (error: Error) => void = () => {};
	/** Segments made anew and made of dropped ones. */
	created = 0;
	recycled = 0;

	constructor(options: LogOptions) {
		this.#options = options;
		this.directory = `${options.directory}/log`;
	}

	/** The file system is too full to go on preparing segments: proposals must be refused from now on. */
	get noSpace(): boolean {
		return this.#noSpace;
	}

	/** Bytes of the live segments' files. */
	get liveBytes(): number {
		return this.live.length * this.#options.limits.segmentBytes;
	}

	path(number: number): string {
		return `${this.directory}/${segmentName(number)}`;
	}

	openFile(number: number): Promise<DiskFile> {
		const durable = this.#options.durability === 'sync';
		return this.#options.disk.open(this.path(number), 'write', durable);
	}

	/** Takes over what recovery found, and begins to prepare. `onFailure`: a disk error nobody awaits. */
	start(
		live: readonly LiveSegment[],
		ahead: readonly number[],
		onFailure: (error: Error) => void,
	): void {
		this.live.push(...live);
		this.#ahead.push(...ahead);
		this.#nextNumber = Math.max(0, ...ahead, ...live.map((segment) => segment.number)) + 1;
		this.#onFailure = onFailure;
		this.#prepare();
	}

	/** Takes the next segment ahead into use, or returns null while none is ready. */
	take(base: LogPosition): LiveSegment | null {
		const number = this.#ahead.shift();
		if (number === undefined) return null;
		const segment = { number, base };
		this.live.push(segment);
		this.#prepare();
		return segment;
	}

	/** Calls back once, when `take` will succeed. */
	whenReady(callback: () => void): void {
		this.#onReady = callback;
		this.#callReady();
	}

	/** Drops the oldest live segment. It may not be the one being written. */
	dropOldest(): void {
		assert(this.live.length > 1, 'the segment being written is never dropped');
		this.#dropped.push(this.live.shift()!.number);
		this.#prepare();
	}

	/** Waits for what is under way. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#retry?.cancel();
		await this.#preparing;
	}

	#prepare(): void {
		if (this.#preparing !== null || this.#closed) return;
		if (this.#dropped.length === 0 && !this.#needsMore()) return;
		this.#preparing = this.#prepareNext()
			.catch((error: Error) => {
				this.#closed = true;
				this.#onFailure(error);
			})
			.finally(() => {
				this.#preparing = null;
				this.#callReady();
				if (!this.#noSpace) this.#prepare();
			});
	}

	#needsMore(): boolean {
		return this.#ahead.length < this.#options.limits.segmentsAhead;
	}

	#callReady(): void {
		if (this.#ahead.length === 0 || this.#onReady === null) return;
		const callback = this.#onReady;
		this.#onReady = null;
		callback();
	}

	async #prepareNext(): Promise<void> {
		const old = this.#dropped.shift();
		if (old !== undefined && !this.#needsMore()) return await this.#remove(old);
		const number = this.#nextNumber;
		if (old !== undefined) await this.#recycle(old, number);
		else if (!(await this.#create(number))) return;
		this.#noSpace = false;
		this.#nextNumber += 1;
		this.#ahead.push(number);
	}

	async #remove(number: number): Promise<void> {
		await this.#options.disk.remove(this.path(number));
		await this.#options.disk.syncDirectory(this.directory);
	}

	/** The rename is durable before the file is written to: else a crash could leave the new content under
	 * the old name. */
	async #recycle(old: number, number: number): Promise<void> {
		await this.#options.disk.rename(this.path(old), this.path(number));
		await this.#options.disk.syncDirectory(this.directory);
		this.recycled += 1;
	}

	/** Makes a file of zeros. @returns false while the file system has too little room */
	async #create(number: number): Promise<boolean> {
		const { disk, limits } = this.#options;
		const free = await disk.freeBytes(this.directory);
		if (free < limits.freeBytesMin + limits.segmentBytes) return this.#waitForSpace();
		const unfinished = `${this.directory}/${UNFINISHED_NAME}`;
		const file = await disk.open(unfinished, 'create', false);
		try {
			await this.#fill(file);
			await file.sync();
		} catch (error) {
			await file.close();
			await disk.remove(unfinished);
			if (error instanceof DiskError && error.errno === 'ENOSPC') return this.#waitForSpace();
			throw error;
		}
		await file.close();
		await disk.rename(unfinished, this.path(number));
		await disk.syncDirectory(this.directory);
		this.created += 1;
		return true;
	}

	async #fill(file: DiskFile): Promise<void> {
		const size = this.#options.limits.segmentBytes;
		const zeros = new Uint8Array(Math.min(ZEROS_BYTES, size));
		for (let position = 0; position < size; position += zeros.length) {
			const slice = zeros.subarray(0, Math.min(zeros.length, size - position));
			await writeSlices(file, [slice], position);
		}
	}

	#waitForSpace(): false {
		this.#noSpace = true;
		this.#retry?.cancel();
		this.#retry = this.#options.clock.after(RETRY_MS, () => this.#prepare());
		return false;
	}

	/** Makes the directory; removes what a crash left half made. @returns the segments' numbers, ascending */
	async list(): Promise<number[]> {
		const { disk } = this.#options;
		await disk.makeDirectory(this.directory);
		const names = await disk.list(this.directory);
		if (names.includes(UNFINISHED_NAME)) {
			await disk.remove(`${this.directory}/${UNFINISHED_NAME}`);
		}
		const numbers = names.map(segmentNumber).filter((number) => number !== null);
		return numbers.sort((a, b) => a - b);
	}
}

/** `DiskFile.writev` as a promise: for paths where time doesn't matter. */
export function writeSlices(
	file: DiskFile,
	slices: readonly Uint8Array[],
	position: number,
): Promise<void> {
	return new Promise((resolve, reject) => {
		file.writev(slices, position, (error) => (error === null ? resolve() : reject(error)));
	});
}
