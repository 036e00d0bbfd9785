import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lockDirectory } from '../../native-free-io/lock.js';
import { DirectoryLocked } from '../../src/errors.js';
import { buildLockProgram, LockChild } from './lock-child.js';

/** Judging a holder by more than its pid needs /proc. */
const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

describe('the lock file', () => {
	let root: string;
	let program: string;
	let directories = 0;
	const children: LockChild[] = [];

	beforeAll(async () => {
		root = await mkdtemp(join(tmpdir(), 'millrace-lock-'));
		program = await buildLockProgram(join(root, 'program'));
	});
	afterAll(async () => {
		await Promise.all(children.map((child) => child.kill()));
		await rm(root, { recursive: true, force: true });
	});

	async function freshDirectory(): Promise<string> {
		const path = join(root, `directory-${++directories}`);
		await mkdir(path);
		return path;
	}

	async function startChild(): Promise<LockChild> {
		const child = await LockChild.start(program);
		children.push(child);
		return child;
	}

	async function kill(child: LockChild): Promise<void> {
		children.splice(children.indexOf(child), 1);
		await child.kill();
	}

	/** What a process that was killed has left, made up from what a living one writes. */
	async function leaveBehind(directory: string, changes: object, name = 'LOCK'): Promise<void> {
		const model = await freshDirectory();
		const lock = await lockDirectory(model);
		const holder = JSON.parse(await readFile(join(model, 'LOCK'), 'utf8')) as object;
		await lock.release();
		await writeFile(join(directory, name), JSON.stringify({ ...holder, ...changes }));
	}

	async function expectFree(directory: string): Promise<void> {
		const lock = await lockDirectory(directory);
		expect(await readdir(directory)).toEqual(['LOCK']);
		await lock.release();
		expect(await readdir(directory)).toEqual([]);
	}

	test('names the process that has it', async () => {
		const directory = await freshDirectory();
		const child = await startChild();
		expect(await child.lock(directory)).toBeNull();
		await expect(lockDirectory(directory)).rejects.toThrow(`in use by process ${child.pid}`);
		await expect(lockDirectory(directory)).rejects.toBeInstanceOf(DirectoryLocked);
		expect(await child.release(directory)).toBeNull();
		const lock = await lockDirectory(directory);
		expect((await child.lock(directory))?.message).toContain(`in use by process ${process.pid}`);
		await lock.release();
		expect(await readdir(directory)).toEqual([]);
	});

	test('knows a directory by any of its names', async () => {
		const directory = await freshDirectory();
		const alias = `${directory}-alias`;
		await symlink(directory, alias);
		const lock = await lockDirectory(directory);
		await expect(lockDirectory(alias)).rejects.toBeInstanceOf(DirectoryLocked);
		await lock.release();
	});

	test('of a killed process is taken over', async () => {
		const directory = await freshDirectory();
		const child = await startChild();
		expect(await child.lock(directory)).toBeNull();
		await kill(child);
		expect(await readdir(directory)).toEqual(['LOCK']);
		await expectFree(directory);
	});

	test('of a killed process goes to exactly one of many', async () => {
		const contenders = await Promise.all(Array.from({ length: 5 }, startChild));
		const rounds = 30;
		for (let round = 0; round < rounds; round++) {
			const directory = await freshDirectory();
			await leaveBehind(directory, { nonce: `round ${round}`, start: '1' });
			const refusals = await Promise.all(contenders.map((child) => child.lock(directory)));
			const winners = contenders.filter((_, i) => refusals[i] === null);
			expect(winners.length).toBe(1);
			for (const refusal of refusals)
				if (refusal !== null) expect(refusal.code).toBe('DIRECTORY_LOCKED');
			// All looked; the winner still has it.
			expect(JSON.parse(await readFile(join(directory, 'LOCK'), 'utf8'))).toMatchObject({
				pid: winners[0]!.pid,
			});
			expect(await winners[0]!.release(directory)).toBeNull();
			expect(await readdir(directory)).toEqual([]);
		}
	});

	test('taken and released by many in turn is never held by two', async () => {
		const contenders = children.slice(0, 4);
		const directory = await freshDirectory();
		let holders = 0;
		let takings = 0;
		await Promise.all(
			contenders.map(async (child) => {
				for (let i = 0; i < 50; i++) {
					if ((await child.lock(directory)) !== null) continue;
					takings++;
					expect(++holders).toBe(1);
					await new Promise((resolve) => setImmediate(resolve));
					expect(holders--).toBe(1);
					await child.release(directory);
				}
			}),
		);
		expect(takings).toBeGreaterThan(0);
		await expectFree(directory);
	});

	test('that a power failure damaged is nobody’s', async () => {
		for (const text of ['', '{"nonce":', '\0'.repeat(200), '{"pid":1}', 'null']) {
			const directory = await freshDirectory();
			await writeFile(join(directory, 'LOCK'), text);
			await expectFree(directory);
		}
	});

	describeOnLinux('judges its holder', () => {
		test('dead if its pid belongs to a process that began later', async () => {
			const directory = await freshDirectory();
			await leaveBehind(directory, { start: '1' });
			await expectFree(directory);
		});

		test('dead if the machine was booted since', async () => {
			const directory = await freshDirectory();
			await leaveBehind(directory, { boot: 'another' });
			await expectFree(directory);
		});

		test('alive if another user runs it', async () => {
			const directory = await freshDirectory();
			const stat = await readFile('/proc/1/stat', 'utf8');
			const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
			await leaveBehind(directory, { pid: 1, start });
			await expect(lockDirectory(directory)).rejects.toThrow('in use by process 1');
		});

		test('dead while it is a zombie', async () => {
			// The shell becomes a `sleep`, which never asks after its child.
			const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000']);
			const [line] = (await once(parent.stdout, 'data')) as [Buffer];
			const pid = Number(line.toString());
			const command = `/proc/${parent.pid}/comm`;
			while ((await readFile(command, 'utf8')).trim() !== 'sleep');
			process.kill(pid, 'SIGKILL');
			let stat = '';
			while (!stat.startsWith('Z')) {
				const text = await readFile(`/proc/${pid}/stat`, 'utf8');
				stat = text.slice(text.lastIndexOf(')') + 2);
			}
			const directory = await freshDirectory();
			await leaveBehind(directory, { pid, start: stat.split(' ')[19] });
			await expectFree(directory);
			parent.kill('SIGKILL');
		});

		test('alive if it runs in another container, dead if that was this one before a restart', async () => {
			const directory = await freshDirectory();
			await leaveBehind(directory, { namespace: 'pid:[1]', host: 'elsewhere', pid: 12 });
			await expect(lockDirectory(directory)).rejects.toThrow(
				'in use by process 12 on elsewhere (if that is gone, remove LOCK)',
			);
			await leaveBehind(directory, { namespace: 'pid:[1]', host: hostname(), pid: 12 });
			await expectFree(directory);
		});
	});

	describe('and a taking over that was cut short', () => {
		test('is taken over itself, and swept away', async () => {
			const directory = await freshDirectory();
			await leaveBehind(directory, { nonce: 'first', boot: 'another' });
			await leaveBehind(directory, { nonce: 'second', boot: 'another' }, 'LOCK.first');
			await leaveBehind(directory, { nonce: 'third', boot: 'another' }, 'LOCK.second');
			await leaveBehind(directory, { nonce: 'second', boot: 'another' }, 'LOCK.second.tmp');
			await expectFree(directory);
		});

		test('leaves alone what another is just writing', async () => {
			const directory = await freshDirectory();
			await writeFile(join(directory, 'LOCK.begun.tmp'), '{"nonce":"be');
			const lock = await lockDirectory(directory);
			await lock.release();
			expect(await readdir(directory)).toEqual(['LOCK.begun.tmp']);
		});

		test('is left to one who lives', async () => {
			const directory = await freshDirectory();
			const child = await startChild();
			const model = await freshDirectory();
			await child.lock(model);
			await leaveBehind(directory, { nonce: 'first', boot: 'another' });
			await writeFile(join(directory, 'LOCK.first'), await readFile(join(model, 'LOCK')));
			await expect(lockDirectory(directory)).rejects.toThrow(`in use by process ${child.pid}`);
			await kill(child);
			await expectFree(directory);
		});
	});

	test('removed by hand and taken by another isn’t taken from him at release', async () => {
		const directory = await freshDirectory();
		const lock = await lockDirectory(directory);
		await rm(join(directory, 'LOCK'));
		const child = await startChild();
		expect(await child.lock(directory)).toBeNull();
		await lock.release();
		await expect(lockDirectory(directory)).rejects.toThrow(`in use by process ${child.pid}`);
	});
});
