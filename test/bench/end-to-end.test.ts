import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Report } from '../../bench/report.js';

// The workers are processes of their own, so this runs what `npm run build` made.
const built = fileURLToPath(new URL('../../dist/src/cli/bench.js', import.meta.url));
const script = `import { run } from ${JSON.stringify(built)};
process.exitCode = await run(process.argv.slice(2));`;

let directory: string;
let bench: ChildProcess;
let stdout: string;
let stderr: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
});
afterEach(() => {
	if (groupLives()) process.kill(-bench.pid!, 'SIGKILL');
	rmSync(directory, { recursive: true, force: true });
});

/** Starts it as the leader of a process group, so that whatever it leaves behind can be found. */
function start(...argv: string[]): void {
	writeFileSync(join(directory, 'bench.mjs'), script);
	const args = ['bench.mjs', '--dir', 'data', ...argv];
	bench = spawn(process.execPath, args, { cwd: directory, detached: true });
	[stdout, stderr] = ['', ''];
	bench.stdout!.on('data', (text) => {
		stdout += text;
	});
	bench.stderr!.on('data', (text) => {
		stderr += text;
	});
}

function exitCode(): Promise<number | null> {
	return new Promise((resolve) => bench.once('close', resolve));
}

async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function groupLives(): boolean {
	try {
		process.kill(-bench.pid!, 0);
		return true;
	} catch {
		return false;
	}
}

describe('millrace bench, from end to end', () => {
	it.each(['batch', 'single', 'client', 'client-single'])(
		'measures and verifies in mode %s',
		async (mode) => {
			const argv = ['--mode', mode, '--payload', '64', '--depth', '256', '--entries', '5000'];
			start('--json', '--durability', 'os', ...argv, ...(mode === 'batch' ? [] : ['--no-ceiling']));
			const code = await exitCode();
			expect(stderr).toBe('');
			const report = JSON.parse(stdout) as Report;
			expect(report).toMatchObject({ mode, replicas: 3, payloadBytes: 64, verified: true });
			expect(report.entries).toBe(5000);
			expect(report.peakRssBytes).toHaveLength(3);
			if (mode === 'batch') expect(report.efficiency).toBeGreaterThan(0);
			expect(code).toBe(0);
			expect(groupLives()).toBe(false);
			expect(existsSync(join(directory, 'data'))).toBe(false);
		},
	);

	it('ends in order on Ctrl-C, with what it measured so far', async () => {
		start('--durability', 'os', '--no-ceiling', '--seconds', '100');
		await until(() => stderr.includes('measuring the engine'));
		process.kill(-bench.pid!, 'SIGINT');
		expect(await exitCode()).toBe(130);
		expect(stdout).toMatch(/throughput +[\d,]+ entries\/s/);
		expect(stdout).toMatch(/verified +NO: interrupted/);
		expect(groupLives()).toBe(false);
		expect(existsSync(join(directory, 'data'))).toBe(false);
	});

	it('measures a sweep, and on Ctrl-C in the middle of it tells what it has', async () => {
		const load = ['--payload', '64', '--durability', 'os', '--no-ceiling', '--entries', '2000'];
		const html = join(directory, 'sweep.html');
		start(...load, '--sweep', 'depth=16,256', 'mode=single,batch', '--runs', '100', '--html', html);
		// Two runs are over where the third is told of.
		await until(() => /run 3 of 400, \d+ m?\w+ left: /.test(stderr));
		process.kill(-bench.pid!, 'SIGINT');
		expect(await exitCode()).toBe(130);
		expect(stdout).toMatch(/^depth +mode +entries\/s/);
		expect(stdout).toMatch(/\n +16 +single +[\d,]+.* yes\n +16 +batch +[\d,]+ .* yes\n/);
		expect(readFileSync(html, 'utf8')).toContain('<title>millrace bench</title>');
		expect(groupLives()).toBe(false);
		expect(existsSync(join(directory, 'data'))).toBe(false);
	});

	it('leaves no process when it is killed', async () => {
		start('--durability', 'os', '--no-ceiling');
		await until(() => existsSync(join(directory, 'data')) && replicasStarted() === 3);
		bench.kill('SIGKILL');
		await exitCode();
		await until(() => !groupLives());
	});
});

/** Replicas that have made their directory. */
function replicasStarted(): number {
	const names = readdirSync(join(directory, 'data'), { recursive: true }) as string[];
	return names.filter((name) => /replica-\d$/.test(name)).length;
}
