import { describe, expect, test } from 'vitest';
import { ReadFailed } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import { segmentName } from '../../src/log/segment-store.js';
import { LOG_DIRECTORY, LogUnderTest, type Written } from './harness.js';

async function filled(seed: string, batches: number, bytes = 40): Promise<LogUnderTest> {
	const log = await LogUnderTest.start(seed);
	for (let i = 0; i < batches; i++) log.append(bytes);
	await log.settle();
	// Until the segments ahead are ready, so that only flushes are in flight.
	await log.machine.pass(50);
	return log;
}

/** Restarts both ways: the log is exactly the one that was written last. */
async function expectExact(log: LogUnderTest): Promise<void> {
	await log.settle();
	const { index } = log.end;
	await log.expectReadBack();
	await log.restart();
	expect(log.end.index).toBe(index);
	log.append();
	await log.settle();
	log.machine.crash();
	await log.recover();
	expect(log.end.index).toBe(index + 1);
	await log.close();
}

describe('truncation', () => {
	test('of batches that are not written yet: they never reach the disk', async () => {
		const log = await filled('pending', 3);
		const flushed = log.counter('flushedBytes');
		for (let i = 0; i < 5; i++) log.append(500);
		log.truncate(5);
		const { length } = log.append(7);
		await log.settle();
		expect(log.counter('flushedBytes') - flushed).toBe(length);
		await expectExact(log);
	});

	test.each([1, 2, 3, 4])('of %s of the batches that are being written', async (count) => {
		const log = await filled('in flight', 3);
		for (let i = 0; i < 4; i++) log.append(60);
		await log.machine.pass(0.01);
		expect(log.machine.disk.inFlight.size).toBe(1);
		log.truncate(count);
		log.append(61);
		log.append(62);
		await log.settle();
		// The completion of what was cut names the old epoch.
		expect(log.persisted.at(-2)).toMatchObject({ index: 7, epoch: 0 });
		expect(log.persisted.at(-1)).toMatchObject({ index: log.end.index, epoch: 1 });
		await expectExact(log);
	});

	test('of durable, flying and pending batches in one go', async () => {
		const log = await filled('all', 6);
		log.append();
		await log.machine.pass(0.01);
		log.append();
		log.truncate(5);
		log.append(99);
		await expectExact(log);
	});

	test('of everything', async () => {
		const log = await filled('everything', 60, 900);
		log.truncate(60);
		log.append();
		await expectExact(log);
	});

	test('across segments, repeatedly, also twice before a flush', async () => {
		const log = await filled('across', 60, 900);
		for (const count of [1, 30, 3, 20, 2]) {
			log.truncate(count);
			for (let i = 0; i < 12; i++) log.append(700);
			if (count % 2 === 1) await log.settle();
		}
		await expectExact(log);
	});

	test('while the next segment is being opened', async () => {
		const log = await filled('roll', 1);
		for (let segment = 1; segment < 6; segment++) {
			while (log.counter('segmentsLive') === segment) {
				log.append(700);
				log.append(700);
				await log.machine.pass(0.3);
				log.truncate(1);
				log.append(300);
				await log.machine.pass(0.3);
			}
			await log.settle();
			await log.expectReadBack();
		}
		await expectExact(log);
	});

	test('a log whose segments hold a dead branch is dropped only up to a living one', async () => {
		const log = await filled('dead', 3);
		log.commit(3);
		while (log.counter('segmentsLive') < 3) {
			log.append(900);
			await log.settle();
		}
		log.truncate(log.written.length - 3);
		// Indexes beyond those of the dead branch, all in the segment that begins on it.
		for (let i = 0; i < 4; i++) log.append(1, 30);
		await log.settle();
		log.commit(log.required);
		// The second and third segments begin on the branch that was cut off.
		expect(log.log.compact(log.committed, 0)).toBe(false);
		while (log.counter('segmentsLive') < 4) {
			log.append(900);
			await log.settle();
		}
		log.commit(log.required);
		expect(log.log.compact(log.committed, 0)).toBe(true);
		expect(log.counter('segmentsLive')).toBe(1);
		const { base } = log.log;
		expect(log.written.map((w) => w.end)).toContainEqual(base);
		await log.machine.pass(50);
		await log.restart();
		expect(log.log.base).toEqual(base);
		await log.close();
	});

	test.each([0, 1])(
		'of what a segment begins on, while it is begun (and restart: %s)',
		async (restart) => {
			const log = await filled('begun', 3);
			const isRolling = () =>
				[...log.machine.disk.inFlight].some(
					({ inode }) =>
						log.machine.disk.fileSystem.inode(`${LOG_DIRECTORY}/${segmentName(2)}`) === inode,
				);
			while (!isRolling()) {
				if (log.log.pendingBatches === 0) log.append(900);
				await log.machine.pass(0.01);
			}
			const dead = log.written.at(-2)!.end.index;
			log.truncate(log.written.length - 3);
			log.append(1, 40);
			await log.settle();
			if (restart > 0) await log.restart();
			while (log.counter('segmentsLive') < 4) {
				log.append(900);
				await log.settle();
			}
			for (let index = dead; index < log.required; index++) {
				if (!log.log.compact(index, 0)) continue;
				expect(log.written.map((w) => w.end)).toContainEqual(log.log.base);
			}
			expect(log.counter('segmentsLive')).toBe(1);
			await log.close();
		},
	);

	test('a crash between the drops of a dead branch leaves a log that opens', async () => {
		for (let milliseconds = 0; milliseconds < 6; milliseconds += 0.2) {
			const log = await filled('drops', 3);
			log.commit(3);
			for (let live = 3; live <= 4; live++) {
				while (log.counter('segmentsLive') < live) {
					log.append(900);
					await log.settle();
				}
				if (live === 3) log.truncate(log.written.length - 3);
				if (live === 3) log.append(1);
			}
			log.commit(log.required);
			await log.machine.pass(20);
			expect(log.log.compact(log.committed, 0)).toBe(true);
			await log.machine.pass(milliseconds);
			log.machine.crash();
			await log.recover();
			await log.close();
		}
	});
});

