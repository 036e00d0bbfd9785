import { describe, expect, test } from 'vitest';
import type { DiskFile } from '../../src/io.js';
import { expectBytes, joined, pattern } from '../contract/bytes.js';
import { write } from '../contract/disk.js';
import { sectorBytes } from './file-system.js';
import { type Machine, type ProcessDoors, World } from './world.js';

interface Setting {
	readonly world: World;
	readonly machine: Machine;
	readonly doors: ProcessDoors;
}

async function setting(seed: number): Promise<Setting> {
	const world = new World(seed);
	const machine = world.machine('a');
	const doors = machine.start();
	await world.complete(doors.disk.makeDirectory('/d'));
	return { world, machine, doors };
}

/** A file that a crash can't take: made, and its directory synced. */
async function durableFile({ world, doors }: Setting, bytes: Uint8Array): Promise<DiskFile> {
	const file = await world.complete(doors.disk.open('/d/file', 'create', true));
	await world.complete(write(file, [bytes], 0));
	await world.complete(doors.disk.syncDirectory('/d'));
	return file;
}

const seeds = Array.from({ length: 60 }, (_, i) => i);

/** Which of the sectors hold what was there after, before, a beginning of the one and the end of the other, or none of
 * these. */
function sectors(actual: Uint8Array, before: Uint8Array, after: Uint8Array): string {
	let result = '';
	for (let at = 0; at < after.byteLength; at += sectorBytes) {
		const [is, was, would] = [actual, before, after].map((bytes) =>
			Buffer.from(bytes.subarray(at, at + sectorBytes)),
		);
		const torn = is!.findIndex((byte, i) => byte !== would![i]);
		const isTorn = torn > 0 && is!.subarray(torn).equals(was!.subarray(torn));
		result += torn < 0 ? 'A' : torn === 0 && is!.equals(was!) ? 'b' : isTorn ? 't' : '?';
	}
	return result;
}

