import { expect } from 'vitest';
import { JournalDisk } from '../../src/host/journal-disk.js';
import type { Disk, DiskFile } from '../../src/io.js';
import { write } from '../contract/disk.js';
import { DIRECTORY, Machine } from '../log/harness.js';
import { JournalWitness } from './journal-witness.js';

const FILE_BYTES = 1600;
/** So little that all comes to pass: what is written as it comes, what waits, and no memory for more. */
export const LATE = { lateMs: 8, copiedBytesMax: 400, runBytes: 500, slabBytes: 600, slabsMax: 3 };

/** A file under whichever name: for each byte, what it may be after a crash. */
class Life {
	readonly allowed: number[][] = Array.from({ length: FILE_BYTES }, () => [0]);

	fits(bytes: Uint8Array): boolean {
		return this.allowed.every((values, i) => values.includes(bytes[i] ?? 0));
	}

	begins(position: number, bytes: Uint8Array): void {
		bytes.forEach((byte, i) => void this.allowed[position + i]!.push(byte));
	}

	ends(position: number, bytes: Uint8Array): void {
		for (const [i, byte] of bytes.entries()) this.allowed[position + i] = [byte];
	}

	becomes(bytes: Uint8Array): void {
		for (let i = 0; i < FILE_BYTES; i++) this.allowed[i] = [bytes[i] ?? 0];
	}
}

type Names = ReadonlyMap<string, Life>;

/** Somebody with a directory of their own, who makes, writes, renames, removes and makes again. */
class Owner {
	readonly directory: string;
	readonly #machine: Machine;
	/** What the directory may hold, the last one unless something is under way. */
	#names: Names[] = [new Map()];

	constructor(machine: Machine, directory: string) {
		this.#machine = machine;
		this.directory = directory;
	}

	get #now(): Names {
		return this.#names.at(-1)!;
	}

	async live(disk: Disk): Promise<void> {
		const { random } = this.#machine;
		for (;;) {
			const names = [...this.#now.keys()];
			const kind = random.below(10);
			if (names.length === 0 || kind === 0) await this.#make(disk, `f${random.below(3)}`);
			else if (kind === 1) await this.#rename(disk, pick(names, random), `f${random.below(3)}`);
			else if (kind === 2) await this.#remove(disk, pick(names, random));
			else await this.#write(disk, pick(names, random), random.chance(0.85));
		}
	}

	async #make(disk: Disk, name: string): Promise<void> {
		if (this.#now.has(name)) return;
		const life = new Life();
		await this.#change(disk, new Map([...this.#now, [name, life]]), async () => {
			await (await disk.open(this.#path(name), 'create', this.#machine.random.chance(0.5))).close();
		});
	}

	async #rename(disk: Disk, from: string, to: string): Promise<void> {
		const names = new Map(this.#now);
		names.delete(from);
		names.set(to, this.#now.get(from)!);
		await this.#change(disk, names, () => disk.rename(this.#path(from), this.#path(to)));
	}

	async #remove(disk: Disk, name: string): Promise<void> {
		const names = new Map(this.#now);
		names.delete(name);
		await this.#change(disk, names, () => disk.remove(this.#path(name)));
	}

	async #change(disk: Disk, names: Names, work: () => Promise<void>): Promise<void> {
		this.#names.push(names);
		await work();
		await disk.syncDirectory(this.directory);
		this.#names = [names];
	}

	async #write(disk: Disk, name: string, durable: boolean): Promise<void> {
		const { random } = this.#machine;
		const life = this.#now.get(name)!;
		const file = await disk.open(this.#path(name), 'write', durable);
		for (let i = random.below(4); i >= 0; i--) {
			const position = random.below(FILE_BYTES - 1);
			const length = 1 + random.below(Math.min(600, FILE_BYTES - position));
			const bytes = new Uint8Array(length).fill(1 + random.below(255));
			life.begins(position, bytes);
			await write(file, [bytes.subarray(0, 3), bytes.subarray(3)], position);
			if (!durable) await file.sync();
			const kind = random.below(4);
			// To read is to have it written: two writes in a row leave something that waits.
			if (kind === 0) await this.#expectIn(file, position, bytes);
			else if (kind === 1) await this.#expectSeen(disk, name, position, bytes);
			life.ends(position, bytes);
		}
		await file.close();
	}

	async #expectIn(file: DiskFile, position: number, bytes: Uint8Array): Promise<void> {
		const found = new Uint8Array(bytes.length);
		await file.read(found, position);
		expect(Buffer.compare(found, bytes), 'what is done is read').toBe(0);
	}

	/** By who opens it only to read. */
	async #expectSeen(disk: Disk, name: string, position: number, bytes: Uint8Array): Promise<void> {
		const file = await disk.open(this.#path(name), 'read', false);
		await this.#expectIn(file, position, bytes);
		await file.close();
	}

	#path(name: string): string {
		return `${this.directory}/${name}`;
	}

	/** In a new life: what is there may be. `isCertain`: and is on the disk, not in the kernel's memory alone. */
	check(isCertain: boolean): void {
		const { fileSystem } = this.#machine.disk;
		const files = fileSystem
			.list(this.directory)
			.map((name) => [name, this.#machine.disk.bytes(this.#path(name))] as const);
		const found = this.#names.find(
			(names) =>
				names.size === files.length && files.every(([name, bytes]) => names.get(name)?.fits(bytes)),
		);
		const what = `${this.directory}: ${files.map(([name]) => name)} hold what was done`;
		expect(found, what).toBeDefined();
		this.#names = [found!];
		if (!isCertain) return;
		for (const [name, bytes] of files) found!.get(name)!.becomes(bytes);
	}

	/** As whoever starts anew must: makes the names durable that are there. */
	async settle(disk: Disk): Promise<void> {
		await disk.makeDirectory(this.directory);
		await disk.syncDirectory(this.directory);
	}
}

function pick<T>(list: readonly T[], random: Machine['random']): T {
	return list[random.below(list.length)]!;
}

/** Owners on one journal, through lives that end at any moment. */
export async function journalLives(
	seed: string,
	count: number,
): Promise<JournalDisk['counters'][]> {
	const machine = new Machine(seed);
	const owners = ['a', 'b', 'c'].map((name) => new Owner(machine, `${DIRECTORY}/${name}`));
	const counters: JournalDisk['counters'][] = [];
	const failures: Error[] = [];
	const witness = new JournalWitness(failures);
	const begin = () => {
		const { disk, clock } = machine.options();
		return JournalDisk.open({
			...{ disk: witness.watch(disk), clock, directory: DIRECTORY, fileBytes: 4096, late: LATE },
			random: { next: () => machine.random.next(), identifier: () => 1 },
			onFailure: (error) => failures.push(error),
		});
	};
	for (let life = 0; life < count; life++) {
		let isCrash = life === 0 || machine.random.chance(0.6);
		// It may crash again while it opens.
		while (machine.random.chance(0.3)) {
			begin().catch((error: Error) => failures.push(error));
			await machine.pass(machine.random.next() * 6);
			machine.crash();
			isCrash = true;
		}
		const disk = await machine.until(begin());
		for (const owner of owners) {
			await machine.until(owner.settle(disk));
			if (life > 0) owner.check(isCrash);
		}
		for (const owner of owners) owner.live(disk).catch((error: Error) => failures.push(error));
		await machine.pass(machine.random.next() * 150);
		counters.push(disk.counters);
		if (machine.random.chance(0.6)) machine.crash();
		else machine.kill();
	}
	for (const failure of failures) throw failure;
	return counters;
}
