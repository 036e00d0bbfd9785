import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { confidence, judge, median } from '../../bench/confidence.js';
import { parseGuardOptions } from '../../bench/guard/options.js';
import { conclude, formatConclusion } from '../../bench/guard/report.js';
import { Tally } from '../../bench/tally.js';

/** Ratios around `ratio`: each round is off by its own few per cent, each pair by many more. */
function measured(ratio: number, rounds: number, seed: number): number[][] {
	let state = seed;
	// Twelve uniform numbers make a normal one.
	const normal = () => {
		let sum = -6;
		for (let i = 0; i < 12; i++) {
			state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
			sum += state / 2 ** 32;
		}
		return sum;
	};
	return Array.from({ length: rounds }, () => {
		const round = ratio * Math.exp(0.02 * normal());
		return Array.from({ length: 20 }, () => round * Math.exp(0.1 * normal()));
	});
}

describe("the guard's verdict", () => {
	const finding = (ratio: number, seed: number) =>
		judge(confidence(measured(ratio, 8, seed)), 0.95);
	const seeds = Array.from({ length: 20 }, (_, seed) => seed + 1);

	it('is never worse for equals, and finds out that they are', () => {
		const findings = seeds.map((seed) => finding(1, seed));
		expect(findings).not.toContain('worse');
		expect(findings.filter((each) => each === 'not worse').length).toBeGreaterThan(13);
	});

	it('finds a tenth, and never lets it pass', () => {
		const findings = seeds.map((seed) => finding(0.9, seed));
		expect(findings).not.toContain('not worse');
		expect(findings.filter((each) => each === 'worse').length).toBeGreaterThan(13);
	});

	it('is open where the limit itself was measured', () => {
		const open = seeds.filter((seed) => finding(0.95, seed) === "can't tell");
		expect(open.length).toBeGreaterThan(16);
	});

	it('takes pairs of one round for relatives, not for as many witnesses', () => {
		// Rounds that agree within and not with each other: the truth may be at any of them.
		const { low, high } = confidence([0.9, 1, 1.1].map((ratio) => Array(50).fill(ratio)));
		expect([low, high]).toEqual([0.9, 1.1]);
	});

	it('has a median', () => {
		expect(median([3, 1, 2])).toBe(2);
		expect(median([4, 1, 2, 3])).toBe(2.5);
	});

	const pairs = (throughput: number[], cpu: number) => [
		throughput.map((each) => ({ throughput: each, cpu })),
	];

	it('lets processor time speak where throughput cannot tell, and only there', () => {
		expect(conclude(pairs([0.7, 1.3], 0.8), 0.95).finding).toBe('worse');
		expect(conclude(pairs([0.7, 1.3], 1), 0.95).finding).toBe("can't tell");
		expect(conclude(pairs([1, 1], 0.8), 0.95).finding).toBe('not worse');
		expect(conclude(pairs([0.8, 0.8], 1), 0.95).finding).toBe('worse');
	});
});

describe("the guard's report", () => {
	it.each([
		[[1, 1], 1, 'not worse by more than 5 %'],
		[[0.8, 0.8], 1, 'worse by more than 5 %'],
		[
			[0.7, 1.3],
			0.8,
			"can't tell whether it is worse by more than 5 %; by processor time an entry: worse",
		],
	])('says of throughputs %j and processor time %d: %s', (throughputs, cpu, verdict) => {
		const conclusion = conclude([throughputs.map((throughput) => ({ throughput, cpu }))], 0.95);
		const commit = { id: '0123456789abcdef', subject: 'earlier', why: 'as asked' };
		const tallies = { tree: new Tally(), base: new Tally() };
		const text = formatConclusion(parseGuardOptions([]), { commit, ...tallies, conclusion });
		expect(text).toContain('against  0123456789 earlier (as asked)\n');
		expect(text).toContain(`verdict  ${verdict}\n`);
	});
});

describe("the guard's options", () => {
	it('have the defaults of the help', () => {
		expect(parseGuardOptions([])).toMatchObject({ against: null, roundsMax: 12, least: 0.95 });
	});

	it.each([
		[['--frobnicate'], /frobnicate/],
		[['stray'], /stray/],
		[['--against', ''], /--against is a commit, not ''/],
		[['--against=--all'], /--against is a commit/],
		[['--rounds', '2'], /--rounds is a whole number from 3 to/],
		[['--percent', '0'], /--percent is a whole number from 1 to/],
		[['--depth', '1000000'], /bytes in flight/],
		[['--mode', 'fast'], /--mode is one of/],
	])('%j is refused', (argv, message) => {
		expect(() => parseGuardOptions(argv)).toThrow(message);
	});
});

const root = fileURLToPath(new URL('../..', import.meta.url));
const script = join(root, 'scripts/bench-guard.mjs');

describe('npm run bench:guard', () => {
	let directory: string;
	let guard: ChildProcess | null = null;
	/** Where it builds: its temporary files are put below `directory`. */
	let env: NodeJS.ProcessEnv;

	beforeEach(() => {
		directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
		mkdirSync(join(directory, 'tmp'));
		env = { ...process.env, TMPDIR: join(directory, 'tmp') };
	});
	afterEach(() => {
		if (guard !== null && groupLives(guard)) process.kill(-guard.pid!, 'SIGKILL');
		guard = null;
		rmSync(directory, { recursive: true, force: true });
	});

	it('refuses a commit that is not there, and leaves nothing', () => {
		const args = [script, '--dir', join(directory, 'data'), '--against', 'no-such-commit'];
		const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
		expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^bench:guard: (?:there is no commit|git)/);
		expect(status).toBe(2);
		expect(readdirSync(directory)).toEqual(['tmp']);
		expect(readdirSync(env['TMPDIR']!)).toEqual([]);
	});

	it('refuses a directory that cannot be one', () => {
		writeFileSync(join(directory, 'file'), '');
		const args = [script, '--dir', join(directory, 'file')];
		const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
		expect([status, stderr]).toEqual([2, expect.stringMatching(/^bench:guard: .*\n$/)]);
	});

	it.skipIf(!existsSync(join(root, '.git')))(
		'measures both builds, and on Ctrl-C says what it has and leaves nothing',
		async () => {
			const load = ['--durability', 'os', '--payload', '64', '--depth', '64', '--against', 'HEAD'];
			const args = [script, '--dir', join(directory, 'data'), ...load];
			guard = spawn(process.execPath, args, { env, detached: true });
			let [stdout, stderr] = ['', ''];
			guard.stdout!.on('data', (text) => {
				stdout += text;
			});
			guard.stderr!.on('data', (text) => {
				stderr += text;
			});
			// The first pair is measured where the bar has moved.
			await until(() => /[1-9] % {2}round 1/.test(stderr) || guard!.exitCode !== null);
			const closed = new Promise<number | null>((resolve) => guard!.once('close', resolve));
			process.kill(-guard.pid!, 'SIGINT');
			expect(await closed).toBe(130);
			expect(stdout).toMatch(/entries\/s +[\d,]+ +[\d,]+ +\d\.\d+ \(\d/);
			expect(groupLives(guard)).toBe(false);
			expect(readdirSync(directory)).toEqual(['tmp']);
			expect(readdirSync(env['TMPDIR']!)).toEqual([]);
		},
		// It compiles the engine.
		240_000,
	);
});

async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function groupLives(leader: ChildProcess): boolean {
	try {
		process.kill(-leader.pid!, 0);
		return true;
	} catch {
		return false;
	}
}
