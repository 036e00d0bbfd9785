import { expect, test } from 'vitest';
import { LogUnderTest } from './harness.js';
import { RECORDED } from './recorded.js';

const LIMITS = RECORDED.limits!;
const KEPT_BYTES = 2 * LIMITS.segmentBytes;

/** One batch of always the same size in each flush: every mark falls where an older one was. */
async function flush(log: LogUnderTest): Promise<void> {
	log.append(300);
	await log.settle();
	log.commit(log.required);
	log.log.compact(log.committed, KEPT_BYTES);
}

test('rule 27: an old mark where the next one would be is not taken for it', async () => {
	const log = await LogUnderTest.start('aligned', RECORDED);
	while (log.counter('segmentsRecycled') < 4) {
		await flush(log);
		await log.machine.pass(10);
	}
	// Across a whole segment, so that the log ends at each place once.
	for (let i = 0; i < 30; i++) {
		await flush(log);
		const { index } = log.end;
		if (i % 2 === 0) log.machine.crash();
		else log.machine.kill();
		await log.recover();
		expect(log.end.index).toBe(index);
	}
	await log.close();
});

/** Makes a directory's sync take its time, while files are written as fast as ever. */
function slowDirectories({ machine }: LogUnderTest): void {
	const { disk, scheduler } = machine;
	const schedule = disk.schedule.bind(disk);
	disk.schedule = (process, operation, bytes, callback) => {
		if (operation !== 'syncDirectory') return schedule(process, operation, bytes, callback);
		scheduler.schedule(20, () => process.enter(callback));
	};
}

test('rule 27: a rename is durable before the segment is written to under its new name', async () => {
	for (let attempt = 0; attempt < 10; attempt++) {
		const log = await LogUnderTest.start(`renamed ${attempt}`, RECORDED);
		while (log.counter('segmentsRecycled') < 2) {
			await flush(log);
			await log.machine.pass(10);
		}
		slowDirectories(log);
		// What is dropped is needed at once: at some moment between its rename and the sync the power fails.
		for (let i = 0; i < 30 + 3 * attempt; i++) await flush(log);
		const { index } = log.end;
		log.machine.crash();
		await log.recover();
		expect(log.end.index).toBe(index);
		await log.close();
	}
});
