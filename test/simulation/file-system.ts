import { posix } from 'node:path';
import type { SimulatedRandom } from './random.js';

/**
 * What a machine's disk holds, and what its page cache holds over that. Nothing here takes time; the
 * door in `disk.ts` decides when something happens.
 *
 * The rules at a power failure, as hard as POSIX lets them be:
 * - A write that wasn't synced is kept or lost sector by sector, in any order, and a sector now and then up to any byte.
 * - Changes of a directory that weren't synced are kept up to some point: journals keep their order.
 * - Syncing a file says nothing about its name, and syncing a directory nothing about its files.
 */

/** What a disk writes at a time. */
export const sectorBytes = 512;

interface UnsyncedWrite {
	readonly position: number;
	readonly bytes: Uint8Array;
}

/** A file, under whichever name. */
export class Inode {
	/** What a read sees. */
	readonly current = new Extent();
	/** What is on disk. */
	readonly durable = new Extent();
	/** Written since the last sync, in order. */
	#unsynced: UnsyncedWrite[] = [];
	/** How many writes came before those. */
	#settled = 0;

	/** Into the page cache. `bytes` is taken over. */
	write(position: number, bytes: Uint8Array): void {
		this.current.write(position, bytes);
		this.#unsynced.push({ position, bytes });
	}

	/** Into the page cache and onto the disk. */
	writeThrough(position: number, bytes: Uint8Array): void {
		this.current.write(position, bytes);
		this.durable.write(position, bytes);
		// Older writes to these pages are settled with it: when they are synced or torn later, they
		// must not bring back what was there before.
		for (const older of this.#unsynced) overlay(older.bytes, older.position, bytes, position);
	}

	/** A write the disk was at when it failed, or when its process was killed: some sectors of it. */
	writePartly(position: number, bytes: Uint8Array, random: SimulatedRandom): void {
		const keep = keepChance(random);
		const end = position + bytes.byteLength;
		for (let at = position; at < end; at = nextSector(at)) {
			if (!random.chance(keep)) continue;
			const part = bytes.slice(at - position, Math.min(nextSector(at), end) - position);
			this.write(at, tornOrWhole(part, random));
		}
	}

	/** Bytes change by themselves, on the disk and for whoever reads. */
	damage(position: number, bytes: Uint8Array): void {
		this.current.write(position, bytes);
		this.durable.write(position, bytes);
	}

	/** How many writes there were: what a sync that begins now will settle. */
	get writes(): number {
		return this.#settled + this.#unsynced.length;
	}

	/** Makes the first `writes` writes durable, counted from the beginning. */
	sync(writes: number): void {
		const settled = this.#unsynced.splice(0, Math.max(0, writes - this.#settled));
		this.#settled += settled.length;
		for (const { position, bytes } of settled) this.durable.write(position, bytes);
	}

	/** A sync that failed: some sectors got through, and the kernel holds all pages for clean, so that
	 * no later sync will write them. */
	syncFailed(random: SimulatedRandom): void {
		this.#tear(random);
	}

	/** The power fails: what wasn't synced is torn, and the page cache is gone. */
	crash(random: SimulatedRandom): void {
		this.#tear(random);
		this.current.become(this.durable);
	}

	#tear(random: SimulatedRandom): void {
		const writes = this.#unsynced;
		this.#unsynced = [];
		this.#settled += writes.length;
		if (writes.length === 0) return;
		const sectors = new Map<number, UnsyncedWrite[]>();
		for (const write of writes) {
			const last = write.position + write.bytes.byteLength - 1;
			for (let sector = sectorOf(write.position); sector <= sectorOf(last); sector++) {
				const list = sectors.get(sector);
				if (list === undefined) sectors.set(sector, [write]);
				else list.push(write);
			}
		}
		const keep = keepChance(random);
		for (const [sector, list] of sectors) {
			// One version of the sector reached the disk: any of those that were in the page cache.
			const kept = random.chance(keep) ? list.length : random.below(list.length);
			const start = sector * sectorBytes;
			for (let i = 0; i < kept; i++) {
				const { position, bytes } = list[i]!;
				const from = Math.max(start, position);
				const to = Math.min(start + sectorBytes, position + bytes.byteLength);
				const part = bytes.subarray(from - position, to - position);
				this.durable.write(from, i === kept - 1 ? tornOrWhole(part, random) : part);
			}
		}
		// The length may have been journalled while the data was not.
		if (random.chance(0.25)) this.durable.extend(this.current.length);
	}
}

/** Bytes that grow. */
class Extent {
	#bytes = new Uint8Array(0);
	#length = 0;

	get length(): number {
		return this.#length;
	}

	/** The bytes themselves, not a copy. */
	get view(): Uint8Array {
		return this.#bytes.subarray(0, this.#length);
	}

	write(position: number, bytes: Uint8Array): void {
		this.extend(position + bytes.byteLength);
		this.#bytes.set(bytes, position);
	}

