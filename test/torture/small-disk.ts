import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const BALLAST = 'ballast';
const CHUNK_BYTES = 1024 * 1024;

/** A replica's directory on a small file system in memory, which can be filled up. */
export class SmallDisk {
	readonly replica: number;
	readonly #mount: string;
	readonly directory: string;

	/** Mounts it, which only a process with mounts of its own may do. */
	constructor(replica: number, mount: string, megabytes: number) {
		this.replica = replica;
		this.#mount = mount;
		mkdirSync(mount, { recursive: true });
		const size = `size=${megabytes}m`;
		execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', mount], { stdio: 'pipe' });
		this.directory = join(mount, 'replica');
		mkdirSync(this.directory);
	}

	get freeBytes(): number {
		const { bavail, bsize } = statfsSync(this.#mount);
		return bavail * bsize;
	}

	/** Leaves this much free. */
	async fill(leaveBytes: number): Promise<void> {
		const file = await open(join(this.#mount, BALLAST), 'a');
		const chunk = new Uint8Array(CHUNK_BYTES);
		try {
			for (;;) {
				const bytes = Math.min(CHUNK_BYTES, this.freeBytes - leaveBytes);
				if (bytes <= 0) break;
				await file.write(chunk, 0, bytes);
			}
		} catch (error) {
			// The replica took the rest first: it is full all the same.
			if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
		} finally {
			await file.close();
		}
	}

	empty(): void {
		rmSync(join(this.#mount, BALLAST), { force: true });
	}

	/** Unmounts it. `isKept`: what it holds stays where it was, on the disk below. */
	close(isKept: boolean): void {
		const copy = `${this.#mount}.copy`;
		this.empty();
		if (isKept) cpSync(this.#mount, copy, { recursive: true });
		execFileSync('umount', ['-l', this.#mount], { stdio: 'pipe' });
		if (!isKept) return;
		rmSync(this.#mount, { recursive: true });
		renameSync(copy, this.#mount);
	}
}
