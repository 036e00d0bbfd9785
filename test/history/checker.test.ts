import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atomicHistory } from './atomic-store.js';
import { isLinearizable } from './brute-force.js';
import { checkHistory } from './checker.js';
import { HistoryRecorder } from './history.js';
import { operationsByKey } from './operations.js';

function recorder(): HistoryRecorder {
	return new HistoryRecorder({ now: () => 0 });
}

function verdict({ events }: HistoryRecorder) {
	const { outcome, failures } = checkHistory(events);
	return { outcome, window: failures[0]?.window.operations.map(({ call }) => call) };
}

const good = { outcome: 'linearizable', window: undefined };

describe('good histories', () => {
	it('an empty one', () => {
		expect(verdict(recorder())).toEqual(good);
	});

	it('a read beside a write sees the old value or the new one', () => {
		for (const seen of [1, 2]) {
			const history = recorder();
			history.write('k', 1).ok();
			const write = history.write('k', 2);
			history.read('k').ok(seen);
			write.ok();
			expect(verdict(history)).toEqual(good);
		}
	});

	it('a write of unknown outcome takes effect long after, or never', () => {
		for (const seen of [
			[1, 1, 2],
			[1, 1, 1],
			[2, 2, 2],
		]) {
			const history = recorder();
			history.write('k', 1).ok();
			history.write('k', 2).info('timed out');
			for (const value of seen) history.read('k').ok(value);
			expect(verdict(history)).toEqual(good);
		}
	});

	it('one that was cut off in the middle of a call', () => {
		const history = recorder();
		history.write('k', 1);
		history.read('k').ok(1);
		expect(verdict(history)).toEqual(good);
	});

	it('lost calls that rest on each other took effect one after the other', () => {
		const history = recorder();
		history.cas('k', 2, 3).info();
		history.cas('k', 1, 2).info();
		history.write('k', 1).info();
		history.read('k').ok(3);
		expect(verdict(history)).toEqual(good);
	});

	it('two lost calls could explain a read, and only one of them the next', () => {
		const history = recorder();
		history.write('k', 0).ok();
		history.write('k', 1).info();
		history.cas('k', 0, 1).info();
		history.read('k').ok(1);
		history.write('k', 5).ok();
		history.read('k').ok(5);
		history.read('k').ok(1);
		expect(verdict(history)).toEqual(good);
	});

	it('keys have nothing to do with each other', () => {
		const history = recorder();
		history.write('a', 1).ok();
		history.read('b').ok(null);
		expect(verdict(history)).toEqual(good);
	});
});

describe('bad histories, each with the operations that show it', () => {
	it('a stale read', () => {
		const history = recorder();
		history.write('k', 0).ok();
		history.write('k', 1).ok();
		history.read('k').ok(1);
		history.write('k', 2).ok();
		history.read('k').ok(2);
		history.read('k').ok(1);
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [8, 10] });
	});

	it('an acknowledged write that is lost', () => {
		const history = recorder();
		history.write('k', 1).ok();
		history.read('k').ok(null);
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [0, 2] });
	});

	it('a lost update: two put in the place of the same value', () => {
		const history = recorder();
		history.write('k', 1).ok();
		const one = history.cas('k', 1, 2);
		const other = history.cas('k', 1, 3);
		one.ok();
		other.ok();
		const window = [2, 3];
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window });
	});

	it('a cas that succeeded twice', () => {
		const history = recorder();
		history.cas('k', null, 1).ok();
		history.cas('k', null, 2).ok();
		expect(verdict(history).outcome).toBe('not linearizable');
	});

	it('a split brain: two halves read what each wrote itself', () => {
		const history = recorder();
		history.write('k', 1).ok();
		history.write('k', 2).ok();
		for (const seen of [1, 2, 1, 2]) history.read('k').ok(seen);
		expect(verdict(history).outcome).toBe('not linearizable');
	});

	it('a double apply: a value comes back that was written over', () => {
		const history = recorder();
		const first = history.write('k', 1);
		history.read('k').ok(1);
		history.write('k', 2).ok();
		history.read('k').ok(2);
		history.read('k').ok(1);
		first.ok();
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [0, 1, 3, 7] });
	});

	it('a double apply of a call without an answer', () => {
		const history = recorder();
		history.write('k', 1).info();
		history.read('k').ok(1);
		history.write('k', 2).ok();
		history.read('k').ok(1);
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [0, 2, 4, 6] });
	});

	it('a read of a value that was never written', () => {
		const history = recorder();
		history.write('k', 1).ok();
		history.read('k').ok(7);
		expect(verdict(history).outcome).toBe('not linearizable');
	});

	it('a read of a value before it is written', () => {
		const history = recorder();
		history.read('k').ok(1);
		history.write('k', 1).ok();
		expect(verdict(history).outcome).toBe('not linearizable');
	});

	it('a refused write that is read', () => {
		const history = recorder();
		history.write('k', 1).ok();
		history.write('k', 2).fail('refused');
		history.read('k').ok(2);
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [0, 4] });
	});

	it('a cas that found what was not there', () => {
		const history = recorder();
		history.write('k', 1).ok();
		history.write('k', 2).ok();
		history.cas('k', 3, 4).mismatch(1);
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [2, 4] });
	});

	it('does not accuse a write that may have been written over before', () => {
		const history = recorder();
		const long = history.write('k', 1);
		history.write('k', 2).ok();
		history.write('k', 3).ok();
		history.write('k', 9).info();
		long.ok();
		history.read('k').ok(2);
		expect(verdict(history)).toEqual({ outcome: 'not linearizable', window: [3, 8] });
	});

	it('says what can not be ordered, and why', () => {
		const history = recorder();
		history.write('k', 1).ok();
		history.write('k', 2).ok();
		history.read('k').ok(1);
		expect(checkHistory(history.events).failures[0]!.explanation).toBe(
			[
				'key "k" (3 operations): no order is possible, whatever the key held before, of these 2:',
				'  events 2 to 3: process 0, write: writes 2',
				'  events 4 to 5: process 0, read: reads 1',
			].join('\n'),
		);
	});
});

