import { describe, expect, test } from 'vitest';
import { LogUnderTest } from './harness.js';

describe('appending', () => {
	test('batches of all sizes over many segments read back, before and after a restart', async () => {
		const log = await LogUnderTest.start('append');
		const { random } = log.machine;
		for (let round = 0; round < 60; round++) {
			for (let i = random.below(12); i >= 0; i--) {
				if (random.chance(0.1)) log.append(random.below(7_000));
				else log.append(random.below(200), 1 + random.below(5));
			}
			if (random.chance(0.7)) await log.settle();
		}
		await log.settle();
		expect(log.counter('segmentsLive')).toBeGreaterThan(10);
		await log.expectReadBack();
		await log.expectReadBack(1);
		await log.restart();
		log.append();
		await log.settle();
		await log.restart();
		await log.close();
	});

	test('a batch that just fits a segment, or is larger than a flush may be', async () => {
		const log = await LogUnderTest.start('largest');
		const limits = { ...log.limits, segmentBytes: 8 * 1024 + 192, flushBytesMax: 1024 };
		const small = await LogUnderTest.start('largest', { limits });
		const { length } = small.append(8 * 1024 - 120);
		expect(length).toBe(8 * 1024);
		small.append(8 * 1024 - 120);
		small.append(10);
		await small.settle();
		await small.restart();
		await small.close();
		await log.close();
	});

	test('what does not continue the log is refused before it is written', async () => {
		const log = await LogUnderTest.start('refused');
		const first = log.append();
		const slab = log.pool.acquire()!;
		slab.bytes.set(first.bytes);
		expect(() => log.log.append(slab, 0, first.length, 0)).toThrow(
			'a batch follows the one before',
		);
		slab.release();
		await log.close();
	});
});

describe('group commit', () => {
	test('what comes while a write is in flight is one next write', async () => {
		const log = await LogUnderTest.start('group');
		log.append();
		await log.settle();
		const before = log.counter('flushes');
		log.append();
		log.append();
		await log.machine.pass(0.01);
		expect(log.machine.disk.inFlight.size).toBe(1);
		for (let i = 0; i < 20; i++) log.append();
		log.setHardState(5, 3);
		await log.machine.pass(0.01);
		expect(log.machine.disk.inFlight.size).toBe(1);
		expect(log.log.pendingBatches).toBe(22);
		await log.settle();
		expect(log.counter('flushes') - before).toBe(2);
		const [, ...reports] = log.persisted;
		expect(reports).toEqual([
			{ index: 3, epoch: 0, term: 1, vote: 0 },
			{ index: 23, epoch: 0, term: 5, vote: 3 },
		]);
		await log.close();
	});

	test('what is appended from within onPersisted goes into the very next flush', async () => {
		const log = await LogUnderTest.start('within');
		log.append();
		await log.settle();
		const { persisted } = log;
		const push = persisted.push.bind(persisted);
		let once = true;
		persisted.push = (report) => {
			if (once) log.append();
			once = false;
			return push(report);
		};
		log.append();
		await log.machine.pass(30);
		expect(persisted.map((report) => report.index)).toEqual([1, 2, 3]);
		await log.restart();
		await log.close();
	});
});

describe('hard state', () => {
	test('rides along with batches, and goes alone without any', async () => {
		const log = await LogUnderTest.start('hard state');
		log.setHardState(3, 1);
		await log.settle();
		expect(log.persisted).toEqual([{ index: 0, epoch: 0, term: 3, vote: 1 }]);
		log.setHardState(4, 2);
		log.append();
		await log.settle();
		expect(log.persisted.at(-1)).toEqual({ index: 1, epoch: 0, term: 4, vote: 2 });
		await log.restart();
		expect(log.log.recovered).toMatchObject({ term: 4, vote: 2, tornBytes: 0 });
		log.setHardState(9, 0);
		await log.restart();
		expect(log.log.recovered).toMatchObject({ term: 9, vote: 0 });
		await log.close();
	});

	test('that changes while the one before is being written is written too', async () => {
		const log = await LogUnderTest.start('changes');
		log.setHardState(3, 1);
		await log.machine.pass(0.01);
		log.setHardState(3, 2);
		await log.machine.pass(20);
		expect(log.persisted.map(({ vote }) => vote)).toEqual([1, 2]);
		log.machine.crash();
		await log.recover();
		expect(log.log.recovered).toMatchObject({ term: 3, vote: 2 });
		await log.close();
	});

	test('alone fills segment after segment, and all are recovered', async () => {
		const log = await LogUnderTest.start('votes');
		for (let term = 2; term < 400; term++) {
			log.setHardState(term, term % 3);
			await log.settle();
		}
		expect(log.counter('segmentsLive')).toBeGreaterThan(2);
		await log.restart();
		expect(log.log.recovered.term).toBe(399);
		await log.close();
	});

	test('the committed index is a hint that never passes the end of the log', async () => {
		const log = await LogUnderTest.start('committed');
		log.append();
		log.append();
		log.log.setCommitted(2);
		await log.settle();
		log.machine.crash();
		await log.recover();
		expect(log.log.recovered.committed).toBe(0);
		log.log.setCommitted(9);
		log.append();
		await log.settle();
		log.machine.crash();
		await log.recover();
		expect(log.log.recovered.committed).toBe(2);
		// The seal of a log that is closed says what is known by then.
		await log.restart();
		expect(log.log.recovered.committed).toBe(2);
		log.log.setCommitted(3);
		log.setHardState(2, 1);
		await log.restart();
		expect(log.log.recovered.committed).toBe(3);
		await log.close();
	});
});

describe('closing', () => {
	test('makes durable what was handed over; twice is once', async () => {
		const log = await LogUnderTest.start('close');
		for (let i = 0; i < 50; i++) log.append(1000);
		log.setHardState(7, 7);
		await Promise.all([log.close(), log.log.close()]);
		expect(log.persisted.at(-1)).toEqual({ index: 50, epoch: 0, term: 7, vote: 7 });
		await log.open();
		await log.check();
		await log.close();
	});

	test('what is appended after it is dropped, and holds no slab', async () => {
		const log = await LogUnderTest.start('late');
		log.append();
		const closing = log.log.close();
		await log.machine.until(closing);
		log.append();
		await log.close();
		await log.open();
		await log.check();
		expect(log.log.end.index).toBe(1);
		await log.close();
	});
});
