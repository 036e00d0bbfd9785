import { afterEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../bench/micro/main.js';
import { measurePair } from '../../bench/micro/pair.js';
import { PAIRS } from '../../bench/micro/pairs.js';

/** Calls before what both ways made is compared. */
const CALLS = 5;

describe('each microbenchmark', () => {
	it.each(PAIRS.map((pair) => [pair.name, pair.naive.how, pair] as const))(
		'%s makes the same both ways (%s), and is measured',
		async (_name, _how, pair) => {
			const { ours, naive } = pair;
			const numbers = [ours, naive].map(({ call }) => Array.from({ length: CALLS }, call));
			const [made, naivelyMade] = [ours, naive].map(({ made }, i) => made?.() ?? numbers[i]);
			expect(made).toEqual(naivelyMade);
			// One that makes nothing would be quick.
			expect(made).not.toBeUndefined();
			expect(numbers.flat().every((number) => Number.isFinite(number) && number > 0)).toBe(true);

			const result = await measurePair(pair, 1, 1);
			expect(result.ns).toBeGreaterThan(0);
			expect(result.naiveNs).toBeGreaterThan(0);
			expect(result.ratio.median).toBeCloseTo(result.naiveNs / result.ns);
		},
	);

	it('has a name, together with the way that it is compared to', () => {
		const names = PAIRS.map(({ name, naive }) => `${name}, ${naive.how}`);
		expect(new Set(names).size).toBe(names.length);
	});
});

describe('npm run bench:micro', () => {
	let [stdout, stderr] = ['', ''];
	const spy = () => {
		[stdout, stderr] = ['', ''];
		vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
			stdout += text;
			return true;
		});
		vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
			stderr += text;
			return true;
		});
	};
	afterEach(() => void vi.restoreAllMocks());

	const QUICK = ['--rounds', '1', '--ms', '1'];

	it('measures what it is asked for', async () => {
		spy();
		expect(await run(['--only', 'stamp', ...QUICK])).toBe(0);
		const lines = stdout.trimEnd().split('\n');
		expect(lines).toHaveLength(2);
		expect(lines[1]).toMatch(
			/^stamp a batch .* \d+(?:\.\d)? +\d+(?:\.\d)? +\d+\.\dx +\(.* to .*\)/,
		);
	});

	it('tells it as JSON', async () => {
		spy();
		expect(await run(['--only', 'quorum', '--json', ...QUICK])).toBe(0);
		const { results, machine } = JSON.parse(stdout);
		expect(results).toMatchObject([{ name: 'quorum: what three of five have' }]);
		expect(machine.node).toBe(process.version);
		expect(stderr).toContain('1 of 1');
	});

	it.each([
		[['--frobnicate'], /frobnicate/],
		[['--only', 'no such function'], /--only 'no such function' is in no name/],
		[['--rounds', '0'], /--rounds is a whole number from 1/],
		[['--ms', 'long'], /--ms is a whole number/],
	])('refuses %j in one line', async (argv, message) => {
		spy();
		expect(await run(argv)).toBe(2);
		expect(stderr).toMatch(new RegExp(`^bench:micro: .*${message.source}.*\n$`));
		expect(stdout).toBe('');
	});

	it('ends on Ctrl-C with what it has', async () => {
		spy();
		const ended = run(['--json', '--rounds', '1', '--ms', '20']);
		setTimeout(() => process.emit('SIGINT'), 100);
		expect(await ended).toBe(130);
		const { results } = JSON.parse(stdout);
		expect(results.length).toBeGreaterThan(0);
		expect(results.length).toBeLessThan(PAIRS.length);
	});
});
