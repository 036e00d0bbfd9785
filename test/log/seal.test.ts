import { describe, expect, test } from 'vitest';
import { Corruption } from '../../src/errors.js';
import { SEAL_AFTER_MS } from '../../src/log/flusher.js';
import { segmentName } from '../../src/log/segment-store.js';
import { LOG_DIRECTORY, LogUnderTest, SMALL_LIMITS } from './harness.js';

const IDLE_MS = 3 * SEAL_AFTER_MS;

describe('the seal', () => {
	test('is written once when the log falls idle, and reported as nothing', async () => {
		const log = await LogUnderTest.start('once');
		log.append();
		await log.settle();
		expect(log.counter('seals')).toBe(0);
		const before = [log.counter('flushes'), log.counter('flushedBytes')];
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(1);
		await log.machine.pass(100_000);
		expect(log.counter('seals')).toBe(1);
		expect([log.counter('flushes'), log.counter('flushedBytes')]).toEqual(before);
		expect(log.persisted).toHaveLength(1);
		log.setHardState(2, 2);
		await log.settle();
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(2);
		await log.restart();
		await log.close();
	});

	test('is not written while flushes go on, whatever their pauses below its time', async () => {
		const log = await LogUnderTest.start('going on');
		for (let i = 0; i < 200; i++) {
			log.append();
			await log.settle();
			await log.machine.pass((i % 10) * (SEAL_AFTER_MS / 10));
		}
		expect(log.counter('seals')).toBe(0);
		await log.close();
	});

	test('is written by a close, and not again after a restart', async () => {
		const log = await LogUnderTest.start('close');
		log.append();
		await log.restart();
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(0);
		await log.restart();
		expect(log.counter('seals')).toBe(0);
		log.machine.crash();
		await log.recover();
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(0);
		await log.close();
	});

	test('follows what was recovered without one', async () => {
		const log = await LogUnderTest.start('recovered');
		log.append();
		await log.settle();
		log.machine.crash();
		await log.recover();
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(1);
		await log.restart();
		await log.close();
	});

	test('holds up nothing: what comes while it is written is the next flush', async () => {
		const log = await LogUnderTest.start('meanwhile');
		log.append();
		await log.settle();
		await log.machine.pass(SEAL_AFTER_MS / 2);
		while (log.machine.disk.inFlight.size === 0) await log.machine.pass(0.05);
		log.append();
		log.setHardState(3, 3);
		await log.settle();
		expect(log.counter('seals')).toBe(1);
		log.machine.crash();
		await log.recover();
		expect(log.log.recovered).toMatchObject({ term: 3, vote: 3, end: { index: 2 } });
		await log.close();
	});

	test('that does not fit goes into the next segment', async () => {
		const log = await LogUnderTest.start('roll');
		// A header, three marks and two frames: 40 bytes are left.
		for (const frameBytes of [8_000, SMALL_LIMITS.segmentBytes - 4 * 96 - 8_000 - 40]) {
			expect(log.append(frameBytes - 120).length).toBe(frameBytes);
			await log.settle();
		}
		expect(log.counter('segmentsLive')).toBe(1);
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(1);
		expect(log.counter('segmentsLive')).toBe(2);
		await log.restart();
		expect(log.counter('seals')).toBe(0);
		log.append();
		await log.restart();
		await log.close();
	});

	test('with durability os there is none: writes reach that disk in any order', async () => {
		const log = await LogUnderTest.start('os', { durability: 'os' });
		log.append();
		await log.settle();
		await log.machine.pass(IDLE_MS);
		expect(log.counter('seals')).toBe(0);
		await log.close();
		expect(log.counter('seals')).toBe(0);
	});

	test('that fails stops the log, and a close ends all the same', async () => {
		const log = await LogUnderTest.start('fails');
		log.append();
		await log.settle();
		log.machine.disk.failNext('write', 'EIO', { path: 'segment' });
		await log.close();
		expect(log.failures).toHaveLength(1);
		await log.recover();
		expect(log.log.end.index).toBe(1);
		await log.close();
	});
});

