/** The short form of `npm run fuzz`: the corpus, and some thousand new cases of each target, from a fixed seed. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { demandOneLine } from './commands.js';
import { readCorpus } from './corpus.js';
import { Fuzzer } from './fuzzer.js';
import { TARGETS } from './targets.js';

/** About two seconds for each. */
const CASES: Readonly<Record<string, number>> = {
	frames: 12_000,
	messages: 25_000,
	handshake: 4_000,
	segments: 1_500,
	commands: 15_000,
};

describe.each(TARGETS)('$name', (target) => {
	test('the corpus and new cases find nothing', async () => {
		const fuzzer = new Fuzzer(target, 1);
		const corpus = readCorpus(target.name);
		expect(corpus.length).toBeGreaterThan(10);
		await fuzzer.start(corpus);
		await fuzzer.run(CASES[target.name]!);
		const { failure } = fuzzer;
		const input = failure === null ? '' : Buffer.from(failure.input).toString('hex');
		const replay = `npm run fuzz -- --target ${target.name} --input ${input}`;
		expect(failure?.error.stack, `case ${failure?.number}: ${replay}`).toBeUndefined();
		// Else the test tests nothing: cases must get past the first question.
		expect(fuzzer.outcomes.size).toBeGreaterThan(10);
	});
});

test('every bug that can be planted is still one change of one place', async () => {
	const list: string = '../../scripts/fuzz-planted.mjs';
	const { PLANTED } = (await import(list)) as { PLANTED: { file: string; find: string }[] };
	expect(PLANTED.length).toBeGreaterThan(40);
	const lost = PLANTED.filter(
		({ file, find }) => readFileSync(file, 'utf8').split(find).length !== 2,
	);
	expect(lost).toEqual([]);
});

test.each([
	[[]],
	[['a\nb']],
	[['bench', '--a\nb']],
	[['bench', '--payload', '0']],
	[['serve', '--id', '1', '--peers', '1=a:1,2=a:1', '--dir', 'd']],
	[['tail', '--peers', '1=a:1\r\n2=b', '--from', '1']],
	[['append', '--peers', '1=a:1', '--binary', '9\t9']],
	[['cluster', '--replicas', '٣']],
	[['status', '--__proto__', 'x']],
])('the command ends with one line and exit code 2: %j', (argv) => {
	demandOneLine(argv);
});