	extend(length: number): void {
		if (length > this.#bytes.byteLength) {
			const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.byteLength, 4_096));
			larger.set(this.view);
			this.#bytes = larger;
		}
		this.#length = Math.max(this.#length, length);
	}

	become(other: Extent): void {
		this.extend(other.length);
		this.#bytes.set(other.view);
		// What lies behind the end is zeros, for whoever extends it.
		this.#bytes.fill(0, other.length, this.#length);
		this.#length = other.length;
	}
}

/** One atomic change: names and what they mean after it (null: nothing). */
type Change = readonly (readonly [name: string, inode: Inode | null])[];

export class Directory {
	#current = new Map<string, Inode>();
	readonly #durable = new Map<string, Inode>();
	readonly #unsynced: Change[] = [];
	#settled = 0;

	get(name: string): Inode | undefined {
		return this.#current.get(name);
	}

	get names(): string[] {
		return [...this.#current.keys()];
	}

	get inodes(): Iterable<Inode> {
		return this.#current.values();
	}

	change(change: Change): void {
		apply(this.#current, change);
		this.#unsynced.push(change);
	}

	/** How many changes there were: what a sync that begins now will settle. */
	get changes(): number {
		return this.#settled + this.#unsynced.length;
	}

	/** Makes the first `changes` changes durable, counted from the beginning. */
	sync(changes: number): void {
		const settled = this.#unsynced.splice(0, Math.max(0, changes - this.#settled));
		this.#settled += settled.length;
		for (const change of settled) apply(this.#durable, change);
	}

	crash(random: SimulatedRandom): void {
		this.sync(this.#settled + random.below(this.#unsynced.length + 1));
		this.#settled += this.#unsynced.length;
		this.#unsynced.length = 0;
		this.#current = new Map(this.#durable);
	}
}

export class FileSystem {
	readonly #directories = new Map<string, Directory>([['/', new Directory()]]);
	/** Room for file contents. */
	capacityBytes = 2 ** 40;

	directory(path: string): Directory | undefined {
		return this.#directories.get(posix.resolve('/', path));
	}

	/** The directory a path lies in, and its last name. */
	parent(path: string): { directory: Directory | undefined; name: string } {
		const full = posix.resolve('/', path);
		return { directory: this.directory(posix.dirname(full)), name: posix.basename(full) };
	}

	inode(path: string): Inode | undefined {
		const { directory, name } = this.parent(path);
		return directory?.get(name);
	}

	makeDirectory(path: string): void {
		for (let full = posix.resolve('/', path); full !== '/'; full = posix.dirname(full))
			if (!this.#directories.has(full)) this.#directories.set(full, new Directory());
	}

	/** A new disk in the place of the old one. */
	wipe(): void {
		this.#directories.clear();
		this.#directories.set('/', new Directory());
	}

	/** Names of files and directories in it, sorted. */
	list(path: string): string[] {
		const full = posix.resolve('/', path);
		const names = this.#directories.get(full)!.names;
		for (const other of this.#directories.keys())
			if (other !== '/' && posix.dirname(other) === full) names.push(posix.basename(other));
		return names.sort();
	}

	/** Paths of all files. */
	get files(): string[] {
		return [...this.#directories]
			.flatMap(([path, directory]) => directory.names.map((name) => posix.join(path, name)))
			.sort();
	}

	get freeBytes(): number {
		let used = 0;
		for (const inode of this.#all()) used += inode.current.length;
		return Math.max(0, this.capacityBytes - used);
	}

	crash(random: SimulatedRandom): void {
		// All names first: a file that loses its last name is gone, whatever it holds.
		for (const directory of this.#directories.values()) directory.crash(random);
		for (const inode of this.#all()) inode.crash(random);
	}

	*#all(): Iterable<Inode> {
		for (const directory of this.#directories.values()) yield* directory.inodes;
	}
}

function apply(names: Map<string, Inode>, change: Change): void {
	for (const [name, inode] of change) {
		if (inode === null) names.delete(name);
		else names.set(name, inode);
	}
}

function sectorOf(position: number): number {
	return Math.floor(position / sectorBytes);
}

function nextSector(position: number): number {
	return (sectorOf(position) + 1) * sectorBytes;
}

/** All, nothing, or anything between: a uniform chance would almost never lose just one sector of
 * many, nor all of them. */
function keepChance(random: SimulatedRandom): number {
	const kind = random.below(4);
	if (kind < 2) return kind;
	return kind === 2 ? random.next() : 1 - random.next() ** 4 / 8;
}

/** A sector is written as a whole, or now and then up to some byte. */
function tornOrWhole(part: Uint8Array, random: SimulatedRandom): Uint8Array {
	return random.chance(0.05) ? part.subarray(0, random.below(part.byteLength)) : part;
}

/** Copies into `target` (which lies at `targetPosition`) what it shares with `source`. */
function overlay(
	target: Uint8Array,
	targetPosition: number,
	source: Uint8Array,
	sourcePosition: number,
): void {
	const from = Math.max(targetPosition, sourcePosition);
	const to = Math.min(targetPosition + target.byteLength, sourcePosition + source.byteLength);
	if (from < to)
		target.set(source.subarray(from - sourcePosition, to - sourcePosition), from - targetPosition);
}
