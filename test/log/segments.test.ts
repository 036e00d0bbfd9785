import { describe, expect, test } from 'vitest';
import { Compacted, DiskError, Stopped } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import { LOG_DIRECTORY, LogUnderTest, SMALL_LIMITS } from './harness.js';

async function grow(log: LogUnderTest, segments: number): Promise<void> {
	while (log.counter('segmentsLive') < segments) {
		log.append(900);
		await log.settle();
		// One that has stopped would never grow.
		expect(log.failures).toEqual([]);
	}
	log.commit(log.required);
}

describe('compaction', () => {
	test('keeps what it was asked to, and begins there after a restart', async () => {
		const log = await LogUnderTest.start('retain');
		await grow(log, 8);
		expect(log.log.compact(log.committed, 8 * SMALL_LIMITS.segmentBytes)).toBe(false);
		expect(log.log.compact(0, 0)).toBe(false);
		expect(log.log.compact(log.committed, 5 * SMALL_LIMITS.segmentBytes)).toBe(true);
		expect(log.counter('segmentsLive')).toBe(5);
		const { base } = log.log;
		expect(base.index).toBeGreaterThan(0);
		await log.expectReadBack();
		const memory = new Memory(SMALL_LIMITS.slabBytes);
		await expect(log.log.read(base.index, 99, memory, 99)).rejects.toThrow(Compacted);
		await log.restart();
		expect(log.log.base).toEqual(base);
		expect(log.log.recovered.base).toEqual(base);
		await log.close();
	});

	test('never loses what lies above the index it was given', async () => {
		const log = await LogUnderTest.start('above');
		await grow(log, 6);
		for (let index = 1; index <= log.committed; index++) {
			log.log.compact(index, 0);
			expect(log.log.base.index).toBeLessThanOrEqual(index);
		}
		expect(log.counter('segmentsLive')).toBe(1);
		await log.restart();
		await log.close();
	});

	test('races with reads: they end well, or say that it is compacted', async () => {
		for (let milliseconds = 0; milliseconds < 2; milliseconds += 0.1) {
			const log = await LogUnderTest.start(`race ${milliseconds}`);
			await grow(log, 5);
			const memory = new Memory(SMALL_LIMITS.slabBytes);
			const reading = log.log.read(1, 3, memory, SMALL_LIMITS.slabBytes).then(
				(run) => Buffer.compare(memory.slice(0, run.batches[0]!.length), log.written[0]!.bytes),
				(error: Error) => error,
			);
			await log.machine.pass(milliseconds);
			log.log.compact(log.committed, 0);
			for (let i = 0; i < 40; i++) log.append(900);
			const result = await log.machine.until(reading);
			if (result !== 0) expect(result).toBeInstanceOf(Compacted);
			await log.settle();
			await log.close();
		}
	});

	test('a segment that is gone before a read has opened it is compacted, not lost', async () => {
		const log = await LogUnderTest.start('gone');
		await grow(log, 3);
		log.machine.disk.failNext('open', 'ENOENT', { path: '1.segment' });
		const reading = log.log.read(1, 3, new Memory(SMALL_LIMITS.slabBytes), 100);
		expect(log.log.compact(log.committed, 0)).toBe(true);
		await expect(log.machine.until(reading)).rejects.toThrow(Compacted);
		await log.close();
	});

	test('a segment is dropped only once the next one has a durable flush', async () => {
		for (let milliseconds = 0; milliseconds < 3; milliseconds += 0.1) {
			const log = await LogUnderTest.start('only segment');
			for (let i = 0; i < 14; i++) {
				log.append(900);
				await log.settle();
			}
			log.commit(log.required);
			while (log.counter('segmentsLive') === 1 && log.end.index < 20) log.append(900);
			for (let at = 0; at < milliseconds; at += 0.1) {
				await log.machine.pass(0.1);
				log.log.compact(log.committed, 0);
			}
			log.machine.crash();
			await log.recover();
			await log.close();
		}
	});
});

