import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Profile } from '../../bench/profile/profile.js';
import type { TraceEvent } from '../../bench/profile/trace.js';
import { NativeDisk } from '../../native-free-io/index.js';
import { MAIN, millrace } from '../cli/command.js';

let directory: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-profile-'));
});
afterEach(() => {
	rmSync(directory, { recursive: true, force: true });
});

function profile(...argv: string[]) {
	return millrace(['profile', '--dir', join(directory, 'data'), ...argv]);
}

/** Spans and counters have their times; what begins ends, later, and each commit's stages fill it without a gap. */
function checkTrace(events: readonly TraceEvent[], commits: number): void {
	const open = new Map<string, { readonly from: number; covered: number }>();
	let ended = 0;
	let stage = 0;
	for (const { ph, ts, dur, name, id, pid, tid } of events) {
		expect(Number.isFinite(ts) && Number.isInteger(pid) && Number.isInteger(tid)).toBe(true);
		expect(name).not.toBe('');
		if (ph === 'X') expect(dur).toBeGreaterThanOrEqual(0);
		if (ph !== 'b' && ph !== 'e') continue;
		if (name === 'commit' && ph === 'b') open.set(id!, { from: ts, covered: 0 });
		else if (name === 'commit') {
			const { from, covered } = open.get(id!)!;
			expect(covered).toBeCloseTo(ts - from, 3);
			ended += 1;
		} else if (ph === 'b') stage = ts;
		else open.get(id!)!.covered += ts - stage;
	}
	expect([open.size, ended]).toEqual([commits, commits]);
}

