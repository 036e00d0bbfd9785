import { NativeNetwork } from '../../native-free-io/index.js';
import { World } from '../simulation/world.js';
import { networkContract } from './network.js';

networkContract('native', () => {
	const network = new NativeNetwork();
	return { listening: network, dialling: network, host: '127.0.0.1' };
});

for (const seed of [1, 2])
	networkContract(`simulated, seed ${seed}`, () => {
		const world = new World(seed);
		world.scheduler.runFree();
		return {
			listening: world.machine('a').start().network,
			dialling: world.machine('b').start().network,
			host: 'a',
		};
	});
