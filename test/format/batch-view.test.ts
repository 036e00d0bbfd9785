import { describe, expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { BATCH, batchFrame, memoryOf, text } from './frames.js';

const ENTRIES = [text('one'), text(''), text('three')];
const FRAME = batchFrame(ENTRIES, BATCH);

describe('BatchView', () => {
	const memory = memoryOf(FRAME, 24);
	const view = new BatchView().moveTo(memory, 24, FRAME.length);

	it('tells what the batch says', () => {
		expect({
			index: view.index,
			lastIndex: view.lastIndex,
			term: view.term,
			count: view.count,
			time: view.time,
			session: view.session,
			sequence: view.sequence,
			kind: view.kind,
			payloadBytes: view.payloadBytes,
		}).toEqual({
			index: BATCH.index,
			lastIndex: BATCH.index + 2,
			term: BATCH.term,
			count: 3,
			time: BATCH.time,
			session: BATCH.session,
			sequence: BATCH.sequence,
			kind: BatchKind.entries,
			payloadBytes: 8,
		});
	});

	it('shows entries, payload and frame where they lie, without a copy', () => {
		expect(ENTRIES.map((_, i) => view.entry(i))).toEqual(ENTRIES);
		expect([0, 1, 2].map((i) => [view.entryStart(i), view.entryEnd(i)])).toEqual([
			[0, 3],
			[3, 3],
			[3, 8],
		]);
		expect(view.payload()).toEqual(text('onethree'));
		expect(view.frame()).toEqual(FRAME);
		for (const shown of [view.entry(0), view.payload(), view.frame()]) {
			expect(shown.buffer).toBe(memory.bytes.buffer);
		}
	});

	it.each([-1, 3, 4, 2 ** 32, 2 ** 32 + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
		'has no entry %d: what lies beside the batch is not shown',
		(i) => {
			expect(() => view.entry(i)).toThrow(RangeError);
			expect(() => view.entryEnd(i)).toThrow(RangeError);
		},
	);

	it('shows nothing before it is moved to a batch', () => {
		expect(() => new BatchView().entry(0)).toThrow(RangeError);
	});

	it('serves one batch after another', () => {
		const other = batchFrame([text('x')], { ...BATCH, index: 1 });
		const moved = new BatchView().moveTo(memory, 24, FRAME.length);
		expect(moved.moveTo(memoryOf(other), 0, other.length).entry(0)).toEqual(text('x'));
		expect([moved.index, moved.count, moved.lastIndex]).toEqual([1, 1, 1]);
		expect(() => moved.entry(1)).toThrow(RangeError);
	});
});
