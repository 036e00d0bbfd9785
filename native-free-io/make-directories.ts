import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory, and those above it that are missing. Not Node's `recursive`: where the kernel lets nobody make anything, as
 * in `/proc`, that tries for ever, and the process can't even be asked to end.
 * @returns the topmost that was made; null if it was there
 */
export async function makeDirectories(path: string): Promise<string | null> {
	try {
		await mkdir(path);
		return path;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code !== 'ENOENT') return ifThere(path, error as Error);
		const parent = dirname(path);
		if (parent === path) throw error;
		const topmost = await makeDirectories(parent);
		await mkdir(path).catch((again: Error) => ifThere(path, again));
		return topmost ?? path;
	}
}

async function ifThere(path: string, failure: Error): Promise<null> {
	const found = await stat(path).catch(() => null);
	if (found?.isDirectory() === true) return null;
	throw failure;
}
