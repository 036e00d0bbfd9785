import { expect, it } from 'vitest';
import { Busy } from '../../src/errors.js';
import { Reads } from '../../src/replica/reads.js';

/** Reads by name, and what became of each. */
function watched(readsMax = 10) {
	const reads = new Reads(readsMax);
	const said: string[] = [];
	const add = (name: string) =>
		reads.add(
			() => said.push(`${name} runs`),
			(error) => said.push(`${name} fails: ${error.message}`),
		);
	return { reads, said, add };
}

it('rule 16: a read runs once its own round is confirmed and that much is applied', () => {
	const { reads, said, add } = watched();
	add('first');
	reads.began(1);
	add('second');
	reads.began(2);
	reads.applied(9);
	reads.confirmed(1, 10);
	reads.applied(9);
	expect(said).toEqual([]);
	reads.applied(10);
	expect(said).toEqual(['first runs']);
	// The log has moved on, and nobody has confirmed who leads since.
	reads.applied(20);
	expect(said).toEqual(['first runs']);
	reads.confirmed(2, 15);
	reads.applied(20);
	expect(said).toEqual(['first runs', 'second runs']);
	expect(reads.count).toBe(0);
});

it('rule 16: what was confirmed outlives the leadership, the rest fails', () => {
	const { reads, said, add } = watched();
	for (const [i, name] of ['confirmed', 'asked', 'fresh'].entries()) {
		add(name);
		if (name !== 'fresh') reads.began(i + 1);
	}
	reads.confirmed(1, 10);
	reads.failUnconfirmed(new Error('no leader'));
	reads.applied(10);
	expect(said).toEqual(['asked fails: no leader', 'fresh fails: no leader', 'confirmed runs']);
});

it('rule 30: no more wait than may, wherever they are', () => {
	const { reads, add } = watched(3);
	add('confirmed');
	reads.began(1);
	reads.confirmed(1, 10);
	add('asked');
	reads.began(2);
	add('fresh');
	expect(() => add('one more')).toThrow(Busy);
	reads.applied(10);
	add('one more');
});
