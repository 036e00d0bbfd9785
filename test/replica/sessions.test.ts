import { describe, expect, it } from 'vitest';
import { givenOf } from '../../src/replica/session-table.js';
import { Sessions } from '../../src/replica/sessions.js';

const LONG = { durationMs: 10_000, sessionsMax: 10 };

/** Sessions that are registered at these indexes, all at time 0. */
function registered(numbers: readonly number[], terms = LONG): Sessions {
	const sessions = new Sessions(1000);
	for (const number of numbers) sessions.register(number, terms);
	return sessions;
}

describe('rule 19: what is remembered of sessions', () => {
	it('each number is the next one once, also while it is on its way', () => {
		const sessions = registered([7]);
		const judge = (sequence: number) => sessions.judge(7, sequence, true, 0);
		expect(judge(1)).toBe('next');
		expect(judge(2)).toBe('gap');
		sessions.accept(7, 1);
		expect(judge(1)).toBe('in-flight');
		expect(judge(2)).toBe('next');
		expect(sessions.apply(7, 1, 40, true)).toBe('new');
		expect(judge(1)).toBe('applied');
		expect(sessions.indexOf(7, 1)).toBe(40);
		expect(sessions.apply(7, 1, 41, true)).toBe('repeat');
		expect(sessions.indexOf(7, 1)).toBe(40);
	});

	it('what an earlier leadership accepted and nobody applied may be sent again', () => {
		const sessions = registered([7]);
		sessions.accept(7, 1);
		sessions.accept(7, 2);
		sessions.apply(7, 1, 40, true);
		sessions.forgetAccepted();
		expect([1, 2, 3].map((sequence) => sessions.judge(7, sequence, true, 0))).toEqual([
			'applied',
			'next',
			'gap',
		]);
	});

	it('of a session that was never registered nothing is taken, and nothing applied', () => {
		const sessions = registered([7]);
		expect(sessions.judge(8, 1, true, 0)).toBe('unknown');
		expect(sessions.apply(8, 1, 40, true)).toBe('unknown');
		expect(sessions.judge(8, 1, true, 0)).toBe('unknown');
		expect(sessions.apply(8, 2, 41, true)).toBe('unknown');
		expect(sessions.count).toBe(1);
	});

	it('one of an earlier program, drawn by chance, begins with its first batch', () => {
		const sessions = new Sessions(10);
		expect(sessions.judge(7, 1, false, 0)).toBe('next');
		expect(sessions.judge(7, 2, false, 0)).toBe('gap');
		expect(sessions.apply(7, 1, 40, false)).toBe('new');
		expect(sessions.apply(7, 1, 41, false)).toBe('repeat');
		sessions.passTo(2 ** 50);
		expect(sessions.judge(7, 1, false, 2 ** 50)).toBe('applied');
	});

	it('as many as the log says may be, and the one that the log has used last is forgotten last', () => {
		const sessions = registered([1, 2, 3], { ...LONG, sessionsMax: 3 });
		for (const session of [1, 2, 3]) sessions.apply(session, 1, session, true);
		sessions.apply(1, 2, 4, true);
		// What the leader alone has accepted is no use: every replica must forget the same.
		sessions.accept(2, 2);
		sessions.register(4, { ...LONG, sessionsMax: 3 });
		expect(sessions.count).toBe(3);
		expect([1, 2, 3].map((session) => sessions.judge(session, 1, true, 0))).toEqual([
			'applied',
			'unknown',
			'applied',
		]);
		expect(sessions.apply(2, 2, 5, true)).toBe('unknown');
		expect(sessions.apply(1, 3, 5, true)).toBe('new');
	});
});

