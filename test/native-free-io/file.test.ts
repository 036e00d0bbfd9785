import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { NativeDisk } from '../../native-free-io/index.js';
import { expectBytes, joined, pattern } from '../contract/bytes.js';
import { content, write } from '../contract/disk.js';

const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

type WriteCallback = (error: NodeJS.ErrnoException | null, bytes: number) => void;

describe('a native file', () => {
	const disk = new NativeDisk();
	let directory: string;

	beforeEach(() => {
		directory = fs.mkdtempSync(join(tmpdir(), 'millrace-file-'));
	});
	afterEach(() => {
		vi.restoreAllMocks();
		fs.rmSync(directory, { recursive: true });
	});

	/** A kernel that takes at most so many bytes at a time. */
	function takeAtMost(limit: () => number): void {
		const real = fs.write;
		const some = (
			fd: number,
			slices: readonly Uint8Array[],
			at: number,
			done: WriteCallback,
		): void => {
			const bytes = joined(slices).subarray(0, limit());
			if (bytes.byteLength === 0) setImmediate(done, null, 0);
			else real(fd, bytes, 0, bytes.byteLength, at, done);
		};
		vi.spyOn(fs, 'writev').mockImplementation(((
			fd: number,
			slices: Uint8Array[],
			at: number,
			done: WriteCallback,
		) => some(fd, slices, at, done)) as unknown as typeof fs.writev);
		vi.spyOn(fs, 'write').mockImplementation(((
			fd: number,
			slice: Uint8Array,
			offset: number,
			length: number,
			at: number,
			done: WriteCallback,
		) =>
			some(fd, [slice.subarray(offset, offset + length)], at, done)) as unknown as typeof fs.write);
	}

	test.each([1, 2, 3, 7, 64, 1_000])(
		'finishes writes that take %s bytes at a time',
		async (limit) => {
			const file = await disk.open(join(directory, 'file'), 'create', true);
			takeAtMost(() => limit);
			const slices = [0, 1, 0, 2, 3, 0, 50, 1, 0].map((length, i) => pattern(length, i));
			await write(file, slices, 11);
			await write(file, [pattern(20, 1)], 68);
			expectBytes(await content(file), joined([new Uint8Array(11), ...slices, pattern(20, 1)]));
			await file.close();
		},
	);

	test('fails a write of which the kernel takes nothing, without a reason', async () => {
		const file = await disk.open(join(directory, 'file'), 'create', true);
		let left = 10;
		takeAtMost(() => {
			const now = Math.min(left, 4);
			left -= now;
			return now;
		});
		await expect(write(file, [pattern(5, 1), pattern(15, 2)], 0)).rejects.toMatchObject({
			operation: 'write',
			errno: 'EIO',
		});
		await file.close();
	});

	test('syncs each write where the platform has no O_DSYNC', async () => {
		vi.resetModules();
		const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
		const { NativeDisk: DiskWithoutDsync } = await import('../../native-free-io/disk.js');
		platform.mockRestore();
		const synced = vi.spyOn(fs, 'fdatasync');
		const other = new DiskWithoutDsync();
		const durable = await other.open(join(directory, 'durable'), 'create', true);
		const plain = await other.open(join(directory, 'plain'), 'create', false);
		await write(durable, [pattern(10, 1), pattern(10, 2)], 0);
		expect(synced).toHaveBeenCalledTimes(1);
		await write(plain, [pattern(10, 1)], 0);
		expect(synced).toHaveBeenCalledTimes(1);
		synced.mockImplementation((_, done) => done(Object.assign(new Error(), { code: 'EIO' })));
		await expect(write(durable, [pattern(1, 1)], 0)).rejects.toMatchObject({ errno: 'EIO' });
		await expect(write(durable, [pattern(1, 1)], 0)).rejects.toMatchObject({ errno: 'EIO' });
		await durable.close();
		await plain.close();
	});

	describeOnLinux('that failed', () => {
		test('a write never writes or syncs again', async () => {
			const file = await disk.open('/dev/full', 'write', true);
			const first = write(file, [pattern(1, 1)], 0);
			await expect(first).rejects.toMatchObject({
				name: 'DiskError',
				operation: 'write',
				path: '/dev/full',
				errno: 'ENOSPC',
				message: 'write /dev/full: ENOSPC',
			});
			const spy = vi.spyOn(fs, 'write');
			await expect(write(file, [pattern(1, 1)], 0)).rejects.toMatchObject({ errno: 'ENOSPC' });
			await expect(file.sync()).rejects.toMatchObject({ errno: 'ENOSPC' });
			expect(spy).not.toHaveBeenCalled();
			await file.close();
		});

		test('a sync never syncs or writes again', async () => {
			// A device that can't be synced, but takes any write.
			const file = await disk.open('/dev/null', 'write', false);
			await write(file, [pattern(1, 1)], 0);
			await expect(file.sync()).rejects.toMatchObject({ operation: 'sync', errno: 'EINVAL' });
			await expect(write(file, [pattern(1, 1)], 0)).rejects.toMatchObject({ errno: 'EINVAL' });
			await file.close();
		});
	});

	test("replaces a small file in the only order that a power failure can't break", async () => {
		vi.resetModules();
		const steps: string[] = [];
		const fsync = vi.spyOn(fs, 'fsync').mockImplementation((descriptor, done) => {
			steps.push(`sync of ${fs.fstatSync(descriptor).isDirectory() ? 'the directory' : 'a file'}`);
			done(null);
		});
		const { NativeDisk: WatchedDisk } = await import('../../native-free-io/disk.js');
		const open = fs.promises.open;
		vi.spyOn(fs.promises, 'open').mockImplementation(async (...of: Parameters<typeof open>) => {
			const handle = await open(...of);
			const { sync } = handle;
			handle.sync = async () => {
				steps.push(`sync of ${(await handle.stat()).size} bytes`);
				await sync.call(handle);
			};
			return handle;
		});
		const rename = fs.promises.rename;
		vi.spyOn(fs.promises, 'rename').mockImplementation(async (...of) => {
			steps.push('rename');
			await rename(...of);
		});
		await new WatchedDisk().writeSmall(join(directory, 'small'), pattern(5, 1));
		expect(steps).toEqual(['sync of 5 bytes', 'rename', 'sync of the directory']);
		fsync.mockRestore();
	});

	test('leaves no half-written small file when there is an error', async () => {
		const path = join(directory, 'small');
		fs.mkdirSync(path);
		await expect(disk.writeSmall(path, pattern(5, 1))).rejects.toMatchObject({
			operation: 'writeSmall',
			path,
		});
		expect(await disk.list(directory)).toEqual(['small']);
		await expect(disk.readSmall(path)).rejects.toMatchObject({ errno: 'EISDIR' });
	});

	test('durable is opened so that each write is on disk when it is done', async () => {
		const open = vi.spyOn(fs.promises, 'open');
		await disk.writeSmall(join(directory, 'small'), pattern(1, 1));
		expect(open).toHaveBeenCalledTimes(1);
		if (process.platform !== 'linux') return;
		const file = await disk.open(join(directory, 'file'), 'create', true);
		const descriptor = fs.readdirSync('/proc/self/fd').find((name) => {
			try {
				return fs.readlinkSync(`/proc/self/fd/${name}`) === join(directory, 'file');
			} catch {
				return false;
			}
		});
		const info = fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
		const flags = Number.parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8);
		expect(flags & fs.constants.O_DSYNC).toBe(fs.constants.O_DSYNC);
		await file.close();
	});
});
