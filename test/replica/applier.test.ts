import { expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { SlabPool } from '../../src/format/slab.js';
import { Applier } from '../../src/replica/applier.js';
import { LogWindow } from '../../src/replica/log-window.js';
import { Sessions } from '../../src/replica/sessions.js';
import { batchFrame } from '../format/frames.js';
import { NumberMachine, numbered } from './machines.js';

const { entries, noOp } = BatchKind;

/** An applier whose window holds batches of one entry each; `held`: what its state machine kept. */
function applierOf(kinds: readonly BatchKind[], held: number | null): Applier {
	const slab = new SlabPool(65_536, 1).acquire()!;
	const window = new LogWindow();
	let offset = 0;
	for (const [i, kind] of kinds.entries()) {
		const label = { group: 1, session: 0, sequence: 0, term: 1, parent: 0, time: 0 };
		const frame = batchFrame([kind === noOp ? new Uint8Array(0) : numbered(i)], {
			...label,
			kind,
			index: i + 1,
		});
		slab.bytes.set(frame, offset);
		window.push(slab, offset, frame.length);
		offset += frame.length;
	}
	const events = {
		applied: () => {},
		wake: () => {},
		fail: (error: Error) => {
			throw error;
		},
	};
	const sessions = new Sessions(8);
	const none = null as never;
	return new Applier(new NumberMachine(), window, none, sessions, none, events, 0, held);
}

it('a log whose state machine keeps its state is dropped only up to what that has heard of', () => {
	const applier = applierOf([entries, entries, noOp, noOp], 0);
	expect(applier.droppable).toBe(0);
	applier.pump(4, 4);
	expect([applier.applied, applier.droppable]).toEqual([4, 2]);
});

it('what it held before counts', () => {
	const applier = applierOf([entries, entries, noOp, entries], 2);
	applier.pump(3, 3);
	expect([applier.applied, applier.droppable]).toEqual([3, 2]);
	applier.pump(4, 4);
	expect(applier.droppable).toBe(4);
});

it('one that keeps nothing gives up whatever is applied', () => {
	const applier = applierOf([entries, noOp], null);
	applier.pump(2, 2);
	expect(applier.droppable).toBe(2);
});

it('rule 25: a state machine that holds what comes behind `applied` does not stand for `applied`', () => {
	const applier = applierOf([entries, entries, noOp, entries], 2);
	expect(applier.isBetween).toBe(false);
	applier.pump(1, 1);
	expect([applier.applied, applier.isBetween]).toEqual([1, false]);
	applier.pump(2, 2);
	expect([applier.applied, applier.isBetween]).toEqual([2, true]);
	applier.pump(3, 3);
	expect(applier.position).toMatchObject({ index: 3, term: 1 });
	expect([applier.given, applier.isBetween]).toEqual([2, true]);
});
