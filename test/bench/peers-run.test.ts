import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInstalled } from '../../bench/peers/contenders.js';
import type { PeersResult } from '../../bench/peers/result.js';

// Servers and clients are processes of their own, so this runs what `npm run build` made.
const script = fileURLToPath(new URL('../../scripts/bench-peers.mjs', import.meta.url));

let directory: string;
let bench: ChildProcess;
let stdout: string;
let stderr: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-peers-'));
});
afterEach(() => {
	bench.kill('SIGKILL');
	rmSync(directory, { recursive: true, force: true });
});

function start(argv: string, path = process.env['PATH']!): Promise<number | null> {
	const args = [script, '--dir', join(directory, 'data'), ...argv.split(' ')];
	const env = { ...process.env, PATH: path };
	bench = spawn(process.execPath, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
	[stdout, stderr] = ['', ''];
	bench.stdout!.on('data', (text) => {
		stdout += text;
	});
	bench.stderr!.on('data', (text) => {
		stderr += text;
	});
	return new Promise((resolve) => bench.once('close', resolve));
}

/** Processes that work below our directory: servers of peers name it in their arguments. */
function leftBehind(): string[] {
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.flatMap((pid) => {
			try {
				const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
				return command.includes(directory) ? [command] : [];
			} catch {
				return [];
			}
		});
}

const QUICK = '--rounds 1 --seconds 0.2 --inflight 8';

describe('npm run bench:peers', () => {
	it('measures millrace alone where no peer is installed, and says what to install', async () => {
		const only = '--only millrace-client,etcd,jetstream';
		const code = await start(`${QUICK} ${only} --json out.json --svg out.svg`, directory);
		expect(stderr).toContain(
			"etcd is skipped: etcd isn't installed (apt-get install etcd-server)\n",
		);
		expect(stderr).toContain(
			"syncs aren't counted: strace isn't installed (apt-get install strace)\n",
		);
		expect(stdout).toMatch(/^\| millrace-client \| [\d,]+ \(/m);
		expect(stdout).toContain(
			"jetstream: skipped: nats-server isn't installed (apt-get install nats-server).\n",
		);
		const result = JSON.parse(readFileSync(join(directory, 'out.json'), 'utf8')) as PeersResult;
		expect(result.figures.map(({ name, perSecond }) => [name, perSecond.length])).toEqual([
			['millrace-client', 1],
		]);
		expect(readFileSync(join(directory, 'out.svg'), 'utf8')).toContain('millrace-client');
		expect(code).toBe(0);
		expect(existsSync(join(directory, 'data'))).toBe(false);
	});

	it('refuses a path that cannot be written before it measures, and what no run wrote', async () => {
		expect(await start(`${QUICK} --json /nowhere/out.json`)).toBe(2);
		expect(stderr).toBe('bench:peers: /nowhere/out.json cannot be written: ENOENT\n');
		expect(await start(`--from ${script}`)).toBe(2);
		expect(stderr).toMatch(/^bench:peers: .*bench-peers.mjs is not what --json writes: .*\n$/);
		expect(existsSync(join(directory, 'data'))).toBe(false);
	});

	const peers = [
		['etcd', 'etcd'],
		['etcd', 'etcd-txn'],
		['nats-server', 'jetstream'],
	] as const;
	for (const [command, name] of peers) {
		it.skipIf(!isInstalled(command))(`measures ${name}, which is installed`, async () => {
			const code = await start(`${QUICK} --only ${name} --no-syncs`);
			expect(stderr).not.toContain('failed');
			expect(stdout).toMatch(new RegExp(`^\\| ${name} \\| [\\d,]+ \\(`, 'm'));
			expect(code).toBe(0);
			expect(leftBehind()).toEqual([]);
		});
	}

	it.skipIf(!isInstalled('etcd'))('leaves no process on Ctrl-C, and no directory', async () => {
		const ended = start('--rounds 2 --seconds 100 --inflight 8 --only etcd');
		while (!stderr.includes('measuring etcd')) await new Promise((wake) => setTimeout(wake, 20));
		expect(leftBehind().filter((command) => command.startsWith('etcd '))).toHaveLength(3);
		bench.kill('SIGINT');
		expect(await ended).toBe(130);
		expect(stdout).toContain('\nInterrupted: what was measured until then.\n');
		expect(leftBehind()).toEqual([]);
		expect(existsSync(join(directory, 'data'))).toBe(false);
	});

	it.skipIf(!isInstalled('etcd'))('leaves no process when it is killed', async () => {
		const ended = start('--rounds 1 --seconds 100 --inflight 8 --only etcd');
		while (!stderr.includes('warming up etcd')) await new Promise((wake) => setTimeout(wake, 20));
		bench.kill('SIGKILL');
		await ended;
		while (leftBehind().length > 0) await new Promise((wake) => setTimeout(wake, 20));
	});
});
