import { expect, it } from 'vitest';
import { MillraceError, UnknownOutcome } from '../../src/errors.js';
import { KvClient } from '../../src/kv/client.js';
import { KvMachine } from '../../src/kv/machine.js';
import { batch } from './batch.js';

const random = { identifier: () => 35 };

/** A cluster of one machine in this process. */
class Loopback {
	readonly machine = new KvMachine();
	#last = 0;
	/** Lets what others do come in between. */
	afterPropose: () => void = () => {};

	async propose(entry: Uint8Array) {
		this.#last += 1;
		this.machine.apply(batch(this.#last, entry));
		this.afterPropose();
		return { index: this.#last, term: 1, count: 1 };
	}

	async read(query: Uint8Array) {
		return this.machine.query(query) as Uint8Array;
	}
}

function open(loopback: Pick<Loopback, 'propose' | 'read'>) {
	return new KvClient(loopback, random, 'linearizable');
}

it('puts, compares, deletes, and says what came of it', async () => {
	const store = open(new Loopback());
	await store.put('a', '1');
	expect(await store.get('a')).toBe('1');
	expect(await store.compareAndPut('a', '0', '2')).toEqual({ isDone: false, found: '1' });
	expect(await store.compareAndPut('a', '1', '2')).toEqual({ isDone: true, found: '1' });
	expect(await store.compareAndPut('b', null, '')).toEqual({ isDone: true, found: null });
	expect([await store.delete('a'), await store.delete('a')]).toEqual([true, false]);
	expect(await store.get('a')).toBe(null);
});

it("takes nobody else's outcome for its own, and says so if its own is gone", async () => {
	const loopback = new Loopback();
	const store = open(loopback);
	await store.put('a', '1');
	loopback.afterPropose = () => {
		const other = { do: 'cas', key: 'a', from: '1', to: '3', name: 'another' };
		loopback.machine.apply(batch(100, other));
	};
	expect(await store.compareAndPut('a', '2', '4')).toEqual({ isDone: false, found: '1' });
	loopback.afterPropose = () => {
		const others = Array.from({ length: 10_000 }, (_, i) => ({
			do: 'delete',
			key: 'x',
			name: `${i}`,
		}));
		loopback.machine.apply(batch(200, ...others));
	};
	await expect(store.delete('a')).rejects.toThrow(UnknownOutcome);
});

it('scans more than one answer holds', async () => {
	const loopback = new Loopback();
	const puts = Array.from({ length: 2_000 }, (_, i) => ({ do: 'put', key: `k${i}`, value: '' }));
	loopback.machine.apply(batch(1, ...puts, { do: 'put', key: 'l', value: '' }));
	const keys: string[] = [];
	for await (const { key } of open(loopback).scan('k')) keys.push(key);
	expect(keys).toEqual(puts.map(({ key }) => key).sort());
});

it('knows a store from another state machine', async () => {
	await open(new Loopback()).check();
	for (const answer of ['17', 'not JSON at all']) {
		const other = {
			propose: () => Promise.reject(),
			read: async () => new TextEncoder().encode(answer),
		};
		await expect(open(other).check()).rejects.toThrow(MillraceError);
	}
});
