import { assert } from '../assert.js';
import { Corruption, DiskError } from '../errors.js';
import { Memory } from '../format/memory.js';
import type { Disk, DiskFile, Random } from '../io.js';
import type { JournalPlace } from './journal.js';
import { FLUSH_HEADER_BYTES, type FoundFlush, findFlushes, RecordKind } from './journal-frames.js';

const FILE_NAMES = ['journal-0', 'journal-1'] as const;
const SALT_NAME = 'journal.json';
const ZEROS_BYTES = 1024 * 1024;

export interface OpenJournal {
	/** It was made now, and isn't known as such until `markMade`. */
	readonly isNew: boolean;
	/** Tells this journal's flushes from other bytes. */
	readonly salt: number;
	readonly files: readonly [JournalFile, JournalFile];
	readonly place: JournalPlace;
}

interface JournalFile {
	readonly file: DiskFile;
	readonly bytes: number;
}

interface Options {
	readonly disk: Disk;
	readonly random: Random;
	readonly directory: string;
	readonly fileBytes: number;
}

/**
 * Makes the journal, or replays the one that is there: afterwards every file holds, durably, what the journal says, and
 * the next flush must say that nothing of it is needed any more. To be interrupted does no harm.
 *
 * What counts is decided by the last flush that is whole: all from its `keepFrom` to itself. Flushes follow each other one
 * at a time, so only one behind it can be torn. If one before it isn't whole, acknowledged data is damaged: `Corruption`.
 */
export async function openJournal(options: Options): Promise<OpenJournal> {
	const { disk, directory } = options;
	const bytes = await disk.readSmall(`${directory}/${SALT_NAME}`);
	if (bytes === null) return await makeJournal(options);
	const salt = saltOf(`${directory}/${SALT_NAME}`, bytes);
	const found: FoundFlush[][] = [];
	const sizes: number[] = [];
	for (const name of FILE_NAMES) {
		const memory = await readAll(disk, `${directory}/${name}`);
		sizes.push(memory.size);
		found.push(findFlushes(memory, salt));
	}
	const needed = neededOf(directory, found);
	if (needed.length === 0) {
		throw new Corruption(
			`${directory}/${FILE_NAMES[0]}`,
			0,
			'there is no flush of the journal left',
		);
	}
	await replay(options, needed);
	const place = placeBehind(found, sizes, needed.at(-1)!);
	const files = [await openFile(options, 0, sizes[0]!), await openFile(options, 1, sizes[1]!)];
	return { isNew: false, salt, files: files as [JournalFile, JournalFile], place };
}

/** Says that the journal is there; from then on it has a flush, or it is damaged. Until then it is made anew at each
 * start, for nobody has written through it. */
export async function markMade(
	{ disk, directory }: Pick<Options, 'disk' | 'directory'>,
	salt: number,
): Promise<void> {
	const json = JSON.stringify({ format: 1, salt });
	await disk.writeSmall(`${directory}/${SALT_NAME}`, new TextEncoder().encode(`${json}\n`));
}

async function makeJournal(options: Options): Promise<OpenJournal> {
	const { disk, directory, fileBytes, random } = options;
	assert(fileBytes % 4096 === 0, 'a journal is a multiple of 4096 bytes');
	await disk.makeDirectory(directory);
	const names = await disk.list(directory);
	for (const name of FILE_NAMES) {
		if (names.includes(name)) await disk.remove(`${directory}/${name}`);
		await fill(disk, `${directory}/${name}`, fileBytes);
	}
	await disk.syncDirectory(directory);
	const salt = Math.floor(random.next() * 2 ** 32);
	const files = [await openFile(options, 0, fileBytes), await openFile(options, 1, fileBytes)];
	const place: JournalPlace = { file: 0, position: 0, sequence: 1 };
	return { isNew: true, salt, files: files as [JournalFile, JournalFile], place };
}

function saltOf(path: string, bytes: Uint8Array): number {
	try {
		const { format, salt } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
		if (format === 1 && typeof salt === 'number' && salt >>> 0 === salt) return salt;
	} catch {
		// Falls through: not JSON is as wrong as JSON of another shape.
	}
	throw new Corruption(path, 0, 'it is not what it was written as');
}

