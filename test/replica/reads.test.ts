import { expect, it } from 'vitest';
import { Busy } from '../../src/errors.js';
import { Reads, type ReadTerms } from '../../src/replica/reads.js';

/** Reads by name, and what became of each. */
function watched(readsMax = 10) {
	const reads = new Reads(readsMax);
	const said: string[] = [];
	const add = (name: string, terms: Partial<ReadTerms> = {}) =>
		reads.add(
			() => said.push(`${name} runs`),
			(error) => said.push(`${name} fails: ${error.message}`),
			{ mayLease: false, leaderOnly: false, ...terms },
		);
	return { reads, said, add };
}

it('rule 16: a read runs once its own round is confirmed and that much is applied', () => {
	const { reads, said, add } = watched();
	add('first');
	reads.began(1, 0);
	add('second');
	reads.began(2, 0);
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

it('rule 16: what was confirmed outlives the leadership, the rest is asked again, or refused', () => {
	const { reads, said, add } = watched();
	for (const [i, name] of ['confirmed', 'asked', 'fresh'].entries()) {
		add(name);
		if (name === 'asked') add('of a client', { leaderOnly: true });
		if (name !== 'fresh') reads.began(i + 1, 0);
	}
	reads.confirmed(1, 10);
	reads.askAgain();
	// A round of the next leadership that was confirmed before they joined it.
	reads.confirmed(2, 12);
	reads.applied(12);
	expect(said).toEqual(['confirmed runs']);
	reads.refuseLeaderOnly(3);
	expect(said).toEqual(['confirmed runs', 'of a client fails: replica 3 is the leader']);
	reads.began(7, 0);
	reads.confirmed(7, 12);
	reads.applied(12);
	expect(said.slice(2)).toEqual(['asked runs', 'fresh runs']);
	expect(reads.count).toBe(0);
});

it('rule 18: a lease answers those that it will do for, once that much is applied', () => {
	const { reads, said, add } = watched();
	add('round');
	add('lease', { mayLease: true });
	expect(reads.allLeasable).toBe(false);
	reads.leased(5, 100);
	expect(reads.count).toBe(2);
	reads.applied(4);
	expect(said).toEqual([]);
	reads.applied(5);
	expect(said).toEqual(['lease runs']);
	reads.began(1, 100);
	// A lease that comes later doesn't answer what joined a round.
	add('late', { mayLease: true });
	reads.leased(6, 110);
	reads.applied(6);
	expect(said).toEqual(['lease runs', 'late runs']);
});

it('how fresh a state is counts from when the round was wanted, not from when it was confirmed', () => {
	const { reads, add } = watched();
	const isFresh = (applied: number, now: number) => reads.isKnownFresh(applied, now, 50);
	expect(isFresh(1000, 0)).toBe(false);
	add('first');
	reads.began(1, 100);
	add('second');
	reads.began(2, 120);
	reads.confirmed(1, 7);
	expect([isFresh(6, 140), isFresh(7, 150), isFresh(7, 150.5)]).toEqual([false, true, false]);
	reads.confirmed(2, 8);
	expect([isFresh(7, 150), isFresh(8, 170), isFresh(8, 171)]).toEqual([false, true, false]);
	add('leased', { mayLease: true });
	reads.leased(9, 200);
	expect([isFresh(8, 201), isFresh(9, 250)]).toEqual([false, true]);
});

it('rule 30: no more wait than may, wherever they are', () => {
	const { reads, add } = watched(3);
	add('confirmed');
	reads.began(1, 0);
	reads.confirmed(1, 10);
	add('asked');
	reads.began(2, 0);
	add('fresh');
	expect(() => add('one more')).toThrow(Busy);
	reads.applied(10);
	add('one more');
});
