import { DiskError } from '../../src/errors.js';
import type { Disk, DiskFile } from '../../src/io.js';
import { type Files, LOG_DIRECTORY } from './harness.js';

/** The log directory of a disk that takes no time and never fails: for opening a hundred thousand damaged logs. The
 * files it was given are not changed. */
export class MemoryDisk implements Disk {
	readonly #files: Map<string, Uint8Array>;

	constructor(files: Files) {
		this.#files = new Map([...files].map(([name, bytes]) => [`${LOG_DIRECTORY}/${name}`, bytes]));
	}

	async lock(): Promise<never> {
		throw new Error('not for locks');
	}

	async makeDirectory(): Promise<void> {}

	async list(): Promise<string[]> {
		return [...this.#files.keys()].map((path) => path.slice(LOG_DIRECTORY.length + 1)).sort();
	}

	async open(path: string): Promise<DiskFile> {
		if (!this.#files.has(path)) throw new DiskError('open', path, new Error('ENOENT'));
		return new MemoryFile(path, this.#files);
	}

	async readSmall(): Promise<null> {
		return null;
	}

	async writeSmall(): Promise<void> {}

	async rename(from: string, to: string): Promise<void> {
		this.#files.set(to, this.#files.get(from)!);
		this.#files.delete(from);
	}

	async remove(path: string): Promise<void> {
		this.#files.delete(path);
	}

	async syncDirectory(): Promise<void> {}

	async freeBytes(): Promise<number> {
		return 2 ** 40;
	}
}

class MemoryFile implements DiskFile {
	readonly path: string;
	readonly #files: Map<string, Uint8Array>;

	constructor(path: string, files: Map<string, Uint8Array>) {
		this.path = path;
		this.#files = files;
	}

	get #bytes(): Uint8Array {
		return this.#files.get(this.path)!;
	}

	async size(): Promise<number> {
		return this.#bytes.length;
	}

	async read(target: Uint8Array, position: number): Promise<number> {
		const found = this.#bytes.subarray(position, position + target.length);
		target.set(found);
		return found.length;
	}

	writev(
		slices: readonly Uint8Array[],
		position: number,
		done: (error: Error | null) => void,
	): void {
		const written = Buffer.concat(slices);
		const bytes = new Uint8Array(Math.max(this.#bytes.length, position + written.length));
		bytes.set(this.#bytes);
		bytes.set(written, position);
		this.#files.set(this.path, bytes);
		queueMicrotask(() => done(null));
	}

	async sync(): Promise<void> {}

	async close(): Promise<void> {}
}
