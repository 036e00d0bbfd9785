import { expect, test } from 'vitest';
import { LogUnderTest } from './harness.js';
import { lives } from './lives.js';

test.each(Array.from({ length: 24 }, (_, i) => `life ${i}`))(
	'whenever the power fails, everything that was reported durable is found: %s',
	async (seed) => lives(await LogUnderTest.start(seed), 12),
);

test('what only the page cache has after a sync that failed is written again before it counts', async () => {
	let cached = 0;
	for (let seed = 0; seed < 60; seed++) {
		const log = await LogUnderTest.start(`cached ${seed}`);
		const { machine } = log;
		log.append(100);
		await log.settle();
		const { required } = log;
		log.append(900);
		await machine.pass(0.01);
		machine.kill();
		// The kernel drops what it could not write, and says of the next sync that all is well.
		machine.disk.failNext('sync', 'EIO', { path: '.segment' });
		await expect(machine.until(log.beginOpen())).rejects.toThrow('EIO');
		machine.kill();
		machine.disk.forgetFaults();
		await log.recover();
		if (log.required > required) cached += 1;
		machine.crash();
		await log.recover();
		await log.close();
	}
	expect(cached).toBeGreaterThan(5);
});
