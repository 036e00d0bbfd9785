import { describe, expect, it } from 'vitest';
import { AssertionFailed } from '../../src/assert.js';
import { SlabPool } from '../../src/format/slab.js';

describe('SlabPool', () => {
	it('makes slabs when they are needed, as many as it may and no more', () => {
		const pool = new SlabPool(64, 2);
		expect([pool.made, pool.available]).toEqual([0, 2]);
		const first = pool.acquire()!;
		const second = pool.acquire()!;
		expect(first).not.toBe(second);
		expect(first.bytes.buffer).not.toBe(second.bytes.buffer);
		expect([first.size, pool.made, pool.available]).toEqual([64, 2, 0]);
		expect(pool.acquire()).toBeNull();
		first.release();
		expect(pool.available).toBe(1);
		expect(pool.acquire()).toBe(first);
		expect(pool.made).toBe(2);
	});

	it('gets a slab back when the last of its holders lets go', () => {
		const pool = new SlabPool(64, 1);
		const slab = pool.acquire()!;
		expect(slab.references).toBe(1);
		slab.retain();
		slab.retain();
		slab.release();
		slab.release();
		expect([slab.references, pool.available]).toEqual([1, 0]);
		slab.release();
		expect([slab.references, pool.available]).toEqual([0, 1]);
	});

	it('stops at a release or retain of a slab that nobody holds', () => {
		const pool = new SlabPool(64, 1);
		const slab = pool.acquire()!;
		slab.release();
		expect(() => slab.release()).toThrow(AssertionFailed);
		expect(() => slab.retain()).toThrow(AssertionFailed);
		expect(pool.available).toBe(1);
	});

	it('takes back neither a slab in use, nor one twice, nor that of another pool', () => {
		const pool = new SlabPool(64, 1);
		const slab = pool.acquire()!;
		expect(() => pool.takeBack(slab)).toThrow(AssertionFailed);
		expect(() => slab.lend()).toThrow(AssertionFailed);
		slab.release();
		expect(() => pool.takeBack(slab)).toThrow(AssertionFailed);
		expect(() => new SlabPool(64, 1).takeBack(slab)).toThrow(AssertionFailed);
		expect(pool.available).toBe(1);
	});

	it.each([0, 4, 100, -8])('refuses slabs of %d bytes at once, not at the first use', (size) => {
		expect(() => new SlabPool(size, 1)).toThrow(AssertionFailed);
	});

	it('calls everyone who waits once, in order, when a slab comes back', () => {
		const pool = new SlabPool(64, 2);
		const [first, second] = [pool.acquire()!, pool.acquire()!];
		const calls: string[] = [];
		pool.whenAvailable(() => calls.push('a'));
		pool.whenAvailable(() => calls.push('b'));
		first.retain();
		first.release();
		expect(calls).toEqual([]);
		first.release();
		expect(calls).toEqual(['a', 'b']);
		second.release();
		expect(calls).toEqual(['a', 'b']);
	});

	it('lets those who came too late wait on, in their order, ahead of who was served', () => {
		const pool = new SlabPool(64, 1);
		let held = pool.acquire()!;
		const served: string[] = [];
		const wait = (name: string) => {
			pool.whenAvailable(() => {
				const slab = pool.acquire();
				if (slab === null) return wait(name);
				served.push(name);
				held = slab;
			});
		};
		for (const name of ['a', 'b', 'c']) wait(name);
		for (let i = 0; i < 3; i++) held.release();
		expect(served).toEqual(['a', 'b', 'c']);
		expect(pool.available).toBe(0);
	});

	it('bears a callback that gives its slab back at once', () => {
		const pool = new SlabPool(64, 1);
		const held = pool.acquire()!;
		let calls = 0;
		for (let i = 0; i < 3; i++) {
			pool.whenAvailable(() => {
				calls += 1;
				pool.acquire()!.release();
			});
		}
		held.release();
		expect([calls, pool.available]).toEqual([3, 1]);
	});
});
