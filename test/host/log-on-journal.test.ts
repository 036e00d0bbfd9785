import { test } from 'vitest';
import { JournalDisk } from '../../src/host/journal-disk.js';
import type { Log } from '../../src/log/log.js';
import type { LogOptions } from '../../src/log/types.js';
import { DIRECTORY, LogUnderTest, Machine } from '../log/harness.js';
import { lives } from '../log/lives.js';
import { LATE } from './journal-lives.js';

/** A log whose disk writes through a journal; both begin anew with each life. */
class LogOnJournal extends LogUnderTest {
	readonly #own: { -readonly [Name in keyof LogOptions]?: LogOptions[Name] };
	#disk: JournalDisk | null = null;

	constructor(machine: Machine, own: Partial<LogOptions> = {}) {
		super(machine, own);
		this.#own = own;
	}

	static override async start(seed: string): Promise<LogOnJournal> {
		const log = new LogOnJournal(new Machine(seed));
		await log.open();
		log.setHardState(1, 0);
		await log.settle();
		log.persisted.length = 0;
		return log;
	}

	override async beginOpen(): Promise<Log> {
		const { disk, clock } = this.machine.options();
		this.#disk = await JournalDisk.open({
			disk,
			clock,
			random: { next: () => 0.25, identifier: () => 1 },
			directory: DIRECTORY,
			fileBytes: 32 * 1024,
			late: LATE,
			onFailure: (error) => this.failures.push(error),
		});
		this.#own.disk = this.#disk;
		return await super.beginOpen();
	}

	override async close(): Promise<void> {
		await super.close();
		await this.machine.until(this.#disk!.close());
	}
}

test.each(Array.from({ length: 16 }, (_, i) => `journaled life ${i}`))(
	'whenever the power fails, a log on a journal has everything that it reported durable: %s',
	async (seed) => lives(await LogOnJournal.start(seed), 12),
);