describe('what can not be judged', () => {
	it('is undecided at the limit, never good', () => {
		const history = recorder();
		const writes = Array.from({ length: 12 }, (_, i) => history.write('k', i % 3));
		for (const write of writes) write.ok();
		history.read('k').ok(1);
		expect(checkHistory(history.events, { configurationsMax: 1 }).outcome).toBe('undecided');
		expect(checkHistory(history.events).outcome).toBe('linearizable');
	});

	it('is refused when events do not fit each other', () => {
		const { events } = recorder();
		const call = { time: 0, process: 0, f: 'read', key: 'k', value: null } as const;
		const ok = { ...call, index: 0, type: 'ok' } as const;
		const invoke = { ...call, index: 0, type: 'invoke' } as const;
		const info = { ...call, index: 1, type: 'info' } as const;
		expect(() => checkHistory([...events, ok])).toThrow('did not begin');
		expect(() => checkHistory([invoke, { ...invoke, index: 1 }])).toThrow('within another');
		expect(() => checkHistory([invoke, info, invoke])).toThrow('within another');
		expect(() => checkHistory([invoke, { ...ok, key: 'other' }])).toThrow('did not begin');
	});
});

describe('at random', () => {
	const workload = fc.record({
		seed: fc.integer({ min: 1 }),
		calls: fc.integer({ min: 1, max: 200 }),
		keys: fc.integer({ min: 1, max: 3 }),
		concurrency: fc.integer({ min: 1, max: 8 }),
		values: fc.constantFrom(2, 5, Number.POSITIVE_INFINITY),
		unknownChance: fc.constantFrom(0, 0.1, 0.5),
		failChance: fc.constantFrom(0, 0.1),
	});

	it('whatever an atomic store does is linearizable', () => {
		fc.assert(
			fc.property(workload, ({ seed, ...rest }) => {
				const events = atomicHistory({ ...rest, random: randomFrom(seed) });
				expect(checkHistory(events).outcome).toBe('linearizable');
			}),
			{ numRuns: 500 },
		);
	});

	it('small histories are judged as the definition says', () => {
		const counts = { good: 0, bad: 0 };
		fc.assert(
			fc.property(smallHistory(), (operations) => {
				const history = historyOf(operations);
				const isGood = isLinearizable(operationsByKey(history).get('k') ?? []);
				counts[isGood ? 'good' : 'bad'] += 1;
				const { outcome, failures } = checkHistory(history);
				expect(outcome).toBe(isGood ? 'linearizable' : 'not linearizable');
				// The window alone is impossible, from anything that could have been there.
				for (const { window } of failures)
					for (const initial of window.initial === undefined ? [null, 0, 1, 2, 99] : [null])
						expect(isLinearizable(window.operations, initial)).toBe(false);
			}),
			{ numRuns: 20_000 },
		);
		expect(Math.min(counts.good, counts.bad)).toBeGreaterThan(2000);
	});

	it('much is judged in little space', () => {
		const workload = {
			calls: 20_000,
			keys: 40,
			concurrency: 40,
			unknownChance: 0.02,
			failChance: 0.02,
		};
		for (const values of [5, Number.POSITIVE_INFINITY]) {
			const events = atomicHistory({ ...workload, values, random: randomFrom(7) });
			const { outcome, configurations } = checkHistory(events);
			expect(outcome).toBe('linearizable');
			expect(configurations).toBeLessThan(100_000);
		}
	});
});

/** xorshift32. */
function randomFrom(seed: number): () => number {
	let state = seed | 0 || 1;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

interface SmallCall {
	readonly f: 'read' | 'write' | 'cas';
	readonly type: 'ok' | 'fail' | 'info' | 'mismatch';
	readonly value: number;
	readonly expected: number | null;
	/** When it begins and ends; ties are broken by the position. */
	readonly times: readonly [number, number];
}

function smallHistory(): fc.Arbitrary<SmallCall[]> {
	const time = fc.integer({ min: 0, max: 12 });
	return fc.array(
		fc.record({
			f: fc.constantFrom('read', 'write', 'cas'),
			type: fc.constantFrom('ok', 'ok', 'ok', 'info', 'fail', 'mismatch'),
			value: fc.integer({ min: 0, max: 2 }),
			expected: fc.constantFrom(null, 0, 1, 2),
			times: fc.tuple(time, time),
		}),
		{ maxLength: 7 },
	);
}

function historyOf(calls: readonly SmallCall[]) {
	const history = recorder();
	const steps = calls.flatMap(({ f, type, value, expected, times }) => {
		const [begin, end] = [Math.min(...times), Math.max(...times)];
		let run: ReturnType<HistoryRecorder['read']>;
		const invoke = () => {
			if (f === 'read') run = history.read('k');
			else run = f === 'write' ? history.write('k', value) : history.cas('k', expected, value);
		};
		const finish = () => {
			if (type === 'info') run.info();
			else if (type === 'fail') run.fail();
			else if (type === 'mismatch' && f === 'cas') run.mismatch(value === expected ? null : value);
			else run.ok(f === 'read' ? expected : undefined);
		};
		return [
			{ at: begin, run: invoke },
			{ at: end + 0.5, run: finish },
		];
	});
	for (const step of steps.sort((a, b) => a.at - b.at)) step.run();
	return history.events;
}
