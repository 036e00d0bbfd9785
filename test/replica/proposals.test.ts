import { describe, expect, it } from 'vitest';
import { UnknownOutcome } from '../../src/errors.js';
import { stampBatch } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { SlabPool } from '../../src/format/slab.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';
import { MEMBERS_BYTES_MAX } from '../../src/replica/members.js';
import { Proposals } from '../../src/replica/proposals.js';

/** Proposals with one frame in the log for each index, of term 1; what became of each. */
function inLog(...indexes: number[]) {
	const pool = new SlabPool(DEFAULT_LIMITS.slabBytes, 4);
	const proposals = new Proposals(pool, DEFAULT_LIMITS, 1);
	const outcomes: (number | Error)[] = [];
	const views = indexes.map((index, i) => {
		proposals.add(new Uint8Array(8), {
			count: 1,
			applied: (at) => {
				outcomes[i] = at;
			},
			failed: (error) => {
				outcomes[i] = error;
			},
		});
		const frame = proposals.next(true)!;
		frame.slab.retain();
		proposals.appended(frame, index, 1);
		return (at: number, term: number) => {
			stampBatch(frame.slab, frame.offset, term, at, 0, 0);
			return new BatchView().moveTo(frame.slab, frame.offset, frame.length);
		};
	});
	return { proposals, outcomes, views };
}

describe('rule 20: a result is for the very proposal', () => {
	it('that was put at that index in that term', () => {
		const { proposals, outcomes, views } = inLog(5, 6);
		proposals.applied(views[0]!(4, 1), undefined);
		expect(outcomes).toEqual([]);
		proposals.applied(views[0]!(5, 1), undefined);
		proposals.applied(views[1]!(6, 1), undefined);
		expect(outcomes).toEqual([5, 6]);
		expect(proposals.isSettled).toBe(true);
	});

	it('and not for what another leader put there, after a transfer, or behind it', () => {
		const replaced = inLog(5, 6);
		replaced.proposals.applied(replaced.views[0]!(5, 2), undefined);
		expect(replaced.outcomes).toEqual([expect.any(UnknownOutcome), expect.any(UnknownOutcome)]);
		const covered = inLog(5, 6);
		covered.proposals.applied(covered.views[0]!(6, 1), undefined);
		expect(covered.outcomes).toEqual([expect.any(UnknownOutcome), expect.any(UnknownOutcome)]);
		expect(covered.proposals.isSettled).toBe(true);
	});

	it('also where callers share a waiter, and the state machine uses its array of results again', async () => {
		const { proposals } = inLog();
		const told: unknown[] = [];
		const own = { count: 2, applied: (index: number) => told.push(index), failed: () => {} };
		const calls = [proposals.join(Uint8Array.of(1)), proposals.join(Uint8Array.of(2))];
		proposals.addBatch([new Uint8Array(1), new Uint8Array(1)], 2, own);
		calls.push(proposals.join(Uint8Array.of(5)));
		const frame = proposals.next(true)!;
		frame.slab.retain();
		proposals.appended(frame, 7, 3);
		stampBatch(frame.slab, frame.offset, 3, 7, 0, 0);
		const results = ['one', 'two', 'three', 'four', 'five'];
		const view = new BatchView().moveTo(frame.slab, frame.offset, frame.length);
		proposals.applied(view, results);
		results.fill('of another batch');
		expect(told).toEqual([9]);
		expect(await Promise.all(calls)).toEqual([
			{ index: 7, term: 3, result: 'one' },
			{ index: 8, term: 3, result: 'two' },
			{ index: 11, term: 3, result: 'five' },
		]);
	});

	it('which goes on, when its leader is elected again, as far as it is still in the log', () => {
		const { proposals, outcomes, views } = inLog(5, 6, 7);
		proposals.failSent('it is gone', (index) => index < 7);
		expect(outcomes).toEqual([undefined, undefined, expect.any(UnknownOutcome)]);
		proposals.applied(views[0]!(5, 1), undefined);
		expect(outcomes[0]).toBe(5);
	});
});

it('first entries of terms and configurations never want for memory, however many are held', () => {
	const proposals = new Proposals(new SlabPool(DEFAULT_LIMITS.slabBytes, 1), DEFAULT_LIMITS, 1);
	const held = Array.from({ length: 1000 }, () => [
		proposals.noOp(),
		proposals.configuration(new Uint8Array(MEMBERS_BYTES_MAX)),
	]).flat();
	for (const { slab, length } of held) expect(length).toBeLessThanOrEqual(slab.size);
});
