/** The fuzzer from the command line, started by `scripts/fuzz.mjs`; see docs/TESTING.md. */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import { readCorpus, readHexLines, writeCorpus, writeHexLines } from './corpus.js';
import { blocksReached, coverageOf, forgetBlocks } from './coverage.js';
import { type Failure, Fuzzer, shrink } from './fuzzer.js';
import type { Target } from './target.js';
import { TARGETS } from './targets.js';
import { watch } from './watchdog.js';

const NAMES = TARGETS.map(({ name }) => name);
const HELP = `Usage: npm run fuzz -- [options]

  --target NAME    ${NAMES.join(', ')} or all (all)
  --cases N        cases for each target (its share of 100,000)
  --minutes M      instead: so long in all, in equal parts
  --seed S         what everything follows from, a whole number (1)
  --missed         at the end, print the blocks that were never reached
  --outcomes       at the end, print what came of the cases
  --corpus         at the end, write the inputs that reached something new to test/fuzz/corpus
  --no-corpus      begin without that corpus
  --no-save        print a failing input, but save no file
  --replay FILE    run the inputs of this file, one line of hex each, and nothing else
  --input HEX      the same with one input from the command line
  --planted [NAME] instead of all this: plant bugs, one by one, and show that each is caught

Ends with the first failing case of each target, made smaller, and the command that replays it.
Exit codes: 0 nothing was found, 1 something was, 2 bad options, 130 interrupted.
`;

const FINDINGS = 'dist/fuzz-findings';
const BURST = 500;
const REPORT_MS = 2_000;
/** Of 100,000 cases: what costs more gets fewer. */
const SHARES: Readonly<Record<string, number>> = {
	frames: 30_000,
	messages: 40_000,
	handshake: 19_000,
	segments: 1_000,
	commands: 10_000,
};

const { values } = readOptions();
let isInterrupted = false;
process.on('SIGINT', () => {
	if (isInterrupted) process.exit(130);
	isInterrupted = true;
});

function readOptions() {
	try {
		return parseArgs({
			options: {
				target: { type: 'string', default: 'all' },
				cases: { type: 'string' },
				minutes: { type: 'string' },
				seed: { type: 'string', default: '1' },
				missed: { type: 'boolean', default: false },
				outcomes: { type: 'boolean', default: false },
				corpus: { type: 'boolean', default: true },
				save: { type: 'boolean', default: true },
				replay: { type: 'string' },
				input: { type: 'string' },
				help: { type: 'boolean', short: 'h', default: false },
			},
			allowNegative: true,
			tokens: true,
		});
	} catch (error) {
		refuse((error as Error).message.split('\n')[0]!);
	}
}

function refuse(why: string): never {
	process.stderr.write(`fuzz: ${why} (see npm run fuzz -- --help)\n`);
	process.exit(2);
}

function numberOption(name: 'cases' | 'minutes' | 'seed', text: string): number {
	const number = Number(text);
	const isGood = name === 'minutes' ? number > 0 : Number.isSafeInteger(number) && number >= 0;
	if (text.trim() === '' || !isGood) refuse(`--${name} is a number, not '${text}'`);
	return number;
}

function commandFor(target: Target, file: string): string {
	return `npm run fuzz -- --target ${target.name} --replay ${file}`;
}

