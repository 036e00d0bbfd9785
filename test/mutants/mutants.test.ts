import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { mutants, notPlanted } from './all.js';
import { type HuntResult, hunt } from './hunt.js';
import { type Mutant, mutant, seeds, tests } from './mutant.js';
import { isAllCaught, summary } from './table.js';
import { Misfit, mutated, syntaxFault } from './tree.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'millrace-hunt-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const RULES = 34;
/** Copies and whole vitests, on a machine that does other things too. */
const HUNT_MS = 600_000;

function huntFor(
	of: readonly Mutant[],
	signal = new AbortController().signal,
): Promise<HuntResult> {
	return hunt(of, { root, scratch, jobs: 1, signal, found: () => {}, checked: () => {} });
}

describe('the mutants', () => {
	it('have names of their own, suites that should catch them, and rules', () => {
		expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
		for (const { name, rules, caughtBy } of mutants) {
			expect(name).toMatch(/^[a-z0-9-]+$/);
			expect(caughtBy.length, name).toBeGreaterThan(0);
			expect(rules.length, name).toBeGreaterThan(0);
			for (const rule of rules) expect(rule >= 1 && rule <= RULES, name).toBe(true);
		}
	});

	it('are of every rule, or it is said why not', () => {
		const planted = new Set(mutants.flatMap(({ rules }) => rules));
		const excused = new Set(notPlanted.map(({ rule }) => rule));
		for (let rule = 1; rule <= RULES; rule++) {
			expect(planted.has(rule) !== excused.has(rule), `rule ${rule}`).toBe(true);
		}
	});

	it('are not caught by just anything', () => {
		const anything = [
			'no end within 300 s',
			'exit code 1, without a report',
			'outside of any test:',
		];
		for (const { name, caughtBy } of mutants) {
			for (const { expect: reason } of caughtBy) {
				expect(
					anything.filter((each) => reason.test(each)),
					name,
				).toEqual([]);
			}
		}
	});

	it('fit the source as it is now, and are programs', () => {
		for (const each of mutants) {
			for (const [file, text] of mutated(root, each)) {
				expect(syntaxFault(file, text), each.name).toBe(null);
				expect(text, each.name).not.toBe(readFileSync(join(root, file), 'utf8'));
			}
		}
	});

	it('stand in docs/SAFETY.md, each with who caught it', () => {
		const document = readFileSync(join(root, 'docs/SAFETY.md'), 'utf8');
		const [, table] = document.split('<!-- mutants: begin');
		const rows = table!.split('\n').filter((line) => /^\| [\d, ]+ \| `/.test(line));
		const names = new Set(rows.map((row) => /`([^`]+)`/.exec(row)![1]));
		expect([...names].sort()).toEqual(mutants.map(({ name }) => name).sort());
	});

	/** The quickest, each by another kind of suite. */
	const QUICK = [
		'ack-before-persisted',
		'leader-counts-itself-early',
		'commit-goes-back',
		'majority-one-too-few',
		'flusher-reports-early',
		'recovery-forgets-the-vote',
		'cut-is-not-marked',
		'header-checksum-unread',
		'native-without-dsync',
	];

	it(
		'are caught: some of them here, all by `npm run mutants`',
		async () => {
			const quick = mutants.filter(({ name }) => QUICK.includes(name));
			expect(quick).toHaveLength(QUICK.length);
			const result = await huntFor(quick);
			expect(result.findings.filter(({ outcome }) => outcome !== 'caught')).toEqual([]);
			expect(result.baselines.filter(({ failed }) => failed !== null)).toEqual([]);
		},
		HUNT_MS,
	);
});

describe('the hunt', () => {
	const QUORUM = 'src/raft/quorum.ts';
	const PARTS = 'test/raft/parts.test.ts';
	const LINE = 'return Math.floor(count / 2) + 1;';

	it(
		'tells what survives, what is caught for another reason, and what does not fit',
		async () => {
			const result = await huntFor([
				mutant('harmless', 7, QUORUM, LINE, `${LINE} // as before`, tests(PARTS, /./)),
				mutant('harmless-there', 7, QUORUM, LINE, `${LINE} // as before`, seeds(1, /./)),
				mutant('elsewhere', 7, QUORUM, LINE, 'return count;', tests(PARTS, /^rule 99/)),
				mutant('no-program', 7, QUORUM, LINE, 'return (;', tests(PARTS, /^rule 15/)),
				mutant('gone', 7, QUORUM, 'what never stood here', '', tests(PARTS, /./)),
				mutant('twice', 7, QUORUM, 'values', '', tests(PARTS, /./)),
				mutant('real', 7, QUORUM, LINE, 'return count;', tests(PARTS, /^rule 15/)),
			]);
			expect(result.findings.map(({ mutant: name, outcome }) => `${name}: ${outcome}`)).toEqual([
				'harmless: survived',
				'harmless-there: survived',
				'elsewhere: wrong reason',
				'no-program: wrong reason',
				'gone: misfit',
				'twice: misfit',
				'real: caught',
			]);
			expect(isAllCaught(result)).toBe(false);
			expect(summary(result)).toContain('caught in 1 of 7 suites');
			expect(readdirSync(scratch)).toEqual([]);
		},
		HUNT_MS,
	);

	it(
		'counts for nothing where a suite fails without any mutant',
		async () => {
			const lost = mutant(
				'lost',
				7,
				QUORUM,
				LINE,
				'return 1;',
				tests('test/raft/none.test.ts', /./),
			);
			const result = await huntFor([lost]);
			expect(result.baselines.map(({ failed }) => failed)).toEqual([expect.stringMatching(/./)]);
			expect(isAllCaught(result)).toBe(false);
		},
		HUNT_MS,
	);

	it(
		'leaves nothing behind when it is interrupted',
		async () => {
			const controller = new AbortController();
			const [first] = mutants;
			const ended = huntFor([first!], controller.signal);
			setTimeout(() => controller.abort(new Error('interrupted')), 300);
			await expect(ended).rejects.toThrow('interrupted');
			expect(readdirSync(scratch)).toEqual([]);
		},
		HUNT_MS,
	);

	it('names the mutant that does not fit', () => {
		const gone = mutant('gone', 7, QUORUM, 'what never stood here', '', tests(PARTS, /./));
		expect(() => mutated(root, gone)).toThrow(Misfit);
		expect(() => mutated(root, gone)).toThrow(/mutant gone can't be planted: .*quorum\.ts/);
	});
});
