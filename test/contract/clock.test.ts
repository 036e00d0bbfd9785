import { NativeClock } from '../../native-free-io/index.js';
import { HostClock } from '../../src/host/host-clock.js';
import { World } from '../simulation/world.js';
import { clockContract } from './clock.js';

clockContract('native', () => new NativeClock());

clockContract('of a host, native', () => new HostClock(new NativeClock(), 7));

for (const rate of [1, 1.01])
	clockContract(`simulated, rate ${rate}`, () => {
		const world = new World(1);
		world.scheduler.runFree();
		const machine = world.machine('a');
		machine.clock.rate = rate;
		return machine.start().clock;
	});
