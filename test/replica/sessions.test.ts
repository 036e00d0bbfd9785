import { describe, expect, it } from 'vitest';
import { Sessions } from '../../src/replica/sessions.js';

describe('rule 19: what is remembered of sessions', () => {
	it('each number is the next one once, also while it is on its way', () => {
		const sessions = new Sessions(10);
		expect(sessions.judge(7, 1)).toBe('next');
		expect(sessions.judge(7, 2)).toBe('gap');
		sessions.accept(7, 1);
		expect(sessions.judge(7, 1)).toBe('in-flight');
		expect(sessions.judge(7, 2)).toBe('next');
		expect(sessions.apply(7, 1, 40)).toBe(true);
		expect(sessions.judge(7, 1)).toBe('applied');
		expect(sessions.indexOf(7, 1)).toBe(40);
		expect(sessions.apply(7, 1, 41)).toBe(false);
		expect(sessions.indexOf(7, 1)).toBe(40);
	});

	it('what an earlier leadership accepted and nobody applied may be sent again', () => {
		const sessions = new Sessions(10);
		sessions.accept(7, 1);
		sessions.accept(7, 2);
		sessions.apply(7, 1, 40);
		sessions.forgetAccepted();
		expect(sessions.judge(7, 1)).toBe('applied');
		expect(sessions.judge(7, 2)).toBe('next');
		expect(sessions.judge(7, 3)).toBe('gap');
	});

	it('as many as may be, and the one that the log has used last is forgotten last', () => {
		const sessions = new Sessions(3);
		for (const session of [1, 2, 3]) sessions.apply(session, 1, session);
		sessions.apply(1, 2, 4);
		// What the leader alone has accepted is no use: every replica must forget the same.
		sessions.accept(2, 2);
		sessions.apply(4, 1, 5);
		expect(sessions.count).toBe(3);
		expect(sessions.judge(2, 1)).not.toBe('applied');
		expect([1, 3, 4].map((session) => sessions.judge(session, 1))).toEqual(
			Array(3).fill('applied'),
		);
		expect(sessions.judge(1, 2)).toBe('applied');
	});
});
