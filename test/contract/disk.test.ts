import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeDisk } from '../../native-free-io/index.js';
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
