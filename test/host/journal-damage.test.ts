import { beforeEach, describe, expect, test } from 'vitest';
import { Corruption } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import { JournalDisk } from '../../src/host/journal-disk.js';
import { findFlushes } from '../../src/host/journal-frames.js';
import type { DiskFile } from '../../src/io.js';
import { expectBytes, pattern } from '../contract/bytes.js';
import { content, write } from '../contract/disk.js';
import { DIRECTORY, Machine } from '../log/harness.js';

const FILE_BYTES = 16 * 1024;
const SALT = 2 ** 30;

let machine: Machine;
let failures: Error[];
let disk: JournalDisk;

function begin(): Promise<JournalDisk> {
	const { disk: base, clock } = machine.options();
	return JournalDisk.open({
		...{ disk: base, clock, directory: DIRECTORY, fileBytes: FILE_BYTES },
		random: { next: () => SALT / 2 ** 32, identifier: () => 1 },
		onFailure: (error) => failures.push(error),
	});
}

async function makeFile(name: string): Promise<DiskFile> {
	const file = await machine.until(disk.open(`${DIRECTORY}/${name}`, 'create', true));
	await machine.until(disk.syncDirectory(DIRECTORY));
	return file;
}

function flushes(half: 0 | 1) {
	const bytes = machine.disk.bytes(`${DIRECTORY}/journal-${half}`);
	const memory = new Memory(bytes.length);
	memory.bytes.set(bytes);
	return findFlushes(memory, SALT);
}

async function reopened(name: string): Promise<Uint8Array> {
	machine.crash();
	disk = await machine.until(begin());
	const file = await machine.until(disk.open(`${DIRECTORY}/${name}`, 'read', false));
	const reading = content(file);
	return await machine.until(reading);
}

beforeEach(async () => {
	machine = new Machine('damage');
	failures = [];
	disk = await machine.until(begin());
});

describe('a journal', () => {
	test('holds the writes of one turn in one flush, whosever they are', async () => {
		const files = [await makeFile('a'), await makeFile('b'), await makeFile('c')];
		const { flushes: before } = disk.counters;
		await machine.until(Promise.all(files.map((file, i) => write(file, [pattern(90, i)], 0))));
		expect(disk.counters.flushes).toBe(before + 1);
		const [last] = flushes(0).slice(-1);
		expect(last!.records.map(({ path }) => new TextDecoder().decode(path))).toEqual([
			'a',
			'b',
			'c',
		]);
	});

	test('of which a flush in the middle is damaged is refused', async () => {
		const file = await makeFile('a');
		for (let i = 0; i < 4; i++) await machine.until(write(file, [pattern(90, i)], 90 * i));
		const { position } = flushes(0).at(-2)!;
		machine.crash();
		machine.disk.flipBit(`${DIRECTORY}/journal-0`, position + 130, 3);
		await expect(machine.until(begin())).rejects.toBeInstanceOf(Corruption);
	});

	test('goes on without its last flush if that is torn: it was reported to nobody', async () => {
		const file = await makeFile('a');
		for (let i = 0; i < 4; i++) await machine.until(write(file, [pattern(90, i)], 90 * i));
		const { position } = flushes(0).at(-1)!;
		machine.crash();
		machine.disk.flipBit(`${DIRECTORY}/journal-0`, position + 130, 3);
		const bytes = await reopened('a');
		expectBytes(bytes.subarray(0, 90), pattern(90, 0));
		expectBytes(bytes.subarray(180, 270), pattern(90, 2));
		// And what comes now is found behind it, after one more crash.
		const again = await machine.until(disk.open(`${DIRECTORY}/a`, 'write', true));
		await machine.until(write(again, [pattern(90, 9)], 270));
		expectBytes((await reopened('a')).subarray(270, 360), pattern(90, 9));
	});

	test('of which nothing is left is refused', async () => {
		await machine.until(write(await makeFile('a'), [pattern(90, 1)], 0));
		machine.crash();
		for (const half of [0, 1]) {
			machine.disk.bytes(`${DIRECTORY}/journal-${half}`).fill(0);
		}
		await expect(machine.until(begin())).rejects.toBeInstanceOf(Corruption);
	});

	test('passes over a file that is gone', async () => {
		await machine.until(write(await makeFile('a'), [pattern(90, 1)], 0));
		await machine.until(write(await makeFile('b'), [pattern(90, 2)], 0));
		machine.crash();
		const directory = machine.disk.fileSystem.directory(DIRECTORY)!;
		directory.change([['a', null]]);
		directory.sync(directory.changes);
		expectBytes(await reopened('b'), pattern(90, 2));
	});

	test('of which the power fails between the replay and the word that it is done replays again', async () => {
		for (let i = 0; i < 40; i++) {
			const file = await machine.until(disk.open(`${DIRECTORY}/a${i}`, 'create', true));
			await machine.until(disk.syncDirectory(DIRECTORY));
			await machine.until(write(file, [pattern(400, i)], 0));
			machine.crash();
			begin().catch((error: Error) => failures.push(error));
			await machine.pass(i / 5);
			expectBytes(await reopened(`a${i}`), pattern(400, i));
		}
		expect(failures).toEqual([]);
	});
});

