import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePeers } from './replica/ports.js';

/** What `npm run build` made, packed as it would be published, and installed in a package of its own: examples/embed. */

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'millrace-package-'));
const app = join(directory, 'app');
const TIMEOUT_MS = 180_000;

beforeAll(async () => {
	cpSync(join(root, 'examples/embed'), app, { recursive: true });
	await run('npm', ['pack', '--pack-destination', directory], { cwd: root });
	const packed = readdirSync(directory).find((name) => name.endsWith('.tgz'))!;
	// Without the optional addon: everything but the gateway must work without it.
	const flags = ['--omit=optional', '--prefer-offline', '--no-audit', '--no-fund'];
	await run('npm', ['install', ...flags, join(directory, packed)], { cwd: app });
}, TIMEOUT_MS);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('examples/embed runs on the packed package', async () => {
	const PEERS = Object.values(await freePeers(3)).join(',');
	const env = { ...process.env, PEERS };
	const { stdout, stderr } = await run(process.execPath, ['index.js'], { cwd: app, env });
	expect(stdout).toMatch(/^replica [123] is leader in term \d+$/m);
	expect(stdout).toMatch(/^from the disks of a majority: hello$/m);
	expect(stderr).toBe('');
});

it('its types are found by who imports it', async () => {
	const tsc = join(root, 'node_modules/typescript/bin/tsc');
	const typeRoots = join(root, 'node_modules/@types');
	const flags = ['--noEmit', '--strict', '--checkJs', '--module', 'nodenext', '--target', 'es2023'];
	const types = ['--types', 'node', '--typeRoots', typeRoots, '--skipLibCheck'];
	const args = [tsc, ...flags, ...types, 'index.js'];
	const { stdout } = await run(process.execPath, args, { cwd: app }).catch((error) => error);
	expect(stdout).toBe('');
});

it('its command runs, each with its help', async () => {
	const millrace = join(app, 'node_modules/.bin/millrace');
	const help = await run(millrace, ['--help']);
	const commands = [...help.stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name!);
	expect(commands).toEqual(expect.arrayContaining(['serve', 'kv', 'bench']));
	const texts = await Promise.all(commands.map((name) => run(millrace, [name, '--help'])));
	for (const [i, { stdout }] of texts.entries())
		expect(stdout).toContain(`millrace ${commands[i]}`);
});
