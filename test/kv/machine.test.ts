import { expect, it } from 'vitest';
import { decode, encode, type KvQuery } from '../../src/kv/commands.js';
import { KvMachine } from '../../src/kv/machine.js';
import { batch } from './batch.js';

function scan(machine: KvMachine, query: KvQuery): string {
	return (machine.query(query) as { key: string; value: string }[])
		.map(({ key, value }) => `${key}=${value}`)
		.join(' ');
}

it('puts, deletes, compares, and says what it found', () => {
	const machine = new KvMachine();
	const results = machine.apply(
		batch(
			7,
			{ do: 'put', key: 'a', value: '1' },
			{ do: 'cas', key: 'a', from: '1', to: '2' },
			{ do: 'cas', key: 'a', from: '1', to: '3' },
			{ do: 'cas', key: 'b', from: null, to: '4' },
			{ do: 'cas', key: 'b', from: null, to: '5' },
			{ do: 'delete', key: 'a' },
			{ do: 'delete', key: 'a' },
		),
	);
	expect(results).toEqual([
		{ isDone: true, found: null },
		{ isDone: true, found: '1' },
		{ isDone: false, found: '2' },
		{ isDone: true, found: null },
		{ isDone: false, found: '4' },
		{ isDone: true, found: '2' },
		{ isDone: false, found: null },
	]);
	expect(machine.query({ get: 'a' })).toBe(null);
	expect(decode(machine.query(encode({ get: 'b' })) as Uint8Array)).toBe('4');
});

it('does nothing for what is no command', () => {
	const machine = new KvMachine();
	const strangers = [
		new Uint8Array(0),
		Uint8Array.of(0xff, 0x00),
		...[encode(null), encode(5), encode({ do: 'put', key: 'a' }), encode({ do: 'drop', key: 'a' })],
		encode({ do: 'put', key: 'a', value: 'b', name: 5 }),
		encode({ do: 'cas', key: 'a', to: 'b' }),
	];
	expect(machine.apply(batch(1, ...strangers))).toEqual(strangers.map(() => null));
	expect(scan(machine, { scan: '' })).toBe('');
});

it('scans in order, from a key on, and not more than wanted', () => {
	const machine = new KvMachine();
	const keys = ['b', 'a/2', 'a/10', 'a', 'a/1', 'a0', 'ä'];
	machine.apply(batch(1, ...keys.map((key, i) => ({ do: 'put', key, value: `${i}` }))));
	expect(scan(machine, { scan: '' })).toBe('a=3 a/1=4 a/10=2 a/2=1 a0=5 b=0 ä=6');
	expect(scan(machine, { scan: 'a/' })).toBe('a/1=4 a/10=2 a/2=1');
	expect(scan(machine, { scan: 'a/', limit: 2 })).toBe('a/1=4 a/10=2');
	expect(scan(machine, { scan: 'a/', after: 'a/10' })).toBe('a/2=1');
	expect(scan(machine, { scan: 'a/', after: 'a/1' })).toBe('a/10=2 a/2=1');
	machine.apply(batch(9, { do: 'delete', key: 'a/10' }));
	expect(scan(machine, { scan: 'a/' })).toBe('a/1=4 a/2=1');
});

it('tells who watches what was changed, and where', () => {
	const machine = new KvMachine();
	const seen: unknown[] = [];
	const end = machine.watch('a', (change) => seen.push(change));
	const put = (key: string, value: string) => ({ do: 'put', key, value });
	machine.apply(batch(3, put('a', '1'), put('b', '2'), { do: 'delete', key: 'a' }));
	machine.apply(batch(6, { do: 'cas', key: 'a', from: 'x', to: 'y' }, { do: 'delete', key: 'a' }));
	end();
	machine.apply(batch(8, put('a', '3')));
	expect(seen).toEqual([
		{ key: 'a', value: '1', index: 3 },
		{ key: 'a', value: null, index: 5 },
	]);
});

it('remembers outcomes by name, as many as it says', () => {
	const machine = new KvMachine();
	const named = (i: number) => ({ do: 'cas', key: 'k', from: null, to: `${i}`, name: `n${i}` });
	machine.apply(batch(1, ...Array.from({ length: 10_001 }, (_, i) => named(i))));
	expect(machine.query({ outcomeOf: 'n0' })).toBe(null);
	expect(machine.query({ outcomeOf: 'n1' })).toEqual({ isDone: false, found: '0' });
	expect(machine.query({ outcomeOf: 'n10000' })).toEqual({ isDone: false, found: '0' });
});

it('is the same behind a snapshot, which stands for the moment at which it began', async () => {
	const machine = new KvMachine();
	const puts = Array.from({ length: 9_000 }, (_, i) => ({
		do: 'put',
		key: `k${i}`,
		value: `${i}`,
	}));
	machine.apply(batch(1, ...puts, { do: 'cas', key: 'k0', from: '0', to: 'x', name: 'n' }));
	const chunks = machine.snapshot()[Symbol.iterator]();
	const first = chunks.next().value as Uint8Array;
	machine.apply(
		batch(9_002, { do: 'put', key: 'k1', value: 'late' }, { do: 'put', key: 'z', value: '' }),
	);
	const copy = new KvMachine();
	copy.apply(batch(1, { do: 'put', key: 'gone', value: '' }));
	await copy.restore(
		(async function* () {
			yield first;
			for (let next = chunks.next(); !next.done; next = chunks.next()) yield next.value;
		})(),
	);
	expect(copy.query({ get: 'k0' })).toBe('x');
	expect(copy.query({ get: 'k1' })).toBe('1');
	expect(copy.query({ get: 'gone' })).toBe(null);
	expect(copy.query({ outcomeOf: 'n' })).toEqual({ isDone: true, found: '0' });
	expect(scan(copy, { scan: 'k899', limit: 3 })).toBe('k899=899 k8990=8990 k8991=8991');
	expect(scan(copy, { scan: 'z' })).toBe('');
});
