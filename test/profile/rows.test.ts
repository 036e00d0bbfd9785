import { describe, expect, it } from 'vitest';
import { Column, PeerColumn, rowWidth } from '../../src/profile/columns.js';
import { Intervals } from '../../src/profile/intervals.js';
import { StageRows } from '../../src/profile/stage-rows.js';

/** Rows of batches of ten entries each. */
function rowsWith(batches: number, capacity = 8, peersMax = 2): StageRows {
	const rows = new StageRows(capacity, peersMax);
	for (let i = 0; i < batches; i++) rows.begin(10 * i + 1, 10 * (i + 1), 100 + i);
	return rows;
}

/** One column of all that is kept, oldest first. */
function column(rows: StageRows, column: number): number[] {
	const taken = rows.take();
	const width = rowWidth(rows.peers.length);
	return Array.from({ length: taken.length / width }, (_, i) => taken[i * width + column]!);
}

describe('rows of batches', () => {
	it('are reached in order, up to an index, and each once', () => {
		const rows = rowsWith(4);
		rows.reach(Column.persisted, 25, 7);
		expect(column(rows, Column.persisted)).toEqual([7, 7, 0, 0]);
		rows.reach(Column.persisted, 40, 9);
		expect(column(rows, Column.persisted)).toEqual([7, 7, 9, 9]);
		rows.reach(Column.persisted, 40, 11);
		expect(column(rows, Column.persisted)).toEqual([7, 7, 9, 9]);
	});

	it('keep the latest, and none of what was there before in their place', () => {
		const rows = rowsWith(3, 2);
		rows.reach(Column.queued, 30, 5);
		expect(column(rows, Column.last)).toEqual([20, 30]);
		rows.begin(31, 40, 1);
		expect(rows.batches).toBe(4);
		expect(column(rows, Column.last)).toEqual([30, 40]);
		expect(column(rows, Column.queued)).toEqual([5, 0]);
	});

	it('have columns for each peer, in the order in which they come, and for no more than there is room', () => {
		const rows = rowsWith(2);
		rows.reachPeer(3, PeerColumn.sent, 20, 1);
		rows.reachPeer(2, PeerColumn.sent, 10, 2);
		rows.reachPeer(3, PeerColumn.acked, 10, 3);
		rows.reachPeer(4, PeerColumn.acked, 20, 4);
		expect(rows.peers).toEqual([3, 2]);
		expect(column(rows, Column.peers + PeerColumn.sent)).toEqual([1, 1]);
		expect(column(rows, Column.peers + PeerColumn.acked)).toEqual([3, 0]);
		expect(column(rows, Column.peers + 2 + PeerColumn.sent)).toEqual([2, 0]);
		expect(column(rows, Column.peers + 2 + PeerColumn.acked)).toEqual([0, 0]);
	});

	it('go when the log is cut, and what takes their place has nothing of them', () => {
		const rows = rowsWith(4);
		rows.reach(Column.persisted, 40, 7);
		rows.truncate(20);
		expect(column(rows, Column.last)).toEqual([10, 20]);
		rows.begin(21, 25, 1);
		expect(column(rows, Column.persisted)).toEqual([7, 7, 0]);
		rows.reach(Column.persisted, 25, 9);
		expect(column(rows, Column.persisted)).toEqual([7, 7, 9]);
	});

	it('know of what is reached in the same rows', () => {
		const rows = rowsWith(3);
		rows.reachBoth(Column.committed, Column.decider, 20, 5, 2);
		rows.reachBoth(Column.committed, Column.decider, 30, 6, 3);
		expect(column(rows, Column.committed)).toEqual([5, 5, 6]);
		expect(column(rows, Column.decider)).toEqual([2, 2, 3]);
	});
});

describe('intervals', () => {
	it('keep the latest, in order', () => {
		const intervals = new Intervals(2);
		expect([...intervals.take()]).toEqual([]);
		intervals.add(1, 2);
		expect([...intervals.take()]).toEqual([1, 2]);
		intervals.add(3, 4);
		intervals.add(5, 6);
		expect([...intervals.take()]).toEqual([3, 4, 5, 6]);
	});
});
