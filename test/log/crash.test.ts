import { expect, test } from 'vitest';
import { LogUnderTest, SMALL_LIMITS } from './harness.js';

/** Anything a replica does to its log, in any order. */
function act(log: LogUnderTest): void {
	const { random } = log.machine;
	const kind = random.below(20);
	if (kind < 12) {
		for (let i = random.below(6); i >= 0; i--) log.append(random.below(kind === 0 ? 6_000 : 300));
	} else if (kind < 14) {
		log.setHardState(log.hardState.term + random.below(2), random.below(4));
	} else if (kind < 17) {
		const uncommitted = log.written.filter((w) => w.end.index > log.committed).length;
		if (uncommitted > 0 && log.log.base.index <= log.committed) {
			log.truncate(1 + random.below(uncommitted));
			log.append(random.below(100));
		}
	} else if (kind < 19) {
		// Committed is what a majority has; being durable here is enough for a model.
		log.commit(log.required - random.below(10));
	} else log.log.compact(log.committed, random.below(5) * SMALL_LIMITS.segmentBytes);
}

async function lives(seed: string, count: number): Promise<void> {
	const log = await LogUnderTest.start(seed);
	const { machine } = log;
	for (let life = 0; life < count; life++) {
		for (let i = machine.random.below(60); i >= 0; i--) {
			act(log);
			if (machine.random.chance(0.6)) await machine.pass(machine.random.next() * 2);
		}
		if (machine.random.chance(0.2)) {
			await log.restart();
			continue;
		}
		if (machine.random.chance(0.5)) machine.crash();
		else machine.kill();
		// Now and then it crashes again while it recovers.
		while (machine.random.chance(0.3)) {
			const opening = log.beginOpen();
			opening.catch((error: Error) => log.failures.push(error));
			await machine.pass(machine.random.next() * 10);
			machine.crash();
		}
		await log.recover();
	}
	expect(log.failures).toEqual([]);
	await log.restart();
	await log.close();
}

test.each(Array.from({ length: 24 }, (_, i) => `life ${i}`))(
	'whenever the power fails, everything that was reported durable is found: %s',
	(seed) => lives(seed, 12),
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
