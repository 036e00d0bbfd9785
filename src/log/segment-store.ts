import { assert } from '../assert.js';
import { isNoSpace } from '../errors.js';
import type { DiskFile, Timer } from '../io.js';
import type { RecoveredFiles } from './recovery.js';
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
	if (match === null) return null;
	const number = Number(match[1]);
	// Not those beyond 2^53 either: another file would be looked for than the one that is there.
	return segmentName(number) === name ? number : null;
}

/** A segment that holds part of the log. */
export interface LiveSegment {
	readonly number: number;
	/** The log's end when it was begun; null once the log was cut below that: then the segment begins with
	 * batches of a branch that is dead, and the log can't begin with this segment. */
	base: LogPosition | null;
}

/**
 * The segment files: some hold the log (live), some are ready for it (ahead). Numbers are contiguous: the log
 * goes on in the next one. A dropped segment becomes one ahead by a rename: overwriting blocks that a file
 * already has costs half of making it grow.
 */
export class SegmentStore {
	readonly directory: string;
	readonly #options: LogOptions;
	/** Ascending. Each has a durable flush, so the log can lose all those before it. */
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
	#onPrepared: (() => void) | null = null;
	#onFailure: (error: Error) => void = () => {};
	/** Segments made anew and made of dropped ones. */
	created = 0;
	recycled = 0;

	constructor(options: LogOptions) {
		assert(options.limits.segmentsAhead > 0, 'the log goes on in a segment ahead');
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

	/** Whether so much is kept without the oldest segment. */
	hasBeyond(retainBytes: number): boolean {
		return (this.live.length - 1) * this.#options.limits.segmentBytes >= retainBytes;
	}

	/** Bytes of the files that wait for the log to go on in, or for being removed. */
	get spareBytes(): number {
		return (this.#ahead.length + this.#dropped.length) * this.#options.limits.segmentBytes;
	}

	path(number: number): string {
		return `${this.directory}/${segmentName(number)}`;
	}

	/** Of a file that becomes a segment once it is whole; `list` removes it. */
	get unfinishedPath(): string {
		return `${this.directory}/${UNFINISHED_NAME}`;
	}

	/** Is there a file for the log to go on in? */
	get hasSegments(): boolean {
		return this.live.length + this.#ahead.length > 0;
	}

	openFile(number: number): Promise<DiskFile> {
		const durable = this.#options.durability === 'sync';
		return this.#options.disk.open(this.path(number), 'write', durable);
	}

	/** Takes over what recovery found, and begins to prepare. `onFailure`: a disk error nobody awaits. */
	start(
		{ live, stale, ahead }: Pick<RecoveredFiles, 'live' | 'stale' | 'ahead'>,
		onFailure: (error: Error) => void,
	): void {
		const numbers = live.map((segment) => segment.number);
		this.#ahead.push(...ahead);
		this.#nextNumber = Math.max(0, ...ahead, ...numbers, ...stale) + 1;
		this.#onFailure = onFailure;
		// They come before the live ones, and go with the first of those that are dropped; if none is, with `reset`.
		this.live.push(...stale.map((number) => ({ number, base: null })), ...live);
		if (live.length > 0) this.dropBefore(numbers[0]!);
		this.#prepare();
	}

	/** Takes the next segment ahead, to begin it; null while none is ready. */
	take(): number | null {
		const number = this.#ahead.shift();
		if (number === undefined) return null;
		this.#prepare();
		return number;
	}

	/** The first flush of the segment taken is durable: now the log no longer needs those before it. */
	begun(number: number, base: LogPosition | null): void {
		this.live.push({ number, base });
	}

	/** Calls back once, when the next attempt to make a segment ready has ended, well or not. Only for who
	 * `take` had nothing for: then an attempt is under way, or will be. */
	whenPrepared(callback: () => void): void {
		this.#onPrepared = callback;
	}

	/** The log was cut behind `index`. */
	truncate(index: number): void {
		for (const segment of this.live) {
			if (segment.base !== null && segment.base.index > index) segment.base = null;
		}
	}

	/** Drops the oldest live segments as long as `retainBytes` remain and nothing above `index` is lost.
	 * @returns the log's new base, or null if nothing could be dropped */
	drop(index: number, retainBytes: number): LogPosition | null {
		let count = 0;
		for (let i = 1; i < this.live.length; i++) {
			if ((this.live.length - i) * this.#options.limits.segmentBytes < retainBytes) break;
			const { base } = this.live[i]!;
			if (base !== null && base.index <= index) count = i;
		}
		if (count === 0) return null;
		for (const segment of this.live.splice(0, count)) this.#dropped.push(segment.number);
		this.#prepare();
		return this.live[0]!.base;
	}

	/** The log begins anew in this segment, whose first flush is durable. */
	dropBefore(number: number): void {
		const count = this.live.findIndex((segment) => segment.number === number);
		for (const segment of this.live.splice(0, count)) this.#dropped.push(segment.number);
		this.#prepare();
	}

	/** Removes segments that the log doesn't need, durably, the first one first: a crash leaves no gap. */
	async remove(numbers: readonly number[]): Promise<void> {
		for (const number of numbers) await this.#remove(number);
	}

	/** Begins nothing new. */
	stop(): void {
		this.#closed = true;
		this.#retry?.cancel();
	}

	/** Waits for what is under way. */
	async close(): Promise<void> {
		this.stop();
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
				this.#callPrepared();
				if (!this.#noSpace || this.#dropped.length > 0) this.#prepare();
			});
	}

	#needsMore(): boolean {
		return this.#ahead.length < this.#options.limits.segmentsAhead;
	}

	/** A log that is as long as it may be drops a segment a while after it took one. Were there room for
	 * `segmentsAhead` only, a new one would have been made by then, and each dropped one be removed. */
	#hasUseFor(): boolean {
		return this.#ahead.length < 2 * this.#options.limits.segmentsAhead;
	}

	#callPrepared(): void {
		const callback = this.#onPrepared;
		this.#onPrepared = null;
		callback?.();
	}

	async #prepareNext(): Promise<void> {
		const old = this.#dropped.shift();
		if (old !== undefined && !this.#hasUseFor()) return await this.#remove(old);
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
		try {
			await this.#fill(this.unfinishedPath);
			await disk.rename(this.unfinishedPath, this.path(number));
		} catch (error) {
			if (!isNoSpace(error)) throw error;
			// Nothing was promised about this file yet, so a full disk only costs the attempt.
			await this.#removeUnfinished();
			return this.#waitForSpace();
		}
		await disk.syncDirectory(this.directory);
		this.created += 1;
		return true;
	}

	async #fill(path: string): Promise<void> {
		const file = await this.#options.disk.open(path, 'create', false);
		try {
			await this.#writeZeros(file);
			await file.sync();
		} finally {
			await file.close();
		}
	}

	async #removeUnfinished(): Promise<void> {
		const { disk } = this.#options;
		const names = await disk.list(this.directory);
		if (names.includes(UNFINISHED_NAME)) await disk.remove(this.unfinishedPath);
	}

	async #writeZeros(file: DiskFile): Promise<void> {
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
		if (!this.#closed) this.#retry = this.#options.clock.after(RETRY_MS, () => this.#prepare());
		return false;
	}

	/** Makes the directory; removes what a crash left half made. @returns the segments' numbers, ascending */
	async list(): Promise<number[]> {
		const { disk } = this.#options;
		await disk.makeDirectory(this.directory);
		await this.#removeUnfinished();
		// A process that was killed may have renamed a segment and not made that durable.
		await disk.syncDirectory(this.directory);
		const names = await disk.list(this.directory);
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