/** Fuzzes one target. @returns whether it found nothing */
async function fuzz(target: Target, casesMax: number, msMax: number): Promise<boolean> {
	forgetBlocks();
	const stuck = `${FINDINGS}/${target.name}-stuck.hex`;
	const watchdog = watch(stuck, commandFor(target, stuck));
	const fuzzer = new Fuzzer(target, numberOption('seed', values.seed));
	fuzzer.onCase = watchdog.begin;
	const startedAt = performance.now();
	let reportAt = startedAt + REPORT_MS;
	await fuzzer.start(values.corpus ? readCorpus(target.name) : []);
	const isOver = () =>
		isInterrupted || fuzzer.cases >= casesMax || performance.now() - startedAt >= msMax;
	while (fuzzer.failure === null && !isOver()) {
		await fuzzer.run(Math.min(BURST, casesMax - fuzzer.cases));
		if (performance.now() >= reportAt) {
			reportAt = performance.now() + REPORT_MS;
			if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line(fuzzer, startedAt)}`);
		}
		await new Promise((resolve) => setImmediate(resolve));
	}
	const seconds = (performance.now() - startedAt) / 1000;
	await watchdog.end();
	if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
	// Before shrinking, which would count too.
	const { reached, total, missed } = coverageOf(target.aim);
	process.stdout.write(`${line(fuzzer, startedAt)}\n`);
	process.stdout.write(`  ${reached} of ${total} blocks of ${target.aim.join(', ')} reached\n`);
	if (values.missed) for (const name of missed) process.stdout.write(`  missed ${name}\n`);
	if (values.outcomes) printOutcomes(fuzzer, seconds);
	if (fuzzer.failure !== null) await report(target, fuzzer.failure);
	else if (process.argv.includes('--corpus')) await keep(target, fuzzer);
	return fuzzer.failure === null;
}

function line({ target, cases, kept, outcomes, failure }: Fuzzer, startedAt: number): string {
	const seconds = (performance.now() - startedAt) / 1000;
	const rate = Math.round(cases / seconds).toLocaleString('en-US');
	return (
		`${target.name}: ${cases.toLocaleString('en-US')} cases, ${seconds.toFixed(1)} s, ${rate} a second, ` +
		`${outcomes.size} outcomes, ${kept.length} inputs kept, ${failure === null ? 0 : 1} findings`
	);
}

function printOutcomes({ outcomes, cases }: Fuzzer, _seconds: number): void {
	for (const [outcome, count] of [...outcomes].sort(([, a], [, b]) => b - a)) {
		process.stdout.write(`  ${((100 * count) / cases).toFixed(2).padStart(6)} %  ${outcome}\n`);
	}
}

async function report(target: Target, failure: Failure): Promise<void> {
	const { error, number } = failure;
	process.stdout.write(`case ${number} failed: ${error.message.split('\n')[0]}\n`);
	const input = await shrink(target, failure);
	const description = target.describe(input);
	process.stdout.write(`${error.stack}\n  input: ${description.slice(0, 2_000)}\n`);
	if (!values.save) return;
	const file = `${FINDINGS}/${target.name}-${crc32(input).toString(16).padStart(8, '0')}.hex`;
	mkdirSync(FINDINGS, { recursive: true });
	writeHexLines(file, [input]);
	process.stdout.write(`  ${commandFor(target, file)}\n`);
}

/** Writes the smallest set that reaches as much: the shortest inputs first, each that still adds something. */
async function keep(target: Target, fuzzer: Fuzzer): Promise<void> {
	const candidates = [...readCorpus(target.name), ...fuzzer.kept.map(({ input }) => input)];
	candidates.sort((a, b) => a.length - b.length);
	forgetBlocks();
	const outcomes = new Set<string>();
	for (const seed of await target.seeds()) outcomes.add(await target.run(seed));
	const chosen: Uint8Array[] = [];
	for (const input of candidates) {
		const before = blocksReached();
		const outcome = await target.run(input);
		if (blocksReached() === before && outcomes.has(outcome)) continue;
		outcomes.add(outcome);
		chosen.push(input);
	}
	process.stdout.write(`  ${writeCorpus(target.name, chosen)} inputs are in the corpus now\n`);
}

async function replay(targets: readonly Target[], inputs: readonly Uint8Array[]): Promise<boolean> {
	if (targets.length !== 1) refuse('--replay and --input want one --target');
	const [target] = targets;
	let isClean = true;
	for (const input of inputs) {
		process.stdout.write(`${target!.describe(input).slice(0, 2_000)}\n`);
		try {
			process.stdout.write(`  ${await target!.run(input)}\n`);
		} catch (error) {
			isClean = false;
			process.stdout.write(`  failed: ${(error as Error).stack}\n`);
		}
	}
	return isClean;
}

async function main(): Promise<number> {
	if (values.help) {
		process.stdout.write(HELP);
		return 0;
	}
	const targets = TARGETS.filter(({ name }) => values.target === 'all' || name === values.target);
	if (targets.length === 0) refuse(`--target is one of ${NAMES.join(', ')}, all`);
	if (values.replay !== undefined)
		return (await replay(targets, readHexLines(values.replay))) ? 0 : 1;
	if (values.input !== undefined) {
		return (await replay(targets, [Uint8Array.from(Buffer.from(values.input, 'hex'))])) ? 0 : 1;
	}
	const minutes = values.minutes === undefined ? null : numberOption('minutes', values.minutes);
	const msMax = minutes === null ? Number.POSITIVE_INFINITY : (minutes * 60_000) / targets.length;
	let isClean = true;
	for (const target of targets) {
		const cases = values.cases === undefined ? null : numberOption('cases', values.cases);
		const share = minutes === null ? SHARES[target.name]! : Number.POSITIVE_INFINITY;
		if (!isInterrupted && !(await fuzz(target, cases ?? share, msMax))) isClean = false;
	}
	if (isInterrupted) return 130;
	return isClean ? 0 : 1;
}

process.exit(await main());
