import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DirectoryLocked } from '../src/errors.js';
import type { DirectoryLock } from '../src/io.js';

/**
 * A lock file that survives SIGKILL of its holder. Node has no `flock`, so the file says who holds it,
 * and who comes later judges whether that process still lives.
 *
 * The file `LOCK` appears by `link`, whole and only if there is none. A dead holder's file is replaced
 * only by who holds the lock `LOCK.<nonce of the dead holder>`, taken in just the same way. So at any
 * moment one process at most may replace a given file, and it looks again before it does: a file that
 * was judged long ago can't be replaced after somebody living took its place. (To rename the stale file
 * away and then look what it was leaves a moment in which a living holder has no `LOCK`.)
 */

interface Holder {
	/** Never repeats: tells this taking of the lock from every other. */
	readonly nonce: string;
	readonly pid: number;
	/** In clock ticks since boot; null where there is no /proc. */
	readonly start: string | null;
	readonly boot: string | null;
	/** The pid namespace: a pid means something only within it. */
	readonly namespace: string | null;
	readonly host: string;
}

const fileName = 'LOCK';

/** A lock appears whole, so only a power failure can have damaged it: its holder died with the machine. */
const damaged: Holder = {
	nonce: 'damaged',
	pid: 0,
	start: null,
	boot: 'damaged',
	namespace: null,
	host: '',
};

/** Directories locked by this process, by their real path. */
const heldHere = new Set<string>();

export async function lockDirectory(directory: string): Promise<DirectoryLock> {
	const real = await fs.realpath(directory);
	if (heldHere.has(real)) throw new DirectoryLocked(directory, describe(process.pid));
	heldHere.add(real);
	try {
		const self = await describeSelf();
		const temporary = join(real, `${fileName}.${self.nonce}.tmp`);
		await fs.writeFile(temporary, JSON.stringify(self), { flag: 'wx' });
		try {
			await take(directory, real, fileName, temporary);
		} finally {
			await fs.rm(temporary, { force: true });
		}
		await sweep(real);
		return new NativeLock(real, self.nonce);
	} catch (error) {
		heldHere.delete(real);
		throw error;
	}
}

class NativeLock implements DirectoryLock {
	readonly #directory: string;
	readonly #nonce: string;
	#released = false;

	constructor(directory: string, nonce: string) {
		this.#directory = directory;
		this.#nonce = nonce;
	}

	async release(): Promise<void> {
		if (this.#released) return;
		this.#released = true;
		const path = join(this.#directory, fileName);
		// An operator may have removed it by hand, and another may hold the directory since.
		if ((await readHolder(path))?.nonce === this.#nonce) await fs.rm(path, { force: true });
		heldHere.delete(this.#directory);
	}
}

/** Makes `name` a link to `temporary`; throws if a living process has it. */
async function take(
	directory: string,
	real: string,
	name: string,
	temporary: string,
): Promise<void> {
	const path = join(real, name);
	for (;;) {
		try {
			await fs.link(temporary, path);
			return;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		}
		const holder = await readHolder(path);
		if (holder === null) continue;
		if (await lives(holder))
			throw new DirectoryLocked(directory, describe(holder.pid, holder.host));
		const right = `${fileName}.${holder.nonce}`;
		await take(directory, real, right, temporary);
		try {
			if ((await readHolder(path))?.nonce !== holder.nonce) continue;
			// A rename between two links of one file does nothing, so it needs a link of its own.
			const replacement = `${temporary}.${randomUUID()}`;
			await fs.link(temporary, replacement);
			await fs.rename(replacement, path);
			return;
		} finally {
			await fs.rm(join(real, right), { force: true });
		}
	}
}

/** Removes what those left who were killed while they took the lock. */
async function sweep(real: string): Promise<void> {
	for (const name of await fs.readdir(real)) {
		if (!name.startsWith(`${fileName}.`)) continue;
		const holder = await readHolder(join(real, name));
		// One that can't be read may just be written, by somebody who lives.
		if (holder === null || holder === damaged) continue;
		if (!(await lives(holder))) await fs.rm(join(real, name), { force: true });
	}
}

async function readHolder(path: string): Promise<Holder | null> {
	const text = await readIfThere(path);
	if (text === null) return null;
	try {
		const holder = JSON.parse(text) as Holder;
		if (typeof holder.nonce === 'string' && Number.isSafeInteger(holder.pid)) return holder;
	} catch {
		// Judged below.
	}
	return damaged;
}

async function lives(holder: Holder): Promise<boolean> {
	if (holder.boot !== (await bootId())) return false;
	if (holder.namespace !== (await pidNamespace())) {
		// A container on this machine. Under our own name it is the one we were before a restart;
		// another one can't be seen from here, and to take it for dead could cost its data.
		return holder.host !== hostname();
	}
	const stat = await processStat(holder.pid);
	if (stat !== null) return stat.running && stat.start === holder.start;
	try {
		process.kill(holder.pid, 0);
		// Without /proc that is all there is to know; with it, the process began just now.
		return holder.start === null;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM' && holder.start === null;
	}
}

async function describeSelf(): Promise<Holder> {
	return {
		nonce: randomUUID(),
		pid: process.pid,
		start: (await processStat(process.pid))?.start ?? null,
		boot: await bootId(),
		namespace: await pidNamespace(),
		host: hostname(),
	};
}

function describe(pid: number, host = hostname()): string {
	return host === hostname()
		? `process ${pid}`
		: `process ${pid} on ${host} (if that is gone, remove ${fileName})`;
}

async function processStat(pid: number): Promise<{ running: boolean; start: string } | null> {
	const text = await readIfThere(`/proc/${pid}/stat`);
	if (text === null) return null;
	// The second field, the name in parentheses, may hold anything, also parentheses and spaces.
	const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
	const [state, threads, start] = [fields[0]!, Number(fields[17]), fields[19]!];
	// A zombie that waits for its parent is dead, unless one of its threads is still in a write.
	return { running: !(state === 'Z' || state === 'X') || threads > 1, start };
}

async function bootId(): Promise<string | null> {
	return (await readIfThere('/proc/sys/kernel/random/boot_id'))?.trim() ?? null;
}

async function pidNamespace(): Promise<string | null> {
	return fs.readlink('/proc/self/ns/pid').catch(() => null);
}

async function readIfThere(path: string): Promise<string | null> {
	try {
		return await fs.readFile(path, 'utf8');
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		// ESRCH: the process ended between open and read.
		if (code === 'ENOENT' || code === 'ESRCH') return null;
		throw error;
	}
}
