/** All that can happen to three replicas within small bounds; and that bugs in the core are found there. */
import { describe, expect, it } from 'vitest';
import type { Bounds } from './cluster-steps.js';
import { type Counts, Explorer } from './explorer.js';
import { loadCore } from './instrumented-core.js';
import { mutants } from './mutants.js';
import { readOptions } from './options.js';
import { type Start, starts } from './starts.js';

function boundsOf(line: string): Bounds {
	return readOptions(line.split(' ')).bounds;
}

function explored(line: string, start: Start = starts.fresh): Explorer {
	const explorer = new Explorer(boundsOf(line), start);
	explorer.explore();
	expect(explorer.explain()).toEqual([]);
	return explorer;
}

/** What must have been met for an exploration to mean something. */
function expectMet(counts: Counts, names: readonly (keyof Counts)[]): void {
	for (const name of names) expect(counts[name], name).toBeGreaterThan(0);
}

describe('every order of events keeps Raft’s promises', () => {
	it('in two terms, with messages that come again and again', () => {
		const { counts, states } = explored('--terms 2 --entries 0 --messages 1 --fast-disk');
		expect(states).toBeGreaterThan(50_000);
		expectMet(counts, ['committed', 'twoLeaders', 'truncations', 'rejections', 'olderTermCommits']);
	});

	it('in one term, with a slow disk and a crash', () => {
		const { counts, states } = explored('--terms 1 --entries 0 --messages 1 --crashes 1');
		expect(states).toBeGreaterThan(20_000);
		expectMet(counts, ['committed', 'rejections']);
	});

	it('in one term, with a client', () => {
		const { counts } = explored('--terms 1 --entries 1 --messages 1 --fast-disk');
		expectMet(counts, ['committed', 'rejections']);
	});

	it('in one term, with a disk that is emptied, of a cluster that begins on probation', () => {
		const line = '--terms 1 --entries 0 --messages 1 --once --fast-disk --wipes 1';
		const { counts, states } = explored(line, starts.new);
		expect(states).toBeGreaterThan(30_000);
		expectMet(counts, ['committed', 'rejections', 'admissions']);
	});

	it('in two terms, with a disk that is emptied when something is committed', () => {
		const line = '--terms 2 --entries 0 --messages 1 --once --fast-disk --wipes 1';
		expectMet(explored(line, starts.committed).counts, ['olderTermCommits', 'admissions']);
	});

	it('in one term, with a lost stream and a read', () => {
		const line = '--terms 1 --entries 0 --messages 1 --disconnects 1 --reads 1 --fast-disk';
		expectMet(explored(line).counts, ['committed', 'readsConfirmed']);
	});
});

it('replicas differ in nothing but their names', () => {
	const line = '--terms 1 --entries 0 --messages 1 --fast-disk';
	const all = explored(`${line} --asymmetric`);
	const some = explored(line);
	// Six names for each state, but for the few that are the same after a renaming.
	expect(all.states).toBeGreaterThan(5.8 * some.states);
	expect(all.states).toBeLessThanOrEqual(6 * some.states);
	expect(all.depth).toBe(some.depth);
});

describe('a planted bug is found', () => {
	const quick = Object.entries(mutants).filter(([, { isSlow }]) => isSlow !== true);
	it.each(quick)('%s', (_name, { edits, start, bounds }) => {
		const explorer = new Explorer(boundsOf(bounds), starts[start], edits);
		explorer.explore();
		expect(explorer.fault?.what).toMatch(/./);
		expect(explorer.explain().at(-1)).toContain('BROKEN');
	});

	it('and those that take too long to find can still be planted', () => {
		for (const { edits, isSlow } of Object.values(mutants))
			if (isSlow === true) expect(() => loadCore(edits)).not.toThrow();
	});
});

describe('the command line', () => {
	it('refuses numbers that are none', () => {
		expect(() => readOptions(['--terms', 'two'])).toThrow('--terms is a number from 1 to 9');
		expect(() => readOptions(['--turns', '2'])).toThrow();
	});
});