describe('when the power fails', () => {
	test('what was done durably is there', async () => {
		for (const seed of seeds) {
			const own = await setting(seed);
			const file = await durableFile(own, pattern(10_000, 1));
			await own.world.complete(write(file, [pattern(700, 2), pattern(50, 3)], 300));
			own.machine.crash();
			const expected = pattern(10_000, 1);
			expected.set(joined([pattern(700, 2), pattern(50, 3)]), 300);
			expectBytes(own.machine.disk.bytes('/d/file'), expected);
			expectBytes(own.machine.disk.durableBytes('/d/file'), expected);
		}
	});

	test.each(['in flight', 'not synced', 'of a failed sync'])(
		'a write %s is kept, lost, or torn at any sector and in it',
		async (kind) => {
			const outcomes = new Set<string>();
			for (const seed of seeds) {
				const own = await setting(seed);
				const [before, after] = [pattern(8 * sectorBytes, 1), pattern(8 * sectorBytes, 2)];
				const file = await durableFile(own, before);
				if (kind === 'in flight') {
					file.writev([after.subarray(0, 777), after.subarray(777)], 0, () => {
						expect.unreachable();
					});
				} else {
					const plain = await own.world.complete(own.doors.disk.open('/d/file', 'write', false));
					await own.world.complete(write(plain, [after], 0));
					expectBytes(own.machine.disk.bytes('/d/file'), after);
					if (kind === 'of a failed sync') {
						own.machine.disk.failNext('sync', 'EIO');
						await expect(own.world.complete(plain.sync())).rejects.toThrow('EIO');
						await expect(own.world.complete(plain.sync())).rejects.toThrow('EIO');
						// A later sync through another descriptor succeeds and saves nothing.
						const other = await own.world.complete(own.doors.disk.open('/d/file', 'write', false));
						const saved = own.machine.disk.durableBytes('/d/file').slice();
						await own.world.complete(other.sync());
						expectBytes(own.machine.disk.durableBytes('/d/file'), saved);
					}
				}
				own.machine.crash();
				outcomes.add(sectors(own.machine.disk.bytes('/d/file'), before, after));
			}
			for (const outcome of outcomes) expect(outcome).toMatch(/^[Abt]{8}$/);
			expect([...outcomes].some((outcome) => outcome.includes('t'))).toBe(true);
			expect(outcomes).toContain('AAAAAAAA');
			expect(outcomes).toContain('bbbbbbbb');
			// Not only a beginning: any sector may be missing.
			expect([...outcomes].some((outcome) => /bA/.test(outcome))).toBe(true);
			expect(outcomes.size).toBeGreaterThan(10);
		},
	);

	test('a write beyond the end leaves a length between the old and the new', async () => {
		const lengths = new Set<number>();
		for (const seed of seeds) {
			const own = await setting(seed);
			const file = await durableFile(own, pattern(100, 1));
			file.writev([pattern(3_000, 2)], 100, () => {});
			own.machine.crash();
			const bytes = own.machine.disk.bytes('/d/file');
			expectBytes(bytes.subarray(0, 100), pattern(100, 1));
			lengths.add(bytes.byteLength);
		}
		expect(Math.min(...lengths)).toBe(100);
		expect(Math.max(...lengths)).toBe(3_100);
		expect(lengths.size).toBeGreaterThan(3);
	});

	test('a sync saves what was written before it began, and a durable write is final', async () => {
		for (const seed of seeds) {
			const own = await setting(seed);
			const { world, machine, doors } = own;
			const durable = await durableFile(own, pattern(2_000, 1));
			const plain = await world.complete(doors.disk.open('/d/file', 'write', false));
			await world.complete(write(plain, [pattern(2_000, 2)], 0));
			await world.complete(write(durable, [pattern(1_000, 3)], 500));
			if (seed % 2 === 0) await world.complete(plain.sync());
			machine.crash();
			const bytes = machine.disk.bytes('/d/file');
			expectBytes(bytes.subarray(500, 1_500), pattern(1_000, 3));
			if (seed % 2 === 0) expectBytes(bytes.subarray(0, 500), pattern(2_000, 2).subarray(0, 500));
		}
	});

	test('changes of a directory are kept up to some point, all of them once it is synced', async () => {
		const outcomes = new Set<string>();
		for (const seed of seeds) {
			const { world, machine, doors } = await setting(seed);
			const { disk } = doors;
			const make = async (name: string): Promise<void> =>
				(await disk.open(`/d/${name}`, 'create', false)).close();
			await world.complete(make('a'));
			await world.complete(disk.syncDirectory('/d'));
			await world.complete(make('b'));
			await world.complete(disk.rename('/d/a', '/d/c'));
			await world.complete(disk.remove('/d/b'));
			await world.complete(make('d'));
			machine.crash();
			outcomes.add(machine.disk.fileSystem.files.join(' '));
		}
		expect([...outcomes].sort()).toEqual(['/d/a', '/d/a /d/b', '/d/b /d/c', '/d/c', '/d/c /d/d']);
	});

	test('a small file holds the old bytes or the new, and a remainder may lie beside it', async () => {
		const outcomes = new Set<string>();
		for (const seed of seeds) {
			const { world, machine, doors } = await setting(seed);
			await world.complete(doors.disk.writeSmall('/d/small', pattern(1_000, 1)));
			void doors.disk.writeSmall('/d/small', pattern(2_000, 2));
			await world.run(world.random.between(0, 1.5));
			machine.crash();
			const bytes = machine.disk.bytes('/d/small');
			const isNew = bytes.byteLength === 2_000;
			expectBytes(bytes, isNew ? pattern(2_000, 2) : pattern(1_000, 1));
			outcomes.add(`${isNew} ${machine.disk.fileSystem.files.length}`);
			const { disk } = machine.start();
			await world.complete(disk.writeSmall('/d/small', pattern(5, 3)));
			expectBytes(await world.complete(disk.readSmall('/d/small')), pattern(5, 3));
		}
		expect([...outcomes].sort()).toEqual(['false 1', 'false 2', 'true 1']);
	});

	test('locks are free, though their file lies there', async () => {
		const { world, machine, doors } = await setting(1);
		await world.complete(doors.disk.lock('/d'));
		machine.crash();
		const { disk } = machine.start();
		expect(await world.complete(disk.list('/d'))).toEqual(['LOCK']);
		const lock = await world.complete(disk.lock('/d'));
		await world.complete(lock.release());
		expect(await world.complete(disk.list('/d'))).toEqual([]);
	});
});

