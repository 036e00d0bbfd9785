import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DirectoryLocked, type DiskError } from '../../src/errors.js';
import type { Disk, DiskFile } from '../../src/io.js';
import { expectBytes, joined, pattern } from './bytes.js';

export interface DiskUnderTest {
	readonly disk: Disk;
	/** As another process on the machine would have it, where that can be had. */
	readonly otherDisk: Disk;
	/** An empty directory. */
	readonly directory: string;
	dispose(): Promise<void>;
}

/** What `Disk` promises, for every implementation of it. */
export function diskContract(name: string, make: () => Promise<DiskUnderTest>): void {
	describe(`disk contract: ${name}`, () => {
		let subject: DiskUnderTest;
		let disk: Disk;
		let directory: string;
		let files = 0;

		beforeAll(async () => {
			subject = await make();
			({ disk, directory } = subject);
		});
		afterAll(() => subject.dispose());

		const freshPath = (): string => join(directory, `file-${++files}`);
		const freshDirectory = async (): Promise<string> => {
			const path = join(directory, `directory-${++files}`);
			await disk.makeDirectory(path);
			return path;
		};

		describe('a file', () => {
			test.each([true, false])(
				'holds all slices one behind the other, also thousands of them (durable: %s)',
				async (durable) => {
					const file = await disk.open(freshPath(), 'create', durable);
					const slices = Array.from({ length: 3_000 }, (_, i) => pattern(i % 13, i));
					await write(file, slices, 7);
					const expected = joined([new Uint8Array(7), ...slices]);
					expect(await file.size()).toBe(expected.byteLength);
					expectBytes(await content(file), expected);
					await file.close();
				},
			);

			test('reports a write later, never from within the call, and also one of nothing', async () => {
				const file = await disk.open(freshPath(), 'create', true);
				for (const slices of [[pattern(5, 1)], [], [new Uint8Array(0)]]) {
					let returned = false;
					await new Promise<void>((resolve, reject) => {
						file.writev(slices, 0, (error) => {
							expect(returned).toBe(true);
							if (error === null) resolve();
							else reject(error);
						});
						returned = true;
					});
				}
				expect(await file.size()).toBe(5);
				await file.close();
			});

			test('takes several writes at a time', async () => {
				const file = await disk.open(freshPath(), 'create', true);
				const parts = Array.from({ length: 40 }, (_, i) => pattern(700, i));
				await Promise.all(parts.map((part, i) => write(file, [part], i * 700)));
				expectBytes(await content(file), joined(parts));
				await file.close();
			});

			test('lets the array of slices be used again at once', async () => {
				const file = await disk.open(freshPath(), 'create', true);
				const slices = [pattern(900, 1), pattern(900, 2)];
				const expected = joined(slices);
				const written = write(file, slices, 0);
				slices.length = 0;
				await written;
				expectBytes(await content(file), expected);
				await file.close();
			});

			test('reads fewer bytes only at its end', async () => {
				const file = await disk.open(freshPath(), 'create', true);
				await write(file, [pattern(100, 3)], 0);
				const target = new Uint8Array(64).fill(0xee);
				expect(await file.read(target, 0)).toBe(64);
				expect(await file.read(target.fill(0xee), 80)).toBe(20);
				expectBytes(target.subarray(0, 20), pattern(100, 3).subarray(80));
				expectBytes(target.subarray(20), new Uint8Array(44).fill(0xee));
				expect(await file.read(target, 100)).toBe(0);
				expect(await file.read(target, 5_000)).toBe(0);
				expect(await file.read(new Uint8Array(0), 0)).toBe(0);
				await file.close();
			});

			test('reads zeros where nothing was written', async () => {
				const file = await disk.open(freshPath(), 'create', false);
				await write(file, [pattern(10, 1)], 10_000);
				await write(file, [pattern(10, 2)], 20);
				const bytes = await content(file);
				expect(bytes.byteLength).toBe(10_010);
				expectBytes(bytes.subarray(20, 30), pattern(10, 2));
				expect(bytes.subarray(30, 10_000).every((byte) => byte === 0)).toBe(true);
				await file.sync();
				await file.close();
			});

			test('keeps what was written when it is opened again, and takes more', async () => {
				const path = freshPath();
				const first = await disk.open(path, 'create', true);
				expect(first.path).toBe(path);
				await write(first, [pattern(1_000, 1)], 0);
				await first.close();
				const second = await disk.open(path, 'write', false);
				await write(second, [pattern(10, 2)], 500);
				await second.sync();
				await second.close();
				const third = await disk.open(path, 'read', false);
				const expected = pattern(1_000, 1);
				expected.set(pattern(10, 2), 500);
				expectBytes(await content(third), expected);
				await third.close();
			});

			test('carries megabytes', async () => {
				const file = await disk.open(freshPath(), 'create', true);
				const slices = Array.from({ length: 32 }, (_, i) => pattern(262_144, i));
				await write(file, slices, 0);
				expect(crc32(await content(file))).toBe(crc32(Buffer.concat(slices)));
				await file.close();
			});

			test('is closed behind the writes it has', async () => {
				const path = freshPath();
				const file = await disk.open(path, 'create', true);
				let done = 0;
				for (let i = 0; i < 5; i++)
					file.writev([pattern(4_096, i)], i * 4_096, (error) => {
						expect(error).toBeNull();
						done++;
					});
				await file.close();
				expect(done).toBe(5);
			});

			test('is not used after close, and closed once', async () => {
				const file = await disk.open(freshPath(), 'create', true);
				await file.close();
				expect(() => file.writev([pattern(1, 1)], 0, () => {})).toThrow('assertion');
				await expect(file.size()).rejects.toThrow('assertion');
				await expect(file.read(new Uint8Array(1), 0)).rejects.toThrow('assertion');
				await expect(file.sync()).rejects.toThrow('assertion');
				await expect(file.close()).rejects.toThrow('assertion');
			});

			test('opened for reading refuses writes, and after a failure everything that writes', async () => {
				const path = freshPath();
				await (await disk.open(path, 'create', true)).close();
				const file = await disk.open(path, 'read', false);
				const refusal = { code: 'DISK', operation: 'write', path, errno: 'EBADF' };
				await expect(write(file, [pattern(1, 1)], 0)).rejects.toMatchObject(refusal);
				await expect(write(file, [pattern(1, 1)], 0)).rejects.toMatchObject(refusal);
				await expect(file.sync()).rejects.toMatchObject(refusal);
				expect(await file.size()).toBe(0);
				await file.close();
			});
		});

		describe('opening', () => {
			test('a missing file fails, for reading and for writing', async () => {
				const path = freshPath();
				for (const mode of ['read', 'write'] as const)
					await expect(disk.open(path, mode, false)).rejects.toMatchObject({
						name: 'DiskError',
						operation: 'open',
						path,
						errno: 'ENOENT',
					} satisfies Partial<DiskError>);
			});

			test('to create fails if the file is there or its directory is not', async () => {
				const path = freshPath();
				await (await disk.open(path, 'create', false)).close();
				await expect(disk.open(path, 'create', false)).rejects.toMatchObject({ errno: 'EEXIST' });
				await expect(
					disk.open(join(directory, 'nowhere', 'file'), 'create', false),
				).rejects.toMatchObject({ errno: 'ENOENT' });
			});
		});

		describe('a small file', () => {
			test('is null if there is none, and replaced as a whole', async () => {
				const path = freshPath();
				expect(await disk.readSmall(path)).toBeNull();
				expect(await disk.readSmall(join(directory, 'nowhere', 'file'))).toBeNull();
				await disk.writeSmall(path, pattern(5_000, 1));
				expectBytes(await disk.readSmall(path), pattern(5_000, 1));
				await disk.writeSmall(path, pattern(3, 2));
				expectBytes(await disk.readSmall(path), pattern(3, 2));
				await disk.writeSmall(path, new Uint8Array(0));
				expect((await disk.readSmall(path))!.byteLength).toBe(0);
			});

			test('leaves nothing else in the directory', async () => {
				const own = await freshDirectory();
				await disk.writeSmall(join(own, 'state'), pattern(10, 1));
				expect(await disk.list(own)).toEqual(['state']);
			});

			test('needs its directory', async () => {
				const path = join(directory, 'nowhere', 'file');
				await expect(disk.writeSmall(path, pattern(1, 1))).rejects.toMatchObject({
					operation: 'writeSmall',
					errno: 'ENOENT',
				});
			});

			test('is written by one at a time', async () => {
				const path = freshPath();
				const first = disk.writeSmall(path, pattern(1, 1));
				await expect(disk.writeSmall(path, pattern(1, 2))).rejects.toThrow('assertion');
				await first;
				await disk.writeSmall(path, pattern(1, 3));
				expectBytes(await disk.readSmall(path), pattern(1, 3));
			});
		});

		describe('a directory', () => {
			test('is made with its parents, and again without complaint', async () => {
				const path = join(directory, 'one', 'two', 'three');
				await disk.makeDirectory(path);
				await disk.makeDirectory(path);
				expect(await disk.list(join(directory, 'one'))).toEqual(['two']);
				expect(await disk.list(path)).toEqual([]);
			});

			test('is not made where a file is', async () => {
				const path = freshPath();
				await disk.writeSmall(path, pattern(1, 1));
				await expect(disk.makeDirectory(path)).rejects.toMatchObject({ errno: 'EEXIST' });
				await expect(disk.makeDirectory(join(path, 'in'))).rejects.toMatchObject({
					operation: 'makeDirectory',
					errno: 'ENOTDIR',
				});
			});

			test('lists its names sorted', async () => {
				const own = await freshDirectory();
				for (const name of ['b', 'a10', 'a2', 'C'])
					await (await disk.open(join(own, name), 'create', false)).close();
				await disk.makeDirectory(join(own, 'ab'));
				expect(await disk.list(own)).toEqual(['C', 'a10', 'a2', 'ab', 'b']);
				await disk.syncDirectory(own);
			});

			test('that is missing fails everything', async () => {
				const missing = join(directory, 'missing');
				const refusal = { code: 'DISK', errno: 'ENOENT', path: missing };
				await expect(disk.list(missing)).rejects.toMatchObject(refusal);
				await expect(disk.syncDirectory(missing)).rejects.toMatchObject(refusal);
				await expect(disk.freeBytes(missing)).rejects.toMatchObject(refusal);
				await expect(disk.lock(missing)).rejects.toMatchObject(refusal);
			});

			test('says what is free', async () => {
				const free = await disk.freeBytes(directory);
				expect(Number.isSafeInteger(free) && free > 0).toBe(true);
			});
		});

		describe('renaming and removing', () => {
			test('a rename takes the place of what was there; open files go on', async () => {
				const own = await freshDirectory();
				const [from, to] = [join(own, 'from'), join(own, 'to')];
				const file = await disk.open(from, 'create', true);
				await disk.writeSmall(to, pattern(9, 9));
				await disk.rename(from, to);
				await write(file, [pattern(20, 1)], 0);
				await file.close();
				expect(await disk.list(own)).toEqual(['to']);
				expectBytes(await disk.readSmall(to), pattern(20, 1));
				await disk.rename(to, to);
				expect(await disk.list(own)).toEqual(['to']);
			});

			test('a removed file is gone; who has it open goes on', async () => {
				const own = await freshDirectory();
				const path = join(own, 'file');
				const file = await disk.open(path, 'create', false);
				await disk.remove(path);
				expect(await disk.list(own)).toEqual([]);
				await write(file, [pattern(20, 1)], 0);
				expectBytes(await content(file), pattern(20, 1));
				await file.close();
				expect(await disk.readSmall(path)).toBeNull();
			});

			test('of what is missing fails', async () => {
				const path = freshPath();
				const refusal = { errno: 'ENOENT', path };
				await expect(disk.remove(path)).rejects.toMatchObject(refusal);
				await expect(disk.rename(path, `${path}-to`)).rejects.toMatchObject(refusal);
			});

			test('a rename stays within its directory', async () => {
				await expect(
					disk.rename(join(directory, 'a', 'file'), join(directory, 'b', 'file')),
				).rejects.toThrow('assertion');
			});
		});

		describe('a lock', () => {
			test('is held by one, named to the others, until it is released', async () => {
				const own = await freshDirectory();
				const lock = await disk.lock(own);
				for (const contender of [disk, subject.otherDisk]) {
					const attempt = contender.lock(own);
					await expect(attempt).rejects.toBeInstanceOf(DirectoryLocked);
					await expect(attempt).rejects.toThrow(/in use by process \d+/);
				}
				await lock.release();
				const second = await subject.otherDisk.lock(own);
				// Releasing once more doesn't take it from the next.
				await lock.release();
				await expect(disk.lock(own)).rejects.toBeInstanceOf(DirectoryLocked);
				await second.release();
				await (await disk.lock(own)).release();
			});

			test('of one directory is none of another', async () => {
				const [one, other] = [await freshDirectory(), await freshDirectory()];
				const locks = [await disk.lock(one), await disk.lock(other)];
				for (const lock of locks) await lock.release();
			});

			test('goes to one of many who ask at once', async () => {
				const own = await freshDirectory();
				const attempts = Array.from({ length: 10 }, (_, i) =>
					(i % 2 === 0 ? disk : subject.otherDisk).lock(own),
				);
				const results = await Promise.allSettled(attempts);
				const winners = results.filter((result) => result.status === 'fulfilled');
				expect(winners.length).toBe(1);
				await winners[0]!.value.release();
				expect(await disk.list(own)).toEqual([]);
			});
		});
	});
}

export function write(
	file: DiskFile,
	slices: readonly Uint8Array[],
	position: number,
): Promise<void> {
	return new Promise((resolve, reject) => {
		file.writev(slices, position, (error) => {
			if (error === null) resolve();
			else reject(error);
		});
	});
}

export async function content(file: DiskFile): Promise<Uint8Array> {
	const bytes = new Uint8Array(await file.size());
	expect(await file.read(bytes, 0)).toBe(bytes.byteLength);
	return bytes;
}
