import { posix } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '../../src/assert.js';
import { DirectoryLocked, DiskError } from '../../src/errors.js';
import type { DirectoryLock, Disk, DiskFile } from '../../src/io.js';
import type { DiskControl } from './disk-control.js';
import { Inode } from './file-system.js';
import type { SimulatedProcess } from './process.js';

type Done = (error: Error | null) => void;

/** `Disk` of one process on a simulated machine. */
export class SimulatedDisk implements Disk {
	readonly #process: SimulatedProcess;
	readonly #control: DiskControl;
	readonly #replacing = new Set<string>();

	constructor(process: SimulatedProcess, control: DiskControl) {
		this.#process = process;
		this.#control = control;
	}

	lock(directory: string): Promise<DirectoryLock> {
		const path = posix.resolve('/', directory);
		return this.#do('lock', path, 0, () => {
			if (this.#control.fileSystem.directory(path) === undefined) throw failure('ENOENT');
			const { locks } = this.#control;
			const holder = locks.get(path);
			if (holder?.alive) throw new DirectoryLocked(directory, `process ${holder.identifier}`);
			locks.set(path, this.#process);
			let released = false;
			return {
				release: () =>
					this.#do('lock', path, 0, () => {
						if (!released) locks.delete(path);
						released = true;
					}),
			};
		});
	}

	makeDirectory(path: string): Promise<void> {
		return this.#do('makeDirectory', path, 0, () => {
			const { fileSystem } = this.#control;
			let above = posix.resolve('/', path);
			if (fileSystem.inode(above) !== undefined) throw failure('EEXIST');
			for (; above !== '/'; above = posix.dirname(above))
				if (fileSystem.inode(above) !== undefined) throw failure('ENOTDIR');
			fileSystem.makeDirectory(path);
		});
	}

	list(path: string): Promise<string[]> {
		return this.#do('list', path, 0, () => {
			const { fileSystem, locks } = this.#control;
			if (fileSystem.directory(path) === undefined) throw failure('ENOENT');
			const names = fileSystem.list(path);
			// The native door keeps a file there; who lists a directory must be able to pass it over.
			return locks.has(posix.resolve('/', path)) ? [...names, 'LOCK'].sort() : names;
		});
	}

	open(path: string, mode: 'read' | 'write' | 'create', durable: boolean): Promise<DiskFile> {
		return this.#do('open', path, 0, () => {
			const { directory, name } = this.#control.fileSystem.parent(path);
			if (directory === undefined) throw failure('ENOENT');
			let inode = directory.get(name);
			if (mode === 'create') {
				if (inode !== undefined) throw failure('EEXIST');
				inode = new Inode();
				directory.change([[name, inode]]);
			}
			if (inode === undefined) throw failure('ENOENT');
			return new SimulatedFile(this.#process, this.#control, path, inode, mode !== 'read', durable);
		});
	}

	readSmall(path: string): Promise<Uint8Array | null> {
		return this.#do('readSmall', path, 0, () => {
			return this.#control.fileSystem.inode(path)?.current.view.slice() ?? null;
		});
	}

	async writeSmall(path: string, bytes: Uint8Array): Promise<void> {
		assert(!this.#replacing.has(path), 'one writeSmall of a path at a time');
		this.#replacing.add(path);
		try {
			const { directory, name } = this.#control.fileSystem.parent(path);
			const inode = new Inode();
			// The same steps as the native door's, for a crash to fall between them.
			await this.#do('writeSmall', path, bytes.byteLength, () => {
				if (directory === undefined) throw failure('ENOENT');
				if (bytes.byteLength > this.#control.fileSystem.freeBytes) throw failure('ENOSPC');
				inode.writeThrough(0, bytes.slice());
				directory.change([[`${name}.tmp`, inode]]);
			});
			await this.#do('writeSmall', path, 0, () =>
				directory!.change([
					[`${name}.tmp`, null],
					[name, inode],
				]),
			);
			const changes = directory!.changes;
			await this.#do('writeSmall', path, 0, () => directory!.sync(changes));
		} finally {
			this.#replacing.delete(path);
		}
	}

	async rename(from: string, to: string): Promise<void> {
		assert(posix.dirname(from) === posix.dirname(to), 'a rename stays within its directory');
		return this.#do('rename', from, 0, () => {
			const { directory, name } = this.#control.fileSystem.parent(from);
			const inode = directory?.get(name);
			if (inode === undefined) throw failure('ENOENT');
			if (posix.basename(to) === name) return;
			directory!.change([
				[name, null],
				[posix.basename(to), inode],
			]);
		});
	}

	remove(path: string): Promise<void> {
		return this.#do('remove', path, 0, () => {
			const { directory, name } = this.#control.fileSystem.parent(path);
			if (directory?.get(name) === undefined) throw failure('ENOENT');
			directory.change([[name, null]]);
		});
	}

	syncDirectory(path: string): Promise<void> {
		const directory = this.#control.fileSystem.directory(path);
		const changes = directory?.changes ?? 0;
		return this.#do('syncDirectory', path, 0, () => {
			if (directory === undefined) throw failure('ENOENT');
			directory.sync(changes);
		});
	}

	freeBytes(path: string): Promise<number> {
		return this.#do('freeBytes', path, 0, () => {
			const { fileSystem } = this.#control;
			if (fileSystem.directory(path) === undefined && fileSystem.inode(path) === undefined)
				throw failure('ENOENT');
			return fileSystem.freeBytes;
		});
	}

	#do<T>(operation: string, path: string, bytes: number, run: () => T): Promise<T> {
		return perform(this.#process, this.#control, operation, path, bytes, run);
	}
}

