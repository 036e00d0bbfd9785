import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkHistory } from '../history/checker.js';
import { readHistory } from '../history/history-file.js';

/** The short form of `npm run torture`: some seconds of faults, and what is left behind when it is interrupted. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'dist/torture/test/torture/main.js');
const TIMEOUT_MS = 300_000;
/** Its directories, and the file of the history. */
let directory: string;
let file: string;

beforeAll(async () => {
	const tsc = join(root, 'node_modules/typescript/bin/tsc');
	const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', join(root, 'test/torture')]);
	expect(status, String(stdout)).toBe(0);
	directory = await mkdtemp(join(tmpdir(), 'millrace-torture-test-'));
	file = join(directory, 'history.edn');
}, TIMEOUT_MS);

afterAll(() => rm(directory, { recursive: true, force: true }));

function start(parameters: readonly string[]): {
	child: ChildProcess;
	ended: Promise<number>;
	said: string[];
} {
	const child = spawn(process.execPath, [program, ...parameters], {
		env: { ...process.env, TMPDIR: directory },
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const said: string[] = [];
	for (const stream of [child.stdout!, child.stderr!]) {
		stream.setEncoding('utf8');
		stream.on('data', (text: string) => said.push(text));
	}
	const ended = new Promise<number>((resolve) =>
		child.once('close', (code) => resolve(code ?? -1)),
	);
	return { child, ended, said };
}

function left(): string[] {
	return readdirSync(directory).filter((name) => name.startsWith('millrace-torture-'));
}

it('loses nothing, whatever happens to processes, network and disks of a minority', {
	timeout: TIMEOUT_MS,
}, async () => {
	const { ended, said } = start(['--minutes', '0.5', '--seed', '1', '--history', file]);
	expect(await ended, said.join('')).toBe(0);
	expect(said.join('')).toContain('acknowledged writes are on all replicas');
	const events = readHistory(await readFile(file, 'utf8'));
	expect(events.length).toBeGreaterThan(100);
	expect(checkHistory(events).outcome).toBe('linearizable');
	expect(left()).toEqual([]);
});

/** Command lines of processes that work in our directory. */
function processes(): string[] {
	if (!existsSync('/proc/self/cmdline')) return [];
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.map((pid) => {
			try {
				return readFileSync(join('/proc', pid, 'cmdline'), 'utf8');
			} catch {
				// It has ended meanwhile.
				return '';
			}
		})
		.filter((command) => command.includes(directory));
}

async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await new Promise((resolve) => setTimeout(resolve, 50));
}

it.each([
	['SIGINT', 'auto'],
	['SIGINT', 'proxy'],
	['SIGKILL', 'auto'],
] as const)(
	'leaves nothing behind after %s (network: %s)',
	{ timeout: TIMEOUT_MS },
	async (signal, network) => {
		const faults = 'pause,pause-majority';
		const { child, ended, said } = start([
			'--minutes',
			'5',
			'--network',
			network,
			'--faults',
			faults,
		]);
		// Some replicas are stopped: they can't end by themselves.
		await until(() => said.join('').includes('pause') || child.exitCode !== null);
		expect(processes().length, said.join('')).toBeGreaterThan(0);
		child.kill(signal);
		const code = await ended;
		if (signal === 'SIGINT') expect(code, said.join('')).toBe(130);
		await until(() => processes().length === 0 && left().length === 0);
	},
);