describe('reads', () => {
	const memory = new Memory(16 * 1024);

	function frames(run: { batches: readonly { offset: number; length: number }[] }): Buffer[] {
		return run.batches.map(({ offset, length }) => Buffer.from(memory.slice(offset, length)));
	}

	const same = (run: Buffer[], expected: readonly Written[]) =>
		expect(run.map((b) => b.toString('latin1'))).toEqual(
			expected.map((w) => Buffer.from(w.bytes).toString('latin1')),
		);

	test('never return what was cut off, whatever lies between', async () => {
		const log = await filled('stale', 20);
		for (let round = 0; round < 30; round++) {
			log.truncate(1 + log.machine.random.below(5));
			for (let i = 0; i < 5; i++) log.append(log.machine.random.below(100));
			if (round % 3 === 0) await log.machine.pass(0.01);
			else await log.settle();
			const run = await log.machine.until(log.log.read(1, 999, memory, 16 * 1024));
			same(
				frames(run),
				log.written.filter((w) => w.end.index <= run.lastIndex),
			);
		}
		await log.close();
	});

	test('of what is not durable fail, and never pass the durable end', async () => {
		const log = await filled('end', 3);
		log.append();
		const run = await log.machine.until(log.log.read(2, 99, memory, 16 * 1024));
		expect(run).toMatchObject({ firstIndex: 2, lastIndex: log.required });
		await expect(log.log.read(5, 5, memory, 100)).rejects.toThrow(ReadFailed);
		await log.close();
	});

	test('of what is cut off meanwhile fail, or return what replaced it', async () => {
		for (const waits of [0, 0.1, 0.3, 0.6, 1]) {
			const log = await filled('meanwhile', 8);
			const reading = log.log.read(6, 8, memory, 16 * 1024);
			reading.catch(() => {});
			await log.machine.pass(waits);
			const before = log.written.slice(5);
			log.truncate(4);
			log.append(77);
			log.append(78);
			const result = await log.machine.until(
				reading.then(
					(run) => ({ frames: frames(run) }),
					(error: Error) => ({ error }),
				),
			);
			if ('error' in result) expect(result.error).toBeInstanceOf(ReadFailed);
			else {
				const isBefore = Buffer.compare(result.frames[0]!, before[0]!.bytes) === 0;
				// Before the cut it may have ended with the old ones; after it, never.
				same(result.frames, isBefore ? before : log.written.slice(5, 5 + result.frames.length));
			}
			await log.close();
		}
	});

	test('of an entry in the middle of a batch begin with its batch', async () => {
		const log = await LogUnderTest.start('middle');
		log.append(30, 10);
		log.append(30, 10);
		await log.settle();
		const run = await log.machine.until(log.log.read(14, 20, memory, 1));
		expect(run).toMatchObject({ firstIndex: 11, lastIndex: 20, batches: [{}] });
		await log.close();
	});
});