class SimulatedFile implements DiskFile {
	readonly path: string;
	readonly #process: SimulatedProcess;
	readonly #control: DiskControl;
	readonly #inode: Inode;
	readonly #writable: boolean;
	readonly #durable: boolean;
	#failure: Error | null = null;
	#running = 0;
	#closing = false;
	#idle: (() => void) | null = null;

	constructor(
		process: SimulatedProcess,
		control: DiskControl,
		path: string,
		inode: Inode,
		writable: boolean,
		durable: boolean,
	) {
		this.#process = process;
		this.#control = control;
		this.path = path;
		this.#inode = inode;
		this.#writable = writable;
		this.#durable = durable;
	}

	size(): Promise<number> {
		return this.#do('size', 0, () => this.#inode.current.length);
	}

	read(target: Uint8Array, position: number): Promise<number> {
		return this.#do('read', target.byteLength, () => {
			const found = this.#inode.current.view.subarray(position, position + target.byteLength);
			target.set(found);
			return found.byteLength;
		});
	}

	writev(slices: readonly Uint8Array[], position: number, done: Done): void {
		this.#begin();
		const control = this.#control;
		let total = 0;
		for (const slice of slices) total += slice.byteLength;
		const finish = (error: Error | null): void => {
			this.#end();
			done(error);
		};
		if (this.#failure !== null || total === 0) {
			this.#process.schedule(0, () => finish(this.#failure));
			return;
		}
		const inFlight = new WriteInFlight(this.#inode, slices, position, this.path);
		control.inFlight.add(inFlight);
		control.schedule(this.#process, 'write', total, () => {
			control.inFlight.delete(inFlight);
			const bytes = inFlight.take();
			control.trace('write', this.path, position, inFlight.checksum);
			const errno = this.#refusal(position + total) ?? control.fault('write', this.path);
			if (errno !== null) {
				// Of a write that fails nobody knows what reached the disk.
				if (errno !== 'EBADF') {
					this.#inode.writePartly(position, bytes, control.random);
					control.onTorn?.({ path: this.path, position, bytes });
				}
				this.#failure ??= new DiskError('write', this.path, failure(errno));
				finish(this.#failure);
				return;
			}
			const write = { path: this.path, position, bytes };
			control.onWriting?.(write);
			if (this.#durable) this.#inode.writeThrough(position, bytes);
			else this.#inode.write(position, bytes);
			control.onWritten?.(write, this.#durable);
			finish(null);
		});
	}

	async sync(): Promise<void> {
		if (this.#failure !== null) throw this.#failure;
		const { writes } = this.#inode;
		try {
			await this.#do('sync', 0, () => {
				if (this.#failure !== null) throw this.#failure;
				this.#inode.sync(writes);
			});
		} catch (error) {
			if (this.#failure === null) this.#inode.syncFailed(this.#control.random);
			this.#failure ??= error as Error;
			throw error;
		}
	}

	async close(): Promise<void> {
		assert(!this.#closing, 'a file is closed once');
		this.#closing = true;
		if (this.#running > 0)
			await new Promise<void>((resolve) => {
				this.#idle = resolve;
			});
		await perform(this.#process, this.#control, 'close', this.path, 0, () => {});
	}

	#refusal(end: number): string | null {
		if (!this.#writable) return 'EBADF';
		const growth = end - this.#inode.current.length;
		return growth > 0 && growth > this.#control.fileSystem.freeBytes ? 'ENOSPC' : null;
	}

	async #do<T>(operation: string, bytes: number, run: () => T): Promise<T> {
		this.#begin();
		try {
			return await perform(this.#process, this.#control, operation, this.path, bytes, run);
		} finally {
			this.#end();
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
}

/** A write the disk has. It isn't copied before it ends, so that a caller who changes the memory too
 * early is found. */
export class WriteInFlight {
	readonly inode: Inode;
	readonly position: number;
	readonly #slices: readonly Uint8Array[];
	readonly path: string;
	readonly checksum: number;

	constructor(inode: Inode, slices: readonly Uint8Array[], position: number, path: string) {
		this.inode = inode;
		this.position = position;
		// The array itself may be used again by the caller at once.
		this.#slices = slices.slice();
		this.path = path;
		this.checksum = slices.reduce((sum, slice) => crc32(slice, sum), 0);
	}

	take(): Uint8Array {
		const bytes = Buffer.concat(this.#slices);
		assert(
			crc32(bytes) === this.checksum,
			`${this.path}: memory changed before its write at ${this.position} was done`,
		);
		return bytes;
	}
}

/** Takes the time the operation takes, then does it, or reports what was to go wrong. In a process that
 * ends meanwhile the promise never settles. */
function perform<T>(
	process: SimulatedProcess,
	control: DiskControl,
	operation: string,
	path: string,
	bytes: number,
	run: () => T,
): Promise<T> {
	return new Promise((resolve, reject) => {
		control.schedule(process, operation, bytes, () => {
			control.trace(operation, path, bytes, null);
			try {
				const errno = control.fault(operation, path);
				if (errno !== null) throw failure(errno);
				resolve(run());
			} catch (error) {
				reject(error instanceof Failure ? new DiskError(operation, path, error) : error);
			}
		});
	});
}

class Failure extends Error {
	readonly code: string;

	constructor(errno: string) {
		super(`simulated ${errno}`);
		this.code = errno;
	}
}

function failure(errno: string): Failure {
	return new Failure(errno);
}
