import fs from 'node:fs';
import { promisify } from 'node:util';
import { assert } from '../src/assert.js';
import { DiskError } from '../src/errors.js';
import type { DiskFile } from '../src/io.js';

const fsClose = promisify(fs.close);
const fsFdatasync = promisify(fs.fdatasync);
const fsFstat = promisify(fs.fstat);
const fsRead = promisify(fs.read);

/** An open file, by its descriptor and the callback API: the cheapest way Node has to a write. */
export class NativeFile implements DiskFile {
	readonly path: string;
	readonly #descriptor: number;
	/** Durable on a platform without O_DSYNC: each write is followed by a sync. */
	readonly #syncsEachWrite: boolean;
	/** The first failed write or sync. From then on nobody knows what is on disk: after a failed sync
	 * Linux marks the pages clean, so a second sync would report success for data that was lost. */
	#failure: DiskError | null = null;
	/** Operations the kernel has now. The descriptor is closed only behind them: its number would
	 * otherwise be given to another file while a write still goes to it. */
	#running = 0;
	#closing = false;
	#idle: (() => void) | null = null;

	constructor(path: string, descriptor: number, syncsEachWrite: boolean) {
		this.path = path;
		this.#descriptor = descriptor;
		this.#syncsEachWrite = syncsEachWrite;
	}

	async size(): Promise<number> {
		this.#begin();
		try {
			return (await fsFstat(this.#descriptor)).size;
		} catch (error) {
			throw this.#error('size', error);
		} finally {
			this.#end();
		}
	}

	async read(target: Uint8Array, position: number): Promise<number> {
		this.#begin();
		try {
			let filled = 0;
			while (filled < target.byteLength) {
				const { bytesRead } = await fsRead(
					this.#descriptor,
					target,
					filled,
					target.byteLength - filled,
					position + filled,
				);
				if (bytesRead === 0) break;
				filled += bytesRead;
			}
			return filled;
		} catch (error) {
			throw this.#error('read', error);
		} finally {
			this.#end();
		}
	}

	writev(
		slices: readonly Uint8Array[],
		position: number,
		done: (error: Error | null) => void,
	): void {
		this.#begin();
		let total = 0;
		for (let i = 0; i < slices.length; i++) total += slices[i]!.byteLength;
		if (this.#failure !== null || total === 0) {
			process.nextTick(() => this.#finish(done, this.#failure));
			return;
		}
		// A copy of the array, because it alone holds the slices' memory while the kernel reads it, and the
		// caller may use his again.
		this.#write(slices.slice(), position, total, done);
	}

	#write(
		slices: readonly Uint8Array[],
		position: number,
		remaining: number,
		done: (error: Error | null) => void,
	): void {
		const written = (error: NodeJS.ErrnoException | null, bytes: number): void => {
			if (error !== null) this.#fail('write', error, done);
			else if (bytes === remaining) {
				if (this.#syncsEachWrite) this.#syncWritten(done);
				else this.#finish(done, null);
			}
			// A full disk shows as a short write first; the rest then brings the errno. A kernel that
			// takes nothing and gives no reason would have us ask for ever.
			else if (bytes === 0) this.#fail('write', noProgress(), done);
			else this.#write(behind(slices, bytes), position + bytes, remaining - bytes, done);
		};
		if (slices.length === 1)
			fs.write(this.#descriptor, slices[0]!, 0, slices[0]!.byteLength, position, written);
		else fs.writev(this.#descriptor, slices, position, written);
	}

	#syncWritten(done: (error: Error | null) => void): void {
		fs.fdatasync(this.#descriptor, (error) => {
			if (error !== null) this.#fail('write', error, done);
			else this.#finish(done, null);
		});
	}

	async sync(): Promise<void> {
		this.#begin();
		try {
			if (this.#failure !== null) throw this.#failure;
			await fsFdatasync(this.#descriptor);
			// A write that failed meanwhile may belong to "everything written so far".
			if (this.#failure !== null) throw this.#failure;
		} catch (error) {
			const failure = this.#error('sync', error);
			this.#failure ??= failure;
			throw failure;
		} finally {
			this.#end();
		}
	}

	async close(): Promise<void> {
		assert(!this.#closing, 'a file is closed once');
		this.#closing = true;
		if (this.#running > 0)
			await new Promise<void>((resolve) => {
				this.#idle = resolve;
			});
		try {
			await fsClose(this.#descriptor);
		} catch (error) {
			throw this.#error('close', error);
		}
	}

	#begin(): void {
		assert(!this.#closing, 'a closed file is not used');
		this.#running++;
	}

	#end(): void {
		this.#running--;
		if (this.#running === 0) this.#idle?.();
	}

	#finish(done: (error: Error | null) => void, error: DiskError | null): void {
		this.#end();
		done(error);
	}

	#fail(operation: string, cause: Error, done: (error: Error | null) => void): void {
		const failure = this.#error(operation, cause);
		this.#failure ??= failure;
		this.#finish(done, failure);
	}

	#error(operation: string, cause: unknown): DiskError {
		if (cause instanceof DiskError) return cause;
		return new DiskError(operation, this.path, cause as NodeJS.ErrnoException);
	}
}

function noProgress(): Error {
	return Object.assign(new Error('a write took no bytes'), { code: 'EIO' });
}

/** What follows the first `bytes` bytes of the slices. */
function behind(slices: readonly Uint8Array[], bytes: number): Uint8Array[] {
	let skip = bytes;
	let first = 0;
	while (skip >= slices[first]!.byteLength) {
		skip -= slices[first]!.byteLength;
		first++;
	}
	const rest = slices.slice(first);
	rest[0] = rest[0]!.subarray(skip);
	return rest;
}
