import { afterAll, beforeAll } from 'vitest';
import type { Body } from '../../examples/maelstrom/messages.js';
import { MaelstromNetwork } from '../../examples/maelstrom/network.js';
import { NativeNetwork, TlsNetwork } from '../../native-free-io/index.js';
import { TestCertificates } from '../native-free-io/certificates.js';
import { World } from '../simulation/world.js';
import { networkContract } from './network.js';

networkContract('native', () => {
	const network = new NativeNetwork();
	return { listening: network, dialling: network, host: '127.0.0.1' };
});

const certificates = new TestCertificates();
beforeAll(() => certificates.make('a', ['replica-1']));
afterAll(() => certificates.remove());

networkContract('tls', () => {
	const network = new TlsNetwork(certificates.files('a', 'replica-1'));
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

networkContract('on messages, in the example for Maelstrom', () => {
	const networks = new Map<string, MaelstromNetwork>();
	let turn = 0;
	// No two messages in a row come in their order.
	const send = (src: string) => (dest: string, body: Body) => {
		const deliver = () => networks.get(dest)?.receive(src, body);
		turn += 1;
		if (turn % 2 === 0) setImmediate(deliver);
		else setTimeout(deliver, 1);
	};
	for (const node of ['n1', 'n2']) networks.set(node, new MaelstromNetwork(node, send(node)));
	return { listening: networks.get('n1')!, dialling: networks.get('n2')!, host: 'n1' };
});