async function openFile({ disk, directory }: Options, half: 0 | 1, bytes: number) {
	const file = await disk.open(`${directory}/${FILE_NAMES[half]}`, 'write', true);
	return { file, bytes };
}

async function fill(disk: Disk, path: string, bytes: number): Promise<void> {
	const file = await disk.open(path, 'create', false);
	try {
		const zeros = new Uint8Array(Math.min(ZEROS_BYTES, bytes));
		for (let at = 0; at < bytes; at += zeros.length) {
			await write(file, zeros.subarray(0, Math.min(zeros.length, bytes - at)), at);
		}
		await file.sync();
	} finally {
		await file.close();
	}
}

async function readAll(disk: Disk, path: string): Promise<Memory> {
	const file = await disk.open(path, 'read', false);
	try {
		const size = await file.size();
		const memory = new Memory(size - (size % FLUSH_HEADER_BYTES));
		await file.read(memory.bytes, 0);
		return memory;
	} finally {
		await file.close();
	}
}

/** What must be replayed, in order: at least the last flush, if there is any. */
function neededOf(directory: string, found: readonly FoundFlush[][]): FoundFlush[] {
	const all = found.flat().sort((a, b) => a.sequence - b.sequence);
	const last = all.at(-1);
	if (last === undefined) return [];
	const needed = all.filter(({ sequence }) => sequence >= last.keepFrom);
	for (let i = 0; i < needed.length; i++) {
		if (needed[i]!.sequence === last.keepFrom + i) continue;
		const before = needed[i - 1] ?? needed[i]!;
		const half = found.findIndex((flushes) => flushes.includes(before));
		throw new Corruption(
			`${directory}/${FILE_NAMES[half]}`,
			before.end,
			`flush ${last.keepFrom + i} of the journal is not whole, and there are later ones`,
		);
	}
	return needed;
}

/** Behind the last flush, whose file has room for it or else has freed the other one: nothing that is needed until the
 * next flush is durable is written over. */
function placeBehind(
	found: readonly FoundFlush[][],
	sizes: readonly number[],
	last: FoundFlush,
): JournalPlace {
	// One that is torn has the next number; it never counts, whatever becomes of it.
	const sequence = last.sequence + 2;
	const half = found[0]!.includes(last) ? 0 : 1;
	if (last.end + FLUSH_HEADER_BYTES <= sizes[half]!) {
		return { file: half, position: last.end, sequence };
	}
	const other = half === 0 ? 1 : 0;
	const isFree = found[other]!.every((flush) => flush.sequence < last.keepFrom);
	assert(isFree, 'a file that is full to its end has freed the other one');
	return { file: other, position: 0, sequence };
}

async function replay(options: Options, flushes: readonly FoundFlush[]): Promise<void> {
	const writes = new Map<string, { position: number; content: Uint8Array }[]>();
	for (const flush of flushes) {
		for (const { kind, path, position, content } of flush.records) {
			const name = new TextDecoder().decode(path);
			if (kind === RecordKind.forget) writes.delete(name);
			else if (!writes.has(name)) writes.set(name, [{ position, content }]);
			else writes.get(name)!.push({ position, content });
		}
	}
	for (const [name, list] of writes) await replayFile(options, name, list);
}

async function replayFile(
	{ disk, directory }: Options,
	name: string,
	writes: readonly { position: number; content: Uint8Array }[],
): Promise<void> {
	const file = await openIfThere(disk, `${directory}/${name}`);
	// Its name never was durable, or somebody has removed it: then nobody relies on what it held.
	if (file === null) return;
	try {
		for (const { position, content } of writes) await write(file, content, position);
		await file.sync();
	} finally {
		await file.close();
	}
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | null> {
	try {
		return await disk.open(path, 'write', false);
	} catch (error) {
		if (error instanceof DiskError && error.errno === 'ENOENT') return null;
		throw error;
	}
}

function write(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
	return new Promise((resolve, reject) => {
		file.writev([bytes], position, (error) => (error === null ? resolve() : reject(error)));
	});
}
