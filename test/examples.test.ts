import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';

/** The example listens on ports that a reader chooses; here they must be free ones. */
vi.mock('millrace', async (importOriginal) => {
	const actual = await importOriginal<typeof import('../src/index.js')>();
	const { freePeers } = await import('./replica/ports.js');
	const peers = await freePeers(3);
	const openReplica: typeof actual.openReplica = (options) =>
		actual.openReplica({ ...options, peers });
	return { ...actual, openReplica };
});

function read(path: string): string {
	return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}

it('examples/embed.ts runs and prints what it replicated', async () => {
	const before = process.cwd();
	const directory = mkdtempSync(join(tmpdir(), 'millrace-example-'));
	const print = vi.spyOn(console, 'log').mockImplementation(() => {});
	try {
		process.chdir(directory);
		await import('../examples/embed.js');
		expect(print.mock.calls).toEqual([
			[expect.stringMatching(/^entry \d+ made the sum 42; a read says 42$/)],
		]);
	} finally {
		print.mockRestore();
		process.chdir(before);
		rmSync(directory, { recursive: true, force: true });
	}
});

it('README.md quotes examples/embed.ts as it is', () => {
	const blocks = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
	expect(blocks).toContain(read('examples/embed.ts'));
});