describe('recycling', () => {
	test('in the steady state all segments are recycled ones, and old frames are never read', async () => {
		const log = await LogUnderTest.start('recycled');
		for (let round = 0; round < 120; round++) {
			for (let i = log.machine.random.below(9); i >= 0; i--)
				log.append(log.machine.random.below(900));
			await log.settle();
			log.commit(log.required);
			log.log.compact(log.committed, 3 * SMALL_LIMITS.segmentBytes);
			if (round % 10 === 0) await log.restart();
			if (round % 10 === 5) {
				log.machine.crash();
				await log.recover();
			}
		}
		await log.machine.pass(100);
		const created = log.counter('segmentsCreated');
		for (let round = 0; round < 60; round++) {
			for (let i = 0; i < 4; i++) log.append(900);
			await log.settle();
			log.commit(log.required);
			log.log.compact(log.committed, 3 * SMALL_LIMITS.segmentBytes);
			await log.machine.pass(5);
		}
		expect(log.counter('segmentsRecycled')).toBeGreaterThan(10);
		expect(log.counter('segmentsCreated') - created).toBeLessThan(4);
		await log.restart();
		await log.close();
	});
});

describe('a full disk', () => {
	const full = async (seed: string) => {
		const log = await LogUnderTest.start(seed);
		await log.machine.pass(50);
		const { fileSystem } = log.machine.disk;
		const used = fileSystem.capacityBytes - fileSystem.freeBytes;
		fileSystem.capacityBytes = used + SMALL_LIMITS.freeBytesMin;
		return log;
	};

	test('is noticed before the log needs the space, and when space is back it goes on', async () => {
		const log = await full('full');
		expect(log.log.noSpace).toBe(false);
		await grow(log, 2);
		await log.machine.pass(10);
		expect(log.log.noSpace).toBe(true);
		// There is still one segment ahead for what was accepted before.
		await grow(log, 3);
		for (let i = 0; i < 40; i++) log.append(900);
		await log.machine.pass(5_000);
		expect(log.log.pendingBatches).toBeGreaterThan(0);
		await log.expectReadBack();
		expect(log.failures).toEqual([]);
		log.machine.disk.fileSystem.capacityBytes = 2 ** 30;
		await log.machine.pass(5_000);
		expect(log.log.noSpace).toBe(false);
		expect(log.log.pendingBatches).toBe(0);
		await log.restart();
		await log.close();
	});

	test('compaction makes room', async () => {
		const log = await full('compaction');
		await grow(log, 3);
		for (let i = 0; i < 20; i++) log.append(900);
		await log.machine.pass(3_000);
		expect(log.log.noSpace).toBe(true);
		log.log.compact(log.committed, 0);
		await log.machine.pass(100);
		expect(log.log.pendingBatches).toBe(0);
		await log.close();
	});

	test('a log that waits for space can be closed', async () => {
		const log = await full('closed');
		await grow(log, 3);
		for (let i = 0; i < 20; i++) log.append(900);
		await log.machine.pass(2_400);
		expect(log.log.pendingBatches).toBeGreaterThan(0);
		const before = log.machine.scheduler.now;
		await log.close();
		expect(log.machine.scheduler.now - before).toBeLessThan(100);
		await log.recover();
		await log.close();
	});

	test('so can one that is about to find out', async () => {
		const log = await full('about to');
		for (let i = 0; i < 80; i++) log.append(900);
		await log.close();
		expect(log.required).toBeGreaterThan(0);
		expect(log.required).toBeLessThan(80);
		await log.recover();
		await log.close();
	});

	test.each(['open', 'write', 'sync', 'rename'])('%s says ENOSPC while preparing', async (what) => {
		const log = await LogUnderTest.start(`enospc ${what}`);
		await log.machine.pass(50);
		log.machine.disk.failNext(what, 'ENOSPC', { path: 'unfinished' });
		await grow(log, 2);
		await log.machine.pass(10);
		expect(log.log.noSpace).toBe(true);
		expect(log.machine.files().has('unfinished.segment')).toBe(false);
		await log.machine.pass(2_000);
		expect(log.log.noSpace).toBe(false);
		expect(log.failures).toEqual([]);
		await log.close();
	});
});

