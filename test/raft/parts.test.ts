import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { majorityOf, majorityReached } from '../../src/raft/quorum.js';
import { Random } from '../../src/raft/random.js';
import { TermRuns } from '../../src/raft/term-runs.js';
import { majority } from './cluster.js';

describe('rule 15: the quorum is the obvious sort', () => {
	it('a majority of n is more than half', () => {
		for (let count = 1; count <= 7; count += 1) expect(majorityOf(count)).toBe(majority(count));
	});

	it('the value reached is the highest that a majority has', () => {
		const values = fc.array(fc.nat(6), { minLength: 1, maxLength: 7 });
		fc.assert(
			fc.property(values, (reached) => {
				const holds = (value: number) => {
					const count = reached.filter((each) => each >= value).length;
					return count * 2 > reached.length;
				};
				const highest = Math.max(...reached.filter(holds));
				expect(majorityReached(Float64Array.from(reached))).toBe(highest);
			}),
		);
	});
});

type Command =
	| { readonly is: 'append'; readonly count: number; readonly terms: number }
	| { readonly is: 'truncate' | 'compact'; readonly at: number };

const command: fc.Arbitrary<Command> = fc.oneof(
	fc.record({
		is: fc.constant('append' as const),
		count: fc.integer({ min: 1, max: 4 }),
		terms: fc.nat(2),
	}),
	fc.record({ is: fc.constantFrom('truncate' as const, 'compact' as const), at: fc.nat(100) }),
);

/** The log entry by entry: what `TermRuns` must be indistinguishable from. */
class Model {
	terms: number[] = [0];
	compacted = 0;

	get last(): number {
		return this.terms.length - 1;
	}

	inside(at: number): number {
		return this.compacted + (at % (this.last - this.compacted + 1));
	}

	lastAtMost(term: number, index: number): number {
		if (index < this.compacted) return index;
		for (let at = Math.min(index, this.last); at >= this.compacted; at -= 1) {
			if (this.terms[at]! <= term) return at;
		}
		return this.compacted - 1;
	}
}

function apply(runs: TermRuns, model: Model, step: Command): void {
	if (step.is === 'append') {
		const term = model.terms.at(-1)! + step.terms;
		runs.append(model.last + step.count, term);
		for (let i = 0; i < step.count; i += 1) model.terms.push(term);
		return;
	}
	const at = model.inside(step.at);
	if (step.is === 'truncate') {
		runs.truncate(at);
		model.terms.length = at + 1;
	} else {
		runs.compact(at);
		model.compacted = at;
	}
}

describe('the log as runs of terms', () => {
	it('answers as the log entry by entry would', () => {
		fc.assert(
			fc.property(fc.array(command, { maxLength: 60 }), (steps) => {
				const runs = new TermRuns(0, 0);
				const model = new Model();
				for (const step of steps) apply(runs, model, step);
				runs.invariants();
				expect(runs.lastIndex).toBe(model.last);
				expect(runs.lastTerm).toBe(model.terms.at(-1));
				for (let index = 0; index <= model.last + 1; index += 1) {
					const known = index >= model.compacted && index <= model.last;
					expect(runs.termAt(index)).toBe(known ? model.terms[index] : -1);
					for (let term = 0; term <= model.terms.at(-1)! + 1; term += 1) {
						expect(runs.lastAtMost(term, index)).toBe(model.lastAtMost(term, index));
					}
				}
			}),
			{ numRuns: 150 },
		);
	});
});

describe('the seeded generator', () => {
	it('the same seed gives the same numbers, another seed others', () => {
		const numbers = (seed: number) => {
			const random = new Random(seed);
			return Array.from({ length: 5 }, () => random.below(1000));
		};
		expect(numbers(7)).toEqual(numbers(7));
		const firsts = new Set(Array.from({ length: 100 }, (_, seed) => numbers(seed).join()));
		expect(firsts.size).toBe(100);
	});

	it('stays below the bound, and spreads over all of it', () => {
		const random = new Random(0);
		const counts = new Uint32Array(10);
		for (let i = 0; i < 10_000; i += 1) counts[random.below(10)]! += 1;
		for (const count of counts) expect(count).toBeGreaterThan(800);
	});
});