describe('a file that is not as long as it was', () => {
	const filled = async (seed: string) => {
		const log = await LogUnderTest.start(seed);
		while (log.counter('segmentsLive') < 3) {
			log.append(900);
			await log.settle();
		}
		await log.close();
		return log;
	};

	const cut = (log: LogUnderTest, segment: number, size: number): Promise<void> => {
		const name = segmentName(segment);
		log.machine.install(name, log.machine.files().get(name)!.slice(0, size));
		return log.open();
	};

	test('is refused at its end, the last one also where nothing was', async () => {
		for (const size of [0, 95, 150, 700, SMALL_LIMITS.segmentBytes - 1]) {
			const log = await filled(`cut ${size}`);
			const opening = cut(log, 3, size);
			await expect(opening).rejects.toThrow(Corruption);
			await expect(opening).rejects.toMatchObject({ offset: size });
		}
	});

	test('a segment that is to be used, of no length, is refused too', async () => {
		const log = await filled('ahead');
		await expect(cut(log, 4, 0)).rejects.toThrow('it has been cut');
	});

	test('is set aside where that is wanted, and the log goes on with what is before', async () => {
		for (const size of [150, 700, SMALL_LIMITS.segmentBytes - 1]) {
			const log = await filled(`aside ${size}`);
			await expect(cut(log, 3, size)).rejects.toThrow(Corruption);
			// `segmentBytes` has been lowered since the file was made.
			const limits = { ...SMALL_LIMITS, segmentBytes: 12 * 1024 };
			const other = new LogUnderTest(log.machine, { setsDamageAside: true, limits });
			other.adopt(log.written);
			await other.open();
			await other.check();
			expect(other.log.end.index).toBeGreaterThanOrEqual(log.written.length - 3);
			other.append();
			await other.restart();
			await other.close();
			expect(log.machine.files().has(`${segmentName(3)}.damaged`)).toBe(true);
		}
	});

	test('because segmentBytes was another is not damaged', async () => {
		const log = await filled('limits');
		for (const segmentBytes of [32 * 1024, 16 * 1024, 64 * 1024]) {
			const { machine, written } = log;
			const other = new LogUnderTest(machine, { limits: { ...SMALL_LIMITS, segmentBytes } });
			other.adopt(written);
			await other.open();
			await other.check();
			const live = other.counter('segmentsLive');
			while (other.counter('segmentsLive') < live + 1) {
				other.append(900);
				await other.settle();
			}
			machine.crash();
			await other.recover();
			await other.close();
			log.written = other.written;
		}
	});
});

/** The last write of a log has failed: the pages hold all or a part of it, and count as written. */
async function leaveUnwritten(log: LogUnderTest): Promise<void> {
	log.machine.disk.failNext('write', 'EIO', { path: segmentName(1) });
	await log.machine.pass(200);
	expect(log.failures).toHaveLength(1);
	const inode = log.machine.disk.fileSystem.inode(`${LOG_DIRECTORY}/${segmentName(1)}`)!;
	inode.syncFailed(log.machine.random);
	log.machine.kill();
}

test('a flush that the kernel shows but never wrote is durable once it was recovered', async () => {
	for (let seed = 0; seed < 30; seed++) {
		const log = await LogUnderTest.start(`unwritten ${seed}`);
		log.append();
		await log.settle();
		for (let i = 0; i < 4; i++) log.append(1_000);
		await leaveUnwritten(log);
		await log.recover();
		const { end } = log.log;
		log.machine.crash();
		await log.recover();
		expect(log.log.end).toEqual(end);
		await log.close();
	}
});

test('a seal that the kernel shows but never wrote is durable once it was recovered', async () => {
	for (let seed = 0; seed < 30; seed++) {
		const log = await LogUnderTest.start(`unwritten seal ${seed}`);
		log.append();
		await log.settle();
		await leaveUnwritten(log);
		await log.recover();
		log.append();
		await log.settle();
		log.machine.crash();
		await log.recover();
		await log.close();
	}
});
