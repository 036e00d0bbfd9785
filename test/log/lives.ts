import { expect } from 'vitest';
import { type LogUnderTest, SMALL_LIMITS } from './harness.js';

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

/** Lives of a log, one after the other, of which most end by a crash. */
export async function lives(log: LogUnderTest, count: number): Promise<void> {
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