describe('when a process is killed', () => {
	test('what was written stays, synced or not, and only a write in flight is torn', async () => {
		const outcomes = new Set<string>();
		for (const seed of seeds) {
			const own = await setting(seed);
			const { world, machine, doors } = own;
			const [before, after] = [pattern(4 * sectorBytes, 1), pattern(4 * sectorBytes, 2)];
			const file = await world.complete(doors.disk.open('/d/file', 'create', false));
			await world.complete(write(file, [before], 0));
			file.writev([after], 0, () => expect.unreachable());
			machine.kill();
			outcomes.add(sectors(machine.disk.bytes('/d/file'), before, after));
		}
		for (const outcome of outcomes) expect(outcome).toMatch(/^[Abt]{4}$/);
		expect(outcomes).toContain('AAAA');
		expect(outcomes).toContain('bbbb');
		expect(outcomes.size).toBeGreaterThan(5);
	});
});

describe('a disk that fails', () => {
	test('fails the operation it was told to, and the file from then on', async () => {
		const own = await setting(1);
		const { world, machine, doors } = own;
		const file = await durableFile(own, pattern(100, 1));
		machine.disk.failNext('write', 'EIO', { path: 'other' });
		await world.complete(write(file, [pattern(1, 1)], 0));
		machine.disk.failNext('write', 'ENOSPC', { path: 'file' });
		const refusal = { operation: 'write', path: '/d/file', errno: 'ENOSPC' };
		await expect(world.complete(write(file, [pattern(1, 1)], 0))).rejects.toMatchObject(refusal);
		await expect(world.complete(write(file, [pattern(1, 1)], 0))).rejects.toMatchObject(refusal);
		await expect(world.complete(file.sync())).rejects.toMatchObject(refusal);
		machine.disk.failNext('rename', 'EIO', { count: 2 });
		for (const errno of ['EIO', 'EIO', null]) {
			const renaming = world.complete(doors.disk.rename('/d/file', '/d/to'));
			if (errno === null) await renaming;
			else await expect(renaming).rejects.toMatchObject({ operation: 'rename', errno });
		}
	});

	test('is full at its capacity', async () => {
		const own = await setting(1);
		const { world, machine, doors } = own;
		machine.disk.fileSystem.capacityBytes = 10_000;
		const file = await durableFile(own, pattern(6_000, 1));
		expect(await world.complete(doors.disk.freeBytes('/d'))).toBe(4_000);
		// Over what is there needs no room.
		await world.complete(write(file, [pattern(6_000, 2)], 0));
		await expect(
			world.complete(doors.disk.writeSmall('/d/small', pattern(4_001, 1))),
		).rejects.toMatchObject({ errno: 'ENOSPC' });
		await expect(world.complete(write(file, [pattern(6_000, 2)], 4_001))).rejects.toMatchObject({
			errno: 'ENOSPC',
		});
	});

	test('rots', async () => {
		const own = await setting(1);
		const file = await durableFile(own, pattern(100, 1));
		own.machine.disk.flipBit('/d/file', 50, 3);
		const expected = pattern(100, 1);
		expected[50]! ^= 8;
		const bytes = new Uint8Array(100);
		await own.world.complete(file.read(bytes, 0));
		expectBytes(bytes, expected);
		own.machine.crash();
		expectBytes(own.machine.disk.bytes('/d/file'), expected);
	});

	test('stands still, and loses what it had when the power fails', async () => {
		const own = await setting(3);
		const file = await durableFile(own, pattern(sectorBytes, 1));
		own.machine.disk.stall();
		const written: string[] = [];
		file.writev([pattern(sectorBytes, 2)], 0, () => written.push('first'));
		await own.world.run(60_000);
		expect(written).toEqual([]);
		own.machine.disk.unstall();
		await own.world.run(1);
		expect(written).toEqual(['first']);
		own.machine.disk.stall();
		file.writev([pattern(sectorBytes, 3)], 0, () => written.push('second'));
		await own.world.run(10);
		own.machine.crash();
		await own.world.run(10);
		expect(written).toEqual(['first']);
		expect(sectors(own.machine.disk.bytes('/d/file'), pattern(512, 2), pattern(512, 3))).toMatch(
			/^[Abt]$/,
		);
	});
});

test('memory that changes before a write is done is found', async () => {
	const own = await setting(1);
	const file = await durableFile(own, pattern(100, 1));
	const slice = pattern(100, 2);
	file.writev([slice], 0, () => {});
	slice[99]!++;
	await expect(own.world.run(10)).rejects.toThrow('memory changed before its write');
});
