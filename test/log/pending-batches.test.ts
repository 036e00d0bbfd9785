import { expect, test } from 'vitest';
import { BatchKind, finishBatch, stampBatch } from '../../src/format/batch.js';
import { type Slab, SlabPool } from '../../src/format/slab.js';
import { PendingBatches } from '../../src/log/pending-batches.js';

const LENGTH = 120;

/** Batches 1, 2, 3 ... of one entry each, one behind the other in slabs of `perSlab`. */
function push(
	pending: PendingBatches,
	slabs: Slab[],
	count: number,
	perSlab: number,
	pool: SlabPool,
) {
	for (let i = 0; i < count; i++) {
		if (i % perSlab === 0) slabs.push(pool.acquire()!);
		const slab = slabs.at(-1)!;
		const offset = (i % perSlab) * LENGTH;
		const label = { group: 1, session: 0, sequence: 0, kind: BatchKind.entries };
		finishBatch(slab, offset, 0, Uint32Array.of(0), 1, label);
		stampBatch(slab, offset, 1, i + 1, 0, 0);
		slab.retain();
		pending.push(slab, offset, LENGTH, 0);
	}
}

test('neighbours in a slab are one slice, and slabs are held until their batch is done', () => {
	const pool = new SlabPool(10 * LENGTH, 100);
	const pending = new PendingBatches();
	const slabs: Slab[] = [];
	push(pending, slabs, 200, 10, pool);
	for (const slab of slabs) slab.release();
	expect(pending.count).toBe(200);
	expect(pending.bytes).toBe(200 * LENGTH);
	const slices: Uint8Array[] = [];
	expect(pending.take(25 * LENGTH + 1, slices)).toBe(25 * LENGTH);
	expect(slices.map((slice) => slice.length / LENGTH)).toEqual([10, 10, 5]);
	expect(pending).toMatchObject({ taken: 25, count: 175, bytes: 175 * LENGTH });
	expect(pending.takenEnd.index).toBe(25);

	// What is being written stays, whatever is cut.
	pending.popAbove(10);
	expect(pending).toMatchObject({ taken: 25, count: 0, bytes: 0 });
	expect(pool.available).toBe(100 - 3);
	for (let index = 1; index <= 25; index++) {
		const batch = pending.shift();
		expect(batch.firstIndex).toBe(index);
		batch.slab.release();
	}
	expect(pool.available).toBe(100);
	expect(() => pending.shift()).toThrow('only written batches leave at the front');
});

test('it grows while a part is being written', () => {
	const pool = new SlabPool(10 * LENGTH, 1000);
	const pending = new PendingBatches();
	push(pending, [], 60, 10, pool);
	pending.take(30 * LENGTH, []);
	for (let i = 0; i < 20; i++) pending.shift();
	push(pending, [], 500, 7, pool);
	expect(pending.taken).toBe(10);
	for (let index = 21; index <= 30; index++) expect(pending.shift().firstIndex).toBe(index);
	expect(pending.take(1000 * LENGTH, [])).toBe(530 * LENGTH);
	for (let index = 31; index <= 60; index++) expect(pending.shift().firstIndex).toBe(index);
	for (let index = 1; index <= 500; index++) expect(pending.shift().firstIndex).toBe(index);
});
