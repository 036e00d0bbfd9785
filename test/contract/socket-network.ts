import { NativeClock, NativeNetwork } from '../../native-free-io/index.js';
import { Budget } from '../../src/gateway/budget.js';
import { listen } from '../../src/gateway/listen.js';
import { SocketDoor } from '../../src/gateway/socket-door.js';
import { loadUws } from '../../src/gateway/uws.js';
import type { Address, Connection, ConnectionHandler, Listener, Network } from '../../src/io.js';
import { freePorts } from '../replica/ports.js';

const MIB = 1024 * 1024;

/** The WebSockets of a gateway without one: whoever comes is accepted. */
export class SocketNetwork implements Network {
	async listen(
		{ host, port }: Address,
		accept: (connection: Connection) => ConnectionHandler,
	): Promise<Listener> {
		const uws = await loadUws();
		const app = uws.App();
		const door = new SocketDoor(app, {
			clock: new NativeClock(),
			budget: new Budget(256 * MIB),
			connectionBytesMax: 64 * MIB,
			takeMs: 60_000,
			admitSocket: () => 'admin',
			accept,
			ended: () => {},
		});
		// One that the system chose can't be had again for a while.
		const [own] = port === 0 ? await freePorts(1) : [port];
		const listening = await listen(uws, app, new NativeNetwork(), { host, port: own! });
		let isClosed = false;
		return {
			address: { host, port: listening.port },
			close: async () => {
				if (isClosed) return;
				isClosed = true;
				listening.close();
				door.close();
			},
		};
	}

	dial(): Connection {
		throw new Error('nobody dials from here');
	}
}