describe('millrace profile', () => {
	it('tells where the time went, in the terminal and in all its files', async () => {
		const [html, trace, hgrm] = ['p.html', 'p.json', 'p.hgrm'].map((name) => join(directory, name));
		const files = ['--html', html!, '--trace', trace!, '--hgrm', hgrm!];
		const load = ['--mode', 'single', '--depth', '8', '--entries', '300', '--payload', '64'];
		const { code, stdout } = await profile(...load, ...files);
		expect(code).toBe(0);
		expect(existsSync(join(directory, 'data'))).toBe(false);
		expect(stdout).toMatch(/^load +3 replicas, durability sync, mode single, entries of 64 bytes/);
		expect(stdout).toMatch(
			/\nclock +replica \d to the leader: -?[\d.]+ ms by the machine’s own clock; /,
		);
		expect(stdout).toMatch(/\nflush started - persisted +leader( +[\d.]+){5} +[\d.]+ %\n/);
		expect(stdout).toMatch(/\naccepted - resolved( +[\d.]+){5} +100\.0 %\n/);
		expect(stdout).toMatch(/The slowest \d+ commits\n\n[\d.]+ ms {2}at [\d.]+ s {2}entries /);

		const page = readFileSync(html!, 'utf8');
		for (const heading of ['Latency by percentile', 'Throughput', 'Event-loop delay', 'Garbage']) {
			expect(page).toContain(`<h2>${heading}`);
		}
		expect(page.match(/data-chart="/g)).toHaveLength(4);
		expect(page).toMatch(/<div class="timeline">\n<div class="row"><span class="name">entry /);

		const { traceEvents } = JSON.parse(readFileSync(trace!, 'utf8')) as {
			traceEvents: TraceEvent[];
		};
		const commits = Number(/; ([\d,]+) commits seen/.exec(stdout)![1]!.replace(',', ''));
		checkTrace(traceEvents, commits);
		const names = traceEvents.filter(({ ph }) => ph === 'M').map(({ args }) => args!['name']);
		expect(names).toContain('garbage collection');
		expect(
			names.filter((name) => /^replica \d \((leader|follower)\)$/.test(String(name))),
		).toHaveLength(3);
		expect(traceEvents.filter(({ name }) => name === 'flush').length).toBeGreaterThan(3);

		const lines = readFileSync(hgrm!, 'utf8').trimEnd().split('\n');
		expect(lines[0]).toBe('       Value     Percentile TotalCount 1/(1-Percentile)');
		expect(lines[2]).toMatch(/^ +\d+\.\d{3} 0\.000000000000 +\d+ +1\.00$/);
		expect(lines.at(-4)).toMatch(/^ +\d+\.\d{3} 1\.000000000000 +300$/);
		expect(lines.at(-2)).toMatch(/^#\[Max +=.*, Total count +=\s+300\]$/);
	});

	it.each(['batch', 'client', 'client-single'])('in an open loop, in mode %s', async (mode) => {
		const load = ['--mode', mode, '--rate', '400', '--entries', '200', '--durability', 'os'];
		const { code, stdout, stderr } = await profile('--json', ...load);
		expect([code, stderr]).toEqual([0, '']);
		const result = JSON.parse(stdout) as Profile;
		expect(result).toMatchObject({ mode, rate: 400, entries: 200, missed: 0, cost: null });
		// An entry was due before it was submitted, and that before it was accepted.
		expect(result.latencyMs.max).toBeGreaterThanOrEqual(result.startedLateMs!.max);
		expect(result.report.stages.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
		expect(result.report.causes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
		expect(result.report.clocks.every(({ isShared }) => isShared)).toBe(true);
		expect(result.processes).toHaveLength(3);
		for (const { ms, stages } of result.report.slowest) {
			expect(stages.reduce((sum, stage) => sum + stage.ms, 0)).toBeCloseTo(ms, 6);
		}
	});

	it('does what docs/PROFILING.md says', async () => {
		const text = readFileSync(new URL('../../docs/PROFILING.md', import.meta.url), 'utf8');
		const commands = [...text.matchAll(/^ {4}millrace profile (.*)$/gm)].map(([, args]) => args!);
		expect(commands).toHaveLength(2);
		for (const command of commands) {
			// In as little time as will do, and with its files in the test's directory.
			const argv = command
				.split(' ')
				.map((word) => word.replace(/^profile\./, join(directory, '$&')));
			const { code, stdout } = await profile(...argv, '--seconds', '0.3', '--durability', 'os');
			expect([command, code]).toEqual([command, 0]);
			expect(stdout).toMatch(/\naccepted - resolved /);
		}
		expect(readdirSync(directory).toSorted()).toEqual([
			'profile.hgrm',
			'profile.html',
			'profile.json',
		]);
	});

	it('says what recording costs when asked', async () => {
		const { code, stdout } = await profile('--cost', '--durability', 'os', '--seconds', '0.4');
		expect(code).toBe(0);
		expect(stdout).toMatch(/\ncost +recording takes -?[\d.]+ % \(.*\) of throughput,\n/);
	});

	it.each([
		[['--rate', '0'], /--rate is a whole number from 1 to \d+, not '0'/],
		[['--rate', '1e9'], /--rate is a whole number/],
		[['--rate', '-5'], /Option '--rate' argument is ambiguous/],
		[
			['--rate', '20000000', '--payload', '4096'],
			/--rate 20000000 with --payload 4096 is \d+ bytes a second/,
		],
		[['--depth', '9999999'], /--depth 9999999 with --payload 256 keeps \d+ bytes in flight/],
		[['--html', '/no/such/folder/p.html'], /--html \S+ cannot be written: ENOENT/],
		[['--trace', '/'], /--trace \/ cannot be written: EISDIR/],
		[['--hgrm', ''], /--hgrm .*cannot be written: ENOENT/],
		[
			['--html', '/tmp/millrace-same', '--trace', '/tmp/millrace-same'],
			/two reports want the same file/,
		],
		[['--no-ceiling'], /Unknown option '--no-ceiling'/],
		[['more'], /Unexpected argument 'more'/],
	])('refuses %j in one line, before it makes anything', async (argv, message) => {
		const { code, stdout, stderr } = await profile(...argv);
		expect([code, stdout]).toEqual([2, '']);
		expect(stderr).toMatch(new RegExp(`^millrace profile: ${message.source}.*\n$`));
		expect(existsSync(join(directory, 'data'))).toBe(false);
	});

	it('refuses a directory that somebody else uses, or that is none', async () => {
		const lock = await new NativeDisk().lock(directory);
		const used = await millrace(['profile', '--dir', directory]);
		expect([used.code, used.stdout]).toEqual([2, '']);
		expect(used.stderr).toMatch(/^millrace profile: \S+ is in use by process \d+\n$/);
		await lock.release();
		const file = join(directory, 'file');
		writeFileSync(file, '');
		const none = await millrace(['profile', '--dir', join(file, 'below')]);
		expect([none.code, none.stdout]).toEqual([2, '']);
		expect(none.stderr).toMatch(/^millrace profile: \S+ cannot be written: ENOTDIR\n$/);
	});

	it('ends in order on Ctrl-C, with what it measured so far, its files too', async () => {
		const html = join(directory, 'p.html');
		const argv = [
			'profile',
			'--dir',
			'data',
			'--durability',
			'os',
			'--seconds',
			'100',
			'--html',
			html,
		];
		// The leader of a process group, so that whatever it leaves behind can be found.
		const child = spawn(process.execPath, [MAIN, ...argv], { cwd: directory, detached: true });
		const ended = new Promise((resolve) => child.once('close', resolve));
		try {
			const said = hear(child);
			while (!/measuring the engine +[\d,]+ entries/.test(said.stderr)) {
				await new Promise((resolve) => setTimeout(resolve, 10));
			}
			process.kill(-child.pid!, 'SIGINT');
			expect(await ended).toBe(130);
			expect(said.stdout).toMatch(/\naccepted - resolved( +[\d.]+){5} +100\.0 %\n/);
			expect(readFileSync(html, 'utf8')).toContain('<title>millrace profile</title>');
			expect(existsSync(join(directory, 'data'))).toBe(false);
			expect(() => process.kill(-child.pid!, 0)).toThrow('ESRCH');
		} finally {
			if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
		}
	});
});

function hear(child: ChildProcess): { stdout: string; stderr: string } {
	const said = { stdout: '', stderr: '' };
	child.stdout!.setEncoding('utf8').on('data', (text: string) => {
		said.stdout += text;
	});
	child.stderr!.setEncoding('utf8').on('data', (text: string) => {
		said.stderr += text;
	});
	return said;
}
