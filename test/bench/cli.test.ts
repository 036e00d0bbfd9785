import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NativeDisk } from '../../native-free-io/index.js';
import { help, run } from '../../src/cli/bench.js';

let directory: string;
let stderr: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
	stderr = '';
	vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
		stderr += text;
		return true;
	});
});
afterEach(() => {
	vi.restoreAllMocks();
	rmSync(directory, { recursive: true, force: true });
});

describe('millrace bench', () => {
	it('helps', async () => {
		const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
		expect(await run(['--help'])).toBe(0);
		expect(stdout).toHaveBeenCalledWith(help);
	});

	it('refuses what it does not know in one line, with exit code 2', async () => {
		expect(await run(['--frobnicate'])).toBe(2);
		expect(stderr).toBe("millrace bench: Unknown option '--frobnicate'\n");
	});

	it('refuses a directory that cannot be one', async () => {
		const file = join(directory, 'file');
		writeFileSync(file, '');
		expect(await run(['--dir', join(file, 'below')])).toBe(2);
		expect(stderr).toMatch(/^millrace bench: \S+ cannot be written: ENOTDIR\n$/);
	});

	it('refuses a directory that somebody else uses, and leaves nothing in it', async () => {
		const lock = await new NativeDisk().lock(directory);
		const before = readdirSync(directory);
		expect(await run(['--dir', directory])).toBe(2);
		expect(stderr).toMatch(/^millrace bench: \S+ is in use by process \d+\n$/);
		expect(readdirSync(directory)).toEqual(before);
		await lock.release();
	});

	it.each([
		[['--compare', 'no-such-file.json'], /--compare \S+ cannot be read: ENOENT/],
		[['--html', 'no/such/folder/page.html'], /--html \S+ cannot be written: ENOENT/],
		[['--sweep', 'depth=0'], /--depth is a whole number/],
	])('refuses %j before it makes anything', async (argv, message) => {
		const dir = join(directory, 'data');
		expect(await run(['--dir', dir, ...argv])).toBe(2);
		expect(stderr).toMatch(new RegExp(`^millrace bench: ${message.source}.*\n$`));
		expect(readdirSync(directory)).toEqual([]);
	});
});
