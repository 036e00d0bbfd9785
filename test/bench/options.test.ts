import { describe, expect, it } from 'vitest';
import { BENCH_LIMITS, parseOptions, planLoad } from '../../bench/options.js';

describe('the options of millrace bench', () => {
	it('have the defaults of the help', () => {
		expect(parseOptions([])).toEqual({
			replicas: 3,
			payloadBytes: 256,
			depth: 16_384,
			mode: 'batch',
			seconds: 10,
			entries: null,
			durability: 'sync',
			dir: null,
			json: false,
			ceiling: true,
		});
	});

	it.each([
		[['--frobnicate'], /Unknown option '--frobnicate'/],
		[['stray'], /stray/],
		[['--payload'], /payload/],
		[['--payload', '0'], /--payload is a whole number from 1 to/],
		[['--payload', '2000000'], /--payload is a whole number from 1 to/],
		[['--payload', '1e3'], /--payload is a whole number/],
		[['--depth', '-1'], /depth/],
		[['--depth', '1000000'], /--depth 1000000 with --payload 256 keeps \d+ bytes in flight/],
		[['--replicas', '0'], /--replicas is a whole number from 1 to/],
		[['--mode', 'fast'], /--mode is one of batch, single, client, client-single, not 'fast'/],
		[['--durability', 'none'], /--durability is one of sync, os, not 'none'/],
		[['--seconds', 'ten'], /--seconds is a number above 0, not 'ten'/],
		[['--seconds', '0'], /--seconds is a number above 0/],
		[['--entries', '0'], /--entries is a whole number/],
	])('%j is refused in one line', (argv, message) => {
		expect(() => parseOptions(argv)).toThrow(message);
		try {
			parseOptions(argv);
		} catch (error) {
			expect((error as Error).message).not.toContain('\n');
		}
	});
});

describe('the plan of a load', () => {
	const plan = (payload: number, depth: number) =>
		planLoad(parseOptions(['--payload', `${payload}`, '--depth', `${depth}`]));

	it('fits a batch into the depth and into the limits', () => {
		for (const payload of [1, 16, 256, 4096, BENCH_LIMITS.entryBytesMax]) {
			for (const depth of [1, 7, 64, 1024]) {
				if (payload * depth > 20 * 1024 * 1024) continue;
				const { entriesPerBatch } = plan(payload, depth);
				expect(entriesPerBatch).toBeGreaterThanOrEqual(1);
				expect(entriesPerBatch).toBeLessThanOrEqual(depth);
				expect(entriesPerBatch).toBeLessThanOrEqual(BENCH_LIMITS.batchEntriesMax);
			}
		}
	});

	it('proposes one by one at depth 1', () => {
		expect(plan(256, 1).entriesPerBatch).toBe(1);
	});
});
