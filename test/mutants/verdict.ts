import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Catcher, Seeds, Tests } from './mutant.js';
import type { SeedsReport } from './seeds.js';
import type { Tree } from './tree.js';

/** How a suite ended in a copy of the tree. */
export interface Verdict {
	/** What failed: a test and its message, or an invariant of the simulation; null if nothing did. */
	readonly failed: string | null;
	/** How long it took, with the start of its process. */
	readonly ms: number;
	/** Tests or seeds that were run. */
	readonly runs: number;
}

/** A suite that isn't done by then never will be. */
const END_MS = 300_000;
/** Many mutants are caught by somebody who waits in vain: that needn't take as long as it may elsewhere. */
const WAIT_MS = 15_000;
const OUTPUT_CHARACTERS_MAX = 1_000_000;

interface Ended {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
	readonly isLate: boolean;
}

/** Runs a Node program in a process group of its own: whatever it started ends with it. */
function run(directory: string, parts: readonly string[], signal: AbortSignal): Promise<Ended> {
	return new Promise((resolve, reject) => {
		signal.throwIfAborted();
		const env = Object.fromEntries(
			// What a vitest around this one says to its workers isn't for those of the copy.
			Object.entries(process.env).filter(([name]) => !/^(?:VITEST|NODE_ENV|TEST$)/.test(name)),
		);
		env['MILLRACE_WAIT_MS'] = String(WAIT_MS);
		const child = spawn(process.execPath, parts, { cwd: directory, env, detached: true });
		const kill = () => {
			try {
				if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
			} catch {
				// It is gone.
			}
		};
		let isLate = false;
		const timer = setTimeout(() => {
			isLate = true;
			kill();
		}, END_MS);
		signal.addEventListener('abort', kill);
		const output = { stdout: '', stderr: '' };
		for (const name of ['stdout', 'stderr'] as const) {
			child[name].setEncoding('utf8').on('data', (text: string) => {
				output[name] = (output[name] + text).slice(-OUTPUT_CHARACTERS_MAX);
			});
		}
		child.on('error', reject);
		child.on('close', (code) => {
			clearTimeout(timer);
			signal.removeEventListener('abort', kill);
			if (signal.aborted) reject(signal.reason);
			else resolve({ code, ...output, isLate });
		});
	});
}

/** Says what became of a suite whose report is missing. */
function withoutReport({ code, stdout, stderr, isLate }: Ended): string {
	if (isLate) return `no end within ${END_MS / 1000} s`;
	const lines = `${stderr}\n${stdout}`.split('\n');
	const line = lines.find((each) => /error/i.test(each)) ?? lines.find((each) => each !== '');
	return `exit code ${code}, without a report: ${line?.trim()}`;
}

/** The part of vitest's report that is looked at. */
interface TestReport {
	readonly success: boolean;
	readonly testResults: readonly {
		readonly status: string;
		readonly message: string;
		readonly assertionResults: readonly {
			readonly fullName: string;
			readonly status: string;
			readonly failureMessages: readonly string[];
		}[];
	}[];
}

function firstLine(text: string): string {
	// Colours of the terminal are of no use in a table.
	return stripVTControlCharacters(text).split('\n')[0]!.trim();
}

/** `named`: a pattern for all of these files. */
export async function runTests(
	tree: Tree,
	files: readonly string[],
	named: string | undefined,
	signal: AbortSignal,
): Promise<Verdict> {
	const started = performance.now();
	const path = join(tree.root, 'report.json');
	rmSync(path, { force: true });
	const program = join(tree.root, 'node_modules/vitest/vitest.mjs');
	const report = ['--reporter=json', `--outputFile=${path}`];
	const flags = ['--bail=1', '--maxWorkers=1', `--testTimeout=${2 * WAIT_MS}`, ...report];
	const filter = named === undefined ? [] : ['-t', named];
	const ended = await run(tree.root, [program, 'run', ...files, ...flags, ...filter], signal);
	const ms = performance.now() - started;
	let said: TestReport;
	try {
		said = JSON.parse(readFileSync(path, 'utf8')) as TestReport;
	} catch {
		return { failed: withoutReport(ended), ms, runs: 0 };
	}
	const results = said.testResults.flatMap(({ assertionResults }) => assertionResults);
	const isRun = (status: string) => status === 'passed' || status === 'failed';
	const runs = results.filter(({ status }) => isRun(status)).length;
	const failed = results.find(({ status }) => status === 'failed');
	if (failed !== undefined) {
		const what = `${failed.fullName}: ${firstLine(failed.failureMessages[0] ?? '')}`;
		return { failed: what, ms, runs };
	}
	if (ended.code === 0 && said.success) return { failed: null, ms, runs };
	const broken = said.testResults.find(({ status }) => status === 'failed');
	const what = broken === undefined ? withoutReport(ended) : firstLine(broken.message);
	return { failed: `outside of any test: ${what}`, ms, runs };
}

export async function runSeeds(tree: Tree, count: number, signal: AbortSignal): Promise<Verdict> {
	const program = tree.compiledPath('test/mutants/seeds.ts');
	const started = performance.now();
	const ended = await run(tree.root, [program, String(count)], signal);
	const ms = performance.now() - started;
	try {
		const { failed, runs } = JSON.parse(ended.stdout) as SeedsReport;
		return { failed: failed === null ? null : firstLine(failed.why), ms, runs };
	} catch {
		return { failed: withoutReport(ended), ms, runs: 0 };
	}
}

export function isSeeds(catcher: Catcher): catcher is Seeds {
	return 'seeds' in catcher;
}

export function runCatcher(tree: Tree, catcher: Catcher, signal: AbortSignal): Promise<Verdict> {
	if (isSeeds(catcher)) return runSeeds(tree, catcher.seeds, signal);
	const { tests, named }: Tests = catcher;
	return runTests(tree, [tests], named, signal);
}
