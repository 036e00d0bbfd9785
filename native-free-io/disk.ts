import fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { assert } from '../src/assert.js';
import { DiskError } from '../src/errors.js';
import type { DirectoryLock, Disk, DiskFile } from '../src/io.js';
import { NativeFile } from './file.js';
import { lockDirectory } from './lock.js';
import { makeDirectories } from './make-directories.js';

/**
 * `Disk` on `node:fs`.
 *
 * Only `writev` is hot; the rest happens at start, at a snapshot or once per segment, so plain
 * promises serve there.
 */

const fsClose = promisify(fs.close);
const fsFsync = promisify(fs.fsync);
const fsOpen = promisify(fs.open);

const {
	O_CREAT,
	O_EXCL,
	O_RDONLY,
	O_RDWR,
	O_TRUNC,
	O_WRONLY,
	// Windows doesn't have it.
	O_DSYNC = 0,
} = fs.constants;

// On macOS O_DSYNC stops at the drive's cache, while libuv's fdatasync goes through it (F_FULLFSYNC).
const durableFlag = process.platform === 'darwin' ? 0 : O_DSYNC;

const modeFlags = {
	read: O_RDONLY,
	write: O_RDWR,
	create: O_RDWR | O_CREAT | O_EXCL,
} as const;

export class NativeDisk implements Disk {
	/** Files that `writeSmall` works on now: two at once would share the temporary file. */
	readonly #replacing = new Set<string>();

	lock(directory: string): Promise<DirectoryLock> {
		return attempt('lock', directory, () => lockDirectory(directory));
	}

	makeDirectory(name: string): Promise<void> {
		const path = resolve(name);
		return attempt('makeDirectory', path, async () => {
			const first = await makeDirectories(path);
			if (first === null) {
				// It was there. Whoever made it may have been killed before its sync, so sync it again,
				// unless the parent isn't ours to read: then somebody else prepared it.
				await syncEntries(dirname(path)).catch((error: NodeJS.ErrnoException) => {
					if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
				});
				return;
			}
			const top = dirname(first);
			for (let parent = dirname(path); ; parent = dirname(parent)) {
				await syncEntries(parent);
				if (parent.length <= top.length) return;
			}
		});
	}

	list(path: string): Promise<string[]> {
		return attempt('list', path, async () => (await fs.promises.readdir(path)).sort());
	}

	open(path: string, mode: 'read' | 'write' | 'create', durable: boolean): Promise<DiskFile> {
		return attempt('open', path, async () => {
			const descriptor = await fsOpen(path, modeFlags[mode] | (durable ? durableFlag : 0), 0o666);
			return new NativeFile(path, descriptor, durable && durableFlag === 0);
		});
	}

	readSmall(path: string): Promise<Uint8Array | null> {
		return attempt('readSmall', path, async () => {
			try {
				return await fs.promises.readFile(path);
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
				throw error;
			}
		});
	}

	async writeSmall(path: string, bytes: Uint8Array): Promise<void> {
		assert(!this.#replacing.has(path), 'one writeSmall of a path at a time');
		this.#replacing.add(path);
		try {
			await attempt('writeSmall', path, () => replaceFile(path, bytes));
		} finally {
			this.#replacing.delete(path);
		}
	}

	async rename(from: string, to: string): Promise<void> {
		assert(dirname(from) === dirname(to), 'a rename stays within its directory');
		return attempt('rename', from, () => fs.promises.rename(from, to));
	}

	remove(path: string): Promise<void> {
		return attempt('remove', path, () => fs.promises.unlink(path));
	}

	syncDirectory(path: string): Promise<void> {
		return attempt('syncDirectory', path, () => syncEntries(path));
	}

	freeBytes(path: string): Promise<number> {
		return attempt('freeBytes', path, async () => {
			const { bavail, bsize } = await fs.promises.statfs(path);
			return bavail * bsize;
		});
	}
}

async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
	// A name that doesn't vary: what a crash left there is overwritten by the next attempt.
	const temporary = `${path}.tmp`;
	try {
		const handle = await fs.promises.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0o666);
		try {
			await handle.writeFile(bytes);
			await handle.sync();
		} finally {
			await handle.close();
		}
		await fs.promises.rename(temporary, path);
	} catch (error) {
		// Best effort, above all for a disk that is full. The first error is the one that tells.
		await fs.promises.unlink(temporary).catch(() => {});
		throw error;
	}
	await syncEntries(dirname(path));
}

async function syncEntries(directory: string): Promise<void> {
	// Windows can't sync a directory; NTFS journals its entries itself.
	if (process.platform === 'win32') return;
	const descriptor = await fsOpen(directory, O_RDONLY);
	try {
		await fsFsync(descriptor);
	} finally {
		await fsClose(descriptor);
	}
}

/** Runs it, and gives what Node throws (anything with an errno) our type. */
async function attempt<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
	try {
		return await run();
	} catch (error) {
		if (error instanceof Error && 'errno' in error && !(error instanceof DiskError))
			throw new DiskError(operation, path, error as NodeJS.ErrnoException);
		throw error;
	}
}
