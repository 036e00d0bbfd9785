/** The hunt from the command line: `npm run mutants -- --help`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutants, notPlanted } from './all.js';
import { hunt } from './hunt.js';
import type { Mutant } from './mutant.js';
import { effort, isAllCaught, summary, textTable, withTable } from './table.js';

const HELP = `Plants bugs in copies of the tree, one at a time, and sees each caught by the suites that should.

    npm run mutants [-- OPTIONS]

    --only NAME|RULE   this mutant, or those of this rule; may be repeated
    --jobs N           so many suites at a time (default 1)
    --list             the mutants, and which suites should catch them; runs nothing
    --json FILE        writes the findings to FILE
    --markdown         puts what was caught into the table of docs/SAFETY.md
    --help             this

Exit code: 0 all are caught, 1 some aren't (or a suite fails without any), 2 wrong arguments, 130 interrupted.`;

const root = join(fileURLToPath(import.meta.url), '../../../../..');
const document = join(root, 'docs/SAFETY.md');

class WrongArguments extends Error {}

function readArguments() {
	try {
		const { values } = parseArgs({
			options: {
				only: { type: 'string', multiple: true },
				jobs: { type: 'string', default: '1' },
				list: { type: 'boolean', default: false },
				json: { type: 'string' },
				markdown: { type: 'boolean', default: false },
				help: { type: 'boolean', default: false },
			},
		});
		return values;
	} catch (error) {
		throw new WrongArguments((error as Error).message);
	}
}

/** Those that are asked for, in their order. */
function chosen(only: readonly string[] | undefined): readonly Mutant[] {
	if (only === undefined) return mutants;
	const isIt = (each: string) => (mutant: Mutant) =>
		mutant.name === each || mutant.rules.includes(Number(each));
	for (const each of only) {
		if (mutants.some(isIt(each))) continue;
		const why = notPlanted.find(({ rule }) => rule === Number(each))?.why;
		throw new WrongArguments(why ?? `no mutant is called ${each}, and none is of a rule ${each}`);
	}
	return mutants.filter((mutant) => only.some((each) => isIt(each)(mutant)));
}

function list(of: readonly Mutant[]): void {
	for (const { name, rules, caughtBy } of of) {
		const suites = caughtBy.map((catcher) =>
			'seeds' in catcher ? 'simulation' : [catcher.tests, catcher.named].filter(Boolean).join(': '),
		);
		console.log(`${rules.join(', ').padEnd(8)}${name.padEnd(40)}${suites.join('; ')}`);
	}
}

async function main(): Promise<number> {
	const { only, jobs: jobsText, list: isList, json, markdown, help } = readArguments();
	if (help) {
		console.log(HELP);
		return 0;
	}
	const jobs = Number(jobsText);
	if (!Number.isInteger(jobs) || jobs < 1 || jobs > 64)
		throw new WrongArguments(`--jobs is a whole number from 1 to 64, not ${jobsText}`);
	const of = chosen(only);
	if (isList) {
		list(of);
		return 0;
	}
	const controller = new AbortController();
	for (const name of ['SIGINT', 'SIGTERM'] as const) {
		process.on(name, () => controller.abort(new Interrupted()));
	}
	const started = performance.now();
	const total = of.reduce((sum, { caughtBy }) => sum + caughtBy.length, 0);
	let done = 0;
	const result = await hunt(of, {
		root,
		scratch: tmpdir(),
		jobs,
		signal: controller.signal,
		found: (finding) => {
			done += 1;
			const place = `${done}/${total}`.padStart(9);
			const what = `${finding.outcome.padEnd(12)}  ${finding.mutant}  (${effort(finding)})`;
			console.log(`${place}  ${what}  ${finding.suite}: ${finding.by}`);
		},
		checked: ({ suite, failed, ms }) => {
			const verdict = failed === null ? 'passes' : `FAILS: ${failed}`;
			console.log(`without a mutant (${(ms / 1000).toFixed(1)} s)  ${verdict}  ${suite}`);
		},
	});
	console.log(`\n${textTable(result)}\n`);
	for (const { rule, why } of notPlanted) console.log(`rule ${rule} has no mutant: ${why}`);
	const seconds = Math.round((performance.now() - started) / 1000);
	console.log(`${summary(result)}, in ${seconds} s`);
	if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, '\t')}\n`);
	const isGood = isAllCaught(result);
	if (markdown && result.baselines.every(({ failed }) => failed === null)) {
		const text = readFileSync(document, 'utf8');
		writeFileSync(document, withTable(text, result, mutants, notPlanted));
	}
	return isGood ? 0 : 1;
}

class Interrupted extends Error {}

try {
	process.exitCode = await main();
} catch (error) {
	if (error instanceof Interrupted) process.exitCode = 130;
	else if (error instanceof WrongArguments) {
		console.error(error.message);
		process.exitCode = 2;
	} else throw error;
}
