import { assert } from '../assert.js';
import type { Slab } from '../format/slab.js';
import type { DiskFile } from '../io.js';
import type { LateWrites } from './late-writes.js';

type Done = (error: Error | null) => void;

/** One write to be. */
interface Run {
	readonly position: number;
	bytes: number;
	readonly slices: Uint8Array[];
	/** That hold the slices; none: the caller does, until `done`. */
	readonly slabs: Slab[];
	readonly done: Done[];
}

/** A file whose small writes are gathered. What was taken is written in order, one write at a time. */
export class LateFile {
	readonly #base: DiskFile;
	readonly #late: LateWrites;
	readonly #runs: Run[] = [];
	/** The first run is being written. */
	#isWriting = false;

	constructor(base: DiskFile, late: LateWrites) {
		this.#base = base;
		this.#late = late;
	}

	get isWriting(): boolean {
		return this.#isWriting;
	}

	get hasMore(): boolean {
		return this.#runs.length > 0;
	}

	/** What it has is not to wait for more. */
	get isPressed(): boolean {
		const [first] = this.#runs;
		const isAwaited =
			first !== undefined && (first.done.length > 0 || first.bytes >= this.#late.limits.runBytes);
		return isAwaited || this.#runs.length > 1;
	}

	/** Takes a write. @returns whether it was copied; if not, `done` is called when it is written */
	take(slices: readonly Uint8Array[], position: number, bytes: number, done: Done): boolean {
		const isSmall = bytes < this.#late.limits.copiedBytesMax && this.#late.failure === null;
		const piece = isSmall ? this.#late.copy(slices, bytes) : null;
		if (piece !== null) {
			const run = this.#runFor(position);
			run.bytes += bytes;
			run.slices.push(piece.bytes);
			run.slabs.push(piece.slab);
			this.#late.add(this, this.isPressed);
			return true;
		}
		if (this.#runs.length === 0) {
			this.#base.writev(slices, position, done);
		} else {
			// Behind what came before it, which may be of the same place.
			this.#runs.push({ position, bytes, slices: slices.slice(), slabs: [], done: [done] });
			this.#late.add(this, true);
		}
		return false;
	}

	/** Waits until the file has all that was taken. Errors: that it can't be written. */
	async written(): Promise<void> {
		if (this.#late.failure !== null) throw this.#late.failure;
		const last = this.#runs.at(-1);
		if (last === undefined) return;
		await new Promise<void>((resolve, reject) => {
			last.done.push((error) => (error === null ? resolve() : reject(error)));
			this.#late.add(this, true);
		});
	}

	/** What it has is never written. */
	drop(why: Error): void {
		for (const run of this.#runs.splice(this.#isWriting ? 1 : 0)) end(run, why);
	}

	/** For `LateWrites` alone. */
	writeNext(done: Done): void {
		assert(!this.#isWriting, 'one write at a time');
		this.#isWriting = true;
		const run = this.#runs[0]!;
		this.#base.writev(run.slices, run.position, (error) => {
			this.#isWriting = false;
			this.#runs.shift();
			end(run, error);
			done(error);
		});
	}

	/** The run that a piece for this position belongs to: the last one, if it ends there and isn't being written. */
	#runFor(position: number): Run {
		const last = this.#runs.at(-1);
		const isOpen = last !== undefined && (this.#runs.length > 1 || !this.#isWriting);
		const fits = isOpen && last.slabs.length > 0 && last.bytes < this.#late.limits.runBytes;
		if (fits && last.position + last.bytes === position) return last;
		const run: Run = { position, bytes: 0, slices: [], slabs: [], done: [] };
		this.#runs.push(run);
		return run;
	}
}

function end(run: Run, error: Error | null): void {
	for (const slab of run.slabs) slab.release();
	for (const each of run.done) each(error);
}
