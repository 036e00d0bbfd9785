import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeClock, NativeDisk, NativeRandom } from '../../native-free-io/index.js';
import { JournalDisk } from '../../src/host/journal-disk.js';
import type { Clock, Disk, Random } from '../../src/io.js';
import { World } from '../simulation/world.js';
import { diskContract } from './disk.js';

diskContract('native', async () => {
	const directory = await mkdtemp(join(tmpdir(), 'millrace-disk-'));
	return {
		disk: new NativeDisk(),
		otherDisk: new NativeDisk(),
		directory,
		dispose: () => rm(directory, { recursive: true, force: true }),
	};
});

for (const seed of [1, 2, 3])
	diskContract(`simulated, seed ${seed}`, async () => {
		const world = new World(seed);
		world.scheduler.runFree();
		const machine = world.machine('a');
		const { disk } = machine.start();
		await disk.makeDirectory('/data');
		return {
			disk,
			otherDisk: machine.start().disk,
			directory: '/data',
			dispose: async () => {},
		};
	});

/** The smallest of them checkpoint all the time. */
function journaled(disk: Disk, directory: string, doors: { clock: Clock; random: Random }) {
	const onFailure = (error: Error) => {
		throw error;
	};
	return JournalDisk.open({ disk, directory, ...doors, fileBytes: 8192, onFailure });
}

diskContract('journal over native', async () => {
	const directory = await mkdtemp(join(tmpdir(), 'millrace-journal-'));
	const doors = { clock: new NativeClock(), random: new NativeRandom() };
	const disk = await journaled(new NativeDisk(), directory, doors);
	return {
		disk,
		otherDisk: new NativeDisk(),
		directory,
		dispose: async () => {
			await disk.close();
			await rm(directory, { recursive: true, force: true });
		},
	};
});

for (const seed of [1, 2])
	diskContract(`journal over simulated, seed ${seed}`, async () => {
		const world = new World(seed);
		world.scheduler.runFree();
		const machine = world.machine('a');
		const doors = machine.start();
		return {
			disk: await journaled(doors.disk, '/data', doors),
			otherDisk: machine.start().disk,
			directory: '/data',
			dispose: async () => {},
		};
	});