describe('rule 19: sessions end by the log’s time', () => {
	it('unused for longer than it lasts a session is unknown, also to a batch sent again; a use puts it off', () => {
		const sessions = registered([7, 8], { durationMs: 1000, sessionsMax: 10 });
		sessions.passTo(1000);
		expect(sessions.apply(7, 1, 40, true)).toBe('new');
		sessions.passTo(1001);
		expect(sessions.judge(8, 1, true, 0)).toBe('unknown');
		expect(sessions.apply(8, 1, 41, true)).toBe('unknown');
		sessions.passTo(2000);
		expect(sessions.apply(7, 1, 42, true)).toBe('repeat');
		expect(sessions.apply(7, 2, 43, true)).toBe('new');
		sessions.passTo(3001);
		expect(sessions.judge(7, 2, true, 0)).toBe('unknown');
		expect(sessions.apply(7, 3, 44, true)).toBe('unknown');
		expect(sessions.count).toBe(0);
	});

	it('no clock of a replica ends one: what is in the log decides', () => {
		const sessions = registered([7], { durationMs: 1000, sessionsMax: 10 });
		sessions.passTo(500);
		// Its leader takes nothing new of one that is about to end, and says of what is applied that it is.
		expect(sessions.judge(7, 1, true, 2 ** 50)).toBe('unknown');
		expect(sessions.apply(7, 1, 40, true)).toBe('new');
		expect(sessions.judge(7, 1, true, 2 ** 50)).toBe('applied');
		sessions.passTo(400);
		expect(sessions.apply(7, 2, 41, true)).toBe('new');
	});

	it('its leader takes nothing new in the last part of its time, unless something is on its way', () => {
		const sessions = registered([7], { durationMs: 1000, sessionsMax: 10 });
		expect(sessions.judge(7, 1, true, 875)).toBe('next');
		expect(sessions.judge(7, 1, true, 876)).toBe('unknown');
		sessions.accept(7, 1);
		expect(sessions.judge(7, 2, true, 876)).toBe('next');
	});

	it('those that have ended make room before others must go, whoever noticed their end', () => {
		const sessions = new Sessions(1000);
		sessions.register(1, { durationMs: 5000, sessionsMax: 2 });
		sessions.register(2, { durationMs: 1000, sessionsMax: 2 });
		sessions.passTo(1001);
		sessions.register(3, { durationMs: 1000, sessionsMax: 2 });
		expect([1, 2, 3].map((session) => sessions.judge(session, 1, true, 0))).toEqual([
			'next',
			'unknown',
			'next',
		]);
	});
});

describe('rule 19: the table in a snapshot', () => {
	it('goes on as the one that was saved, with other limits too', () => {
		const sessions = registered([1, 2, 3], { durationMs: 1000, sessionsMax: 3 });
		sessions.passTo(600);
		sessions.apply(1, 1, 40, true);
		const other = new Sessions(1);
		const saved = sessions.save(77);
		expect(givenOf(saved)).toBe(77);
		other.load(saved);
		expect(other.isBegun).toBe(true);
		for (const table of [sessions, other]) {
			expect(table.judge(1, 1, true, 0)).toBe('applied');
			expect(table.indexOf(1, 1)).toBe(40);
			table.register(50, { durationMs: 1000, sessionsMax: 3 });
			expect(table.apply(2, 1, 51, true)).toBe('unknown');
			table.passTo(1001);
			expect(table.apply(3, 1, 52, true)).toBe('unknown');
			table.passTo(1600);
			expect(table.apply(1, 2, 53, true)).toBe('new');
		}
		expect(other.save(80)).toEqual(sessions.save(80));
	});

	it('is as earlier programs wrote it where none was registered', () => {
		const sessions = new Sessions(10);
		sessions.apply(7, 3, 40, false);
		const saved = sessions.save(45);
		expect([...new Uint32Array(saved.buffer)]).toEqual([1, 0, 45, 0, 7, 0, 3, 0, 40, 0]);
		const other = new Sessions(10);
		other.load(saved);
		expect(other.isBegun).toBe(false);
		expect(other.judge(7, 3, false, 0)).toBe('applied');
		expect(other.indexOf(7, 3)).toBe(40);
	});

	it('without one, what the log has of a session that it does not begin with is taken for good', () => {
		const sessions = new Sessions(10);
		sessions.beginBehind(100);
		expect(sessions.judge(90, 5, true, 0)).toBe('unknown');
		expect(sessions.apply(90, 5, 101, true)).toBe('new');
		expect(sessions.apply(90, 5, 102, true)).toBe('repeat');
		expect(sessions.judge(90, 5, true, 0)).toBe('applied');
		expect(sessions.judge(90, 6, true, 0), 'when it ends, others know').toBe('unknown');
		expect(sessions.resultsOf(90, 4)).toBe('lost');
		expect(sessions.apply(101, 1, 103, true)).toBe('unknown');
	});
});

