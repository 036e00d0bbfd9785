import { afterAll, beforeAll, describe } from 'vitest';
import WebSocket from 'ws';
import type { Body } from '../../examples/maelstrom/messages.js';
import { MaelstromNetwork } from '../../examples/maelstrom/network.js';
import { NativeClock, NativeNetwork, TlsNetwork } from '../../native-free-io/index.js';
import { WebSocketNetwork } from '../../src/browser/web-socket-network.js';
import { MuxNetwork } from '../../src/host/mux-network.js';
import type { Clock, Network } from '../../src/io.js';
import { unavailable } from '../gateway/gateways.js';
import { TestCertificates } from '../native-free-io/certificates.js';
import { World } from '../simulation/world.js';
import { networkContract } from './network.js';
import { SocketNetwork } from './socket-network.js';

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
/** The streams of one group of a host. */
function streamsOver(network: Network, clock: Clock): Network {
	const log = () => {};
	const options = { network, clock, cluster: 1, silenceMs: 1000, strangersMax: 16, log };
	return new MuxNetwork(options).forGroup(7);
}

networkContract('streams over native', () => {
	const own = () => streamsOver(new NativeNetwork(), new NativeClock());
	return { listening: own(), dialling: own(), host: '127.0.0.1' };
});

for (const seed of [1, 2])
	networkContract(`streams over simulated, seed ${seed}`, () => {
		const world = new World(seed);
		world.scheduler.runFree();
		const own = (name: string) => {
			const doors = world.machine(name).start();
			return streamsOver(doors.network, doors.clock);
		};
		return { listening: own('a'), dialling: own('b'), host: 'a' };
	});

describe.skipIf(unavailable !== null)('WebSockets', () => {
	networkContract('between a gateway and ws', () => ({
		listening: new SocketNetwork(),
		dialling: new WebSocketNetwork({ clock: new NativeClock(), WebSocket }),
		host: '127.0.0.1',
	}));
});