describe('a disk that fails', () => {
	const expectStopped = async (log: LogUnderTest, operation: string) => {
		for (let i = 0; i < 60 && log.failures.length === 0; i++) {
			log.append(900);
			await log.machine.pass(20);
		}
		expect(log.failures).toHaveLength(1);
		expect(log.failures[0]).toBeInstanceOf(DiskError);
		expect(log.failures[0]).toMatchObject({ operation, errno: 'EIO' });
		const reports = log.persisted.length;
		for (let i = 0; i < 30; i++) log.append(900);
		log.setHardState(99, 1);
		await log.machine.pass(5_000);
		expect(log.persisted).toHaveLength(reports);
		expect(log.log.pendingBatches).toBe(0);
		await log.close();
		expect(log.failures).toHaveLength(1);
		// What was reported before is there, with a new disk or a new start.
		await log.recover();
		await log.close();
	};

	test.each([
		['write', 'segment'],
		['write', 'unfinished'],
		['sync', 'unfinished'],
		['rename', 'unfinished'],
		['syncDirectory', 'log'],
		['open', '3.segment'],
	])('%s of %s: one failure, nothing is reported durable after it', async (operation, path) => {
		for (const during of [0, 0.2, 0.5]) {
			const log = await LogUnderTest.start(`${operation} ${path}`);
			await log.machine.pass(50);
			log.append(900);
			await log.machine.pass(during);
			log.machine.disk.failNext(operation, 'EIO', { path });
			await expectStopped(log, operation);
		}
	});

	test.each(['rename', 'syncDirectory', 'remove'])('%s while recycling', async (operation) => {
		const log = await LogUnderTest.start(`recycling ${operation}`);
		await grow(log, 12);
		await log.machine.pass(50);
		log.machine.disk.failNext(operation, 'EIO', { path: 'log' });
		log.log.compact(log.committed, 0);
		await expectStopped(log, operation);
	});

	test('closing while a write fails ends', async () => {
		const log = await LogUnderTest.start('closing');
		await log.machine.pass(50);
		log.append(900);
		await log.machine.pass(0.01);
		log.machine.disk.failNext('write', 'EIO');
		await log.close();
		expect(log.failures).toHaveLength(1);
		expect(log.required).toBe(0);
	});

	test('while it stalls nothing is reported, and then everything', async () => {
		const log = await LogUnderTest.start('stall');
		log.machine.disk.stall();
		for (let i = 0; i < 30; i++) log.append(900);
		await log.machine.pass(60_000);
		expect(log.persisted).toEqual([]);
		log.machine.disk.unstall();
		await log.settle();
		await log.restart();
		await log.close();
	});

	test.each(['list', 'open', 'read', 'sync', 'makeDirectory'])(
		'%s fails while it opens: it says so, and nothing goes on behind',
		async (operation) => {
			const log = await LogUnderTest.start(`opening ${operation}`);
			await grow(log, 3);
			await log.close();
			log.machine.disk.failNext(operation, 'EIO', { path: 'log' });
			await expect(log.open()).rejects.toThrow(DiskError);
			await log.machine.pass(100);
			expect(log.failures).toEqual([]);
			await log.recover();
			await log.close();
		},
	);

	test('a read after the close says that the log is closed', async () => {
		const log = await LogUnderTest.start('read after');
		await grow(log, 1);
		await log.close();
		await expect(log.log.read(1, 1, new Memory(16 * 1024), 1)).rejects.toThrow(Stopped);
		expect(log.machine.disk.fileSystem.list(LOG_DIRECTORY).length).toBeGreaterThan(1);
	});
});
