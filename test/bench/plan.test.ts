import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../bench/plan.js';

describe('the plan of millrace bench', () => {
	it('is one load, once, if nothing is said', () => {
		const plan = parsePlan([]);
		expect(plan).toMatchObject({ runs: 1, axes: [], skipped: [], compare: null, html: null });
		expect(plan.loads).toMatchObject([{ payloadBytes: 256, depth: 16_384, mode: 'batch' }]);
	});

	it('is the grid of a sweep, in order, with the other options in each', () => {
		const argv = ['--sweep', 'payload=16,256', 'depth=1,64', '--seconds', '2', '--no-ceiling'];
		const plan = parsePlan(argv);
		expect(plan.axes).toEqual(['payload', 'depth']);
		expect(plan.loads.map(({ payloadBytes, depth }) => [payloadBytes, depth])).toEqual([
			[16, 1],
			[16, 64],
			[256, 1],
			[256, 64],
		]);
		expect(plan.loads.every((load) => load.seconds === 2 && !load.ceiling)).toBe(true);
		expect(parsePlan(['--sweep', 'mode=batch,single']).loads.map(({ mode }) => mode)).toEqual([
			'batch',
			'single',
		]);
	});

	it('leaves out and names what is beyond a limit: the sweep of the documentation has one', () => {
		const plan = parsePlan(['--sweep', 'payload=16,256,4096,65536', 'depth=1,64,4096']);
		expect(plan.loads).toHaveLength(11);
		expect(plan.skipped).toEqual([
			expect.stringMatching(/^--depth 4096 with --payload 65536 keeps \d+ bytes in flight/),
		]);
	});

	it.each([
		[['stray'], /Unexpected argument 'stray'/],
		[['--sweep', 'payload'], /--sweep is AXIS=VALUE/],
		[['--sweep', 'payload='], /--sweep is AXIS=VALUE/],
		[['--sweep', 'payload=1,,2'], /--sweep is AXIS=VALUE/],
		[['--sweep', 'colour=red'], /with an axis of payload, depth, mode, durability, replicas, not/],
		[['--sweep', 'payload=1=2'], /--sweep is AXIS=VALUE/],
		[['--sweep', 'payload=16', 'payload=32'], /--sweep has payload twice/],
		[['--sweep', 'payload=16,16'], /--sweep has a value of payload twice/],
		[['--sweep', 'payload=0,16'], /--payload is a whole number from 1 to/],
		[['--sweep', 'mode=fast'], /--mode is one of/],
		[['--sweep', 'depth=5000000,9000000'], /bytes in flight/],
		[['--sweep', ...grid(11, 'payload'), ...grid(101, 'depth')], /more than 1000 combinations/],
		[['--runs', '0'], /--runs is a whole number from 1 to/],
		[['--runs', 'many'], /--runs is a whole number/],
		[['--html', '/no/such/folder/page.html'], /--html \S+ cannot be written: ENOENT/],
	])('%j is refused in one line', (argv, message) => {
		expect(() => parsePlan(argv)).toThrow(message);
	});

	it('does not leave the page’s file behind before there is a page', () => {
		const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
		expect(parsePlan(['--html', join(directory, 'page.html')]).html).toContain('page.html');
		expect(readdirSync(directory)).toEqual([]);
		rmSync(directory, { recursive: true });
	});
});

function grid(count: number, axis: string): string[] {
	return [`${axis}=${Array.from({ length: count }, (_, i) => i + 1).join(',')}`];
}