describe('rule 19: what was returned for a batch', () => {
	const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
	/** Batches 1 to `count` of session 7, with so many bytes each; none is acknowledged. */
	function returning(count: number, length: number): Sessions {
		const sessions = registered([7, 8]);
		for (let sequence = 1; sequence <= count; sequence++) {
			sessions.apply(7, sequence, 10 + sequence, true, sequence - 1);
			sessions.returned(7, sequence, 10 + sequence, bytes(length, sequence));
		}
		return sessions;
	}

	it('is kept until its producer says that it knows it', () => {
		const sessions = returning(3, 5);
		expect(sessions.resultsOf(7, 1)).toEqual(bytes(5, 1));
		expect(sessions.indexOf(7, 1)).toBe(11);
		// It waits for 2 and 3 still.
		sessions.apply(7, 4, 14, true, 2);
		expect(sessions.resultsOf(7, 1)).toBeNull();
		expect(sessions.indexOf(7, 1)).toBe(0);
		expect(sessions.resultsOf(7, 2)).toEqual(bytes(5, 2));
		sessions.apply(7, 5, 15, true, 0);
		expect([2, 3].map((sequence) => sessions.resultsOf(7, sequence))).toEqual([null, null]);
		expect(sessions.resultsOf(8, 1)).toBeNull();
	});

	it('is bounded: the oldest of a session go, and it is said that they are lost', () => {
		const sessions = returning(5, 20_000);
		const kept = [1, 2, 3, 4, 5].map((sequence) => sessions.resultsOf(7, sequence));
		expect(kept.slice(0, 2)).toEqual(['lost', 'lost']);
		expect(kept.slice(2)).toEqual([3, 4, 5].map((value) => bytes(20_000, value)));
	});

	it('is bounded for all together: those of the session that was used least lately go', () => {
		const count = 400;
		const sessions = new Sessions(1000);
		const numbers = Array.from({ length: count }, (_, i) => i + 1);
		for (const number of numbers) sessions.register(number, { ...LONG, sessionsMax: count });
		for (const number of numbers) {
			sessions.apply(number, 1, 1000 + number, true, 0);
			sessions.returned(number, 1, 1000 + number, bytes(60_000, 1));
		}
		const lost = numbers.filter((number) => sessions.resultsOf(number, 1) === 'lost');
		expect(lost).toEqual(numbers.slice(0, lost.length));
		const left = count - lost.length;
		expect(left * 60_000).toBeLessThanOrEqual(16 * 1024 * 1024);
		expect((left + 2) * 60_100).toBeGreaterThan(16 * 1024 * 1024);
	});

	it('is in a snapshot, and gone with its session', () => {
		const sessions = returning(5, 15_001);
		const other = new Sessions(10);
		const saved = sessions.save(77);
		other.load(saved);
		expect(other.save(77)).toEqual(saved);
		for (let sequence = 1; sequence <= 5; sequence++)
			expect(other.resultsOf(7, sequence)).toEqual(sessions.resultsOf(7, sequence));
		expect(other.resultsOf(7, 1)).toBe('lost');
		other.passTo(2 ** 40);
		expect(other.count).toBe(0);
		expect(other.resultsOf(7, 5)).toBeNull();
	});

	it('of what was applied in an earlier life is lost', () => {
		const sessions = registered([7]);
		sessions.apply(7, 1, 11, true, 0);
		sessions.returnedBefore(7);
		expect(sessions.resultsOf(7, 1)).toBe('lost');
	});
});
