import { expect, test } from 'vitest';
import { Corruption } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import { segmentName } from '../../src/log/segment-store.js';
import { LOG_DIRECTORY, LogUnderTest, SMALL_LIMITS } from './harness.js';

/** Where a batch's bytes lie in the first segment. */
function placeOf(log: LogUnderTest, bytes: Uint8Array): { path: string; at: number } {
	const path = `${LOG_DIRECTORY}/${segmentName(1)}`;
	const at = Buffer.from(log.machine.disk.bytes(path)).indexOf(bytes);
	expect(at).toBeGreaterThan(0);
	return { path, at };
}

test('rule 14: damage under a running log is Corruption that names the file, never the end of the log', async () => {
	const log = await LogUnderTest.start('rot');
	for (let i = 0; i < 5; i++) log.append(100);
	await log.settle();
	const memory = new Memory(SMALL_LIMITS.slabBytes);
	const { path, at } = placeOf(log, log.written[2]!.bytes);
	for (const byte of [4, 40, 45, 60, 130]) {
		log.machine.disk.flipBit(path, at + byte, 3);
		// The batches before it are as good as ever.
		const run = await log.machine.until(log.log.read(1, 5, memory, SMALL_LIMITS.slabBytes));
		expect(run.lastIndex).toBe(2);
		const error = await log.machine
			.until(log.log.read(3, 5, memory, SMALL_LIMITS.slabBytes))
			.catch((e) => e);
		expect(error).toBeInstanceOf(Corruption);
		expect(error.path).toContain(segmentName(1));
		log.machine.disk.flipBit(path, at + byte, 3);
	}
	await log.expectReadBack();
	await log.close();
});