test('a path is given up when its bytes are on the disk, also if somebody else has begun to sync them', async () => {
	for (let i = 0; i < 60; i++) {
		machine = new Machine(`giving up ${i}`);
		disk = await machine.until(begin());
		const file = await makeFile('a');
		const other = await makeFile('c');
		for (let n = 0; n < 14; n++) await machine.until(write(file, [pattern(1000, n)], 1000 * n));
		// That goes to the other file, and a checkpoint begins.
		void write(other, [pattern(1000, 1)], 0);
		await machine.pass(0.001);
		void disk.rename(`${DIRECTORY}/a`, `${DIRECTORY}/b`);
		await machine.pass(machine.random.next());
		machine.crash();
		const [name] = machine.disk.fileSystem.list(DIRECTORY).filter((each) => /^[ab]$/.test(each));
		const bytes = await reopened(name!);
		for (let n = 0; n < 14; n++) {
			expectBytes(bytes.subarray(1000 * n, 1000 * n + 1000), pattern(1000, n));
		}
	}
});

describe('a disk that fails', () => {
	test.each(['write', 'sync'] as const)(
		'at a %s takes nothing more, frees nothing, and replays all',
		async (operation) => {
			const file = await makeFile('a');
			await machine.until(write(file, [pattern(90, 1)], 0));
			const fill = async () => {
				for (let i = 1; i < 40; i++) await write(file, [pattern(1000, i)], 1000 * i);
			};
			if (operation === 'write') machine.disk.failNext('write', 'EIO', { path: 'journal-0' });
			else machine.disk.failNext('sync', 'EIO', { path: `${DIRECTORY}/a` });
			await expect(machine.until(fill())).rejects.toThrow('EIO');
			expect(failures.length).toBe(1);
			await expect(machine.until(write(file, [pattern(90, 3)], 0))).rejects.toThrow('EIO');
			await expect(machine.until(disk.close())).rejects.toThrow('EIO');
			expectBytes((await reopened('a')).subarray(0, 90), pattern(90, 1));
		},
	);

	test('at a sync of one file keeps what the journal has of it', async () => {
		const [file, other] = [await makeFile('a'), await makeFile('b')];
		await machine.until(write(file, [pattern(90, 1)], 0));
		machine.disk.failNext('sync', 'EIO', { path: `${DIRECTORY}/a` });
		const fill = async () => {
			for (let i = 1; i < 80; i++) await write(other, [pattern(1000, i)], 1000 * i);
		};
		await expect(machine.until(fill())).rejects.toThrow('EIO');
		expectBytes((await reopened('a')).subarray(0, 90), pattern(90, 1));
	});

	test('before it is known what is needed no more is not opened', async () => {
		await machine.until(write(await makeFile('a'), [pattern(90, 1)], 0));
		machine.crash();
		machine.disk.failNext('write', 'EIO', { path: 'journal-' });
		await expect(machine.until(begin())).rejects.toThrow('EIO');
	});

	test('full when the journal is made, says so', async () => {
		machine = new Machine('full');
		machine.disk.fileSystem.capacityBytes = FILE_BYTES;
		await expect(machine.until(begin())).rejects.toMatchObject({ errno: 'ENOSPC' });
		machine.disk.fileSystem.capacityBytes = 2 ** 30;
		disk = await machine.until(begin());
		await machine.until(write(await makeFile('a'), [pattern(90, 1)], 0));
	});
});
