import net from 'node:net';
import { AddressInUse } from '../src/errors.js';
import type { Address, Connection, ConnectionHandler, Listener, Network } from '../src/io.js';
import { AcceptedConnection, DialledConnection, keepAliveDelayMs } from './connection.js';
import { AcceptedDirectConnection } from './direct-accepted.js';

export interface NativeNetworkOptions {
	/** How long a dialled address may take to answer. */
	readonly connectTimeoutMs?: number;
}

/** `Network` on `node:net`. */
export class NativeNetwork implements Network {
	readonly #connectTimeoutMs: number;

	constructor(options: NativeNetworkOptions = {}) {
		this.#connectTimeoutMs = options.connectTimeoutMs ?? 2_000;
	}

	async listen(
		address: Address,
		accept: (connection: Connection) => ConnectionHandler,
	): Promise<Listener> {
		const server = net.createServer({
			noDelay: true,
			keepAlive: true,
			keepAliveInitialDelay: keepAliveDelayMs,
		});
		// Its 'connection' events come after this turn at the earliest.
		return new NativeListener(server, await openServer(server, address), accept);
	}

	dial(address: Address, open: (connection: Connection) => ConnectionHandler): Connection {
		return new DialledConnection(address, this.#connectTimeoutMs, open);
	}
}

/** Errors: `AddressInUse`, Node's own. @returns where it listens */
export function openServer(server: net.Server, { host, port }: Address): Promise<Address> {
	return new Promise((resolve, reject) => {
		const refuse = (error: NodeJS.ErrnoException): void => {
			reject(error.code === 'EADDRINUSE' ? new AddressInUse(host, port) : error);
		};
		server.once('error', refuse);
		server.listen({ host, port, exclusive: true }, () => {
			server.off('error', refuse);
			// One connection couldn't be accepted, for want of a descriptor say. Its dialler tries again.
			server.on('error', () => {});
			resolve({ host, port: (server.address() as net.AddressInfo).port });
		});
	});
}

class NativeListener implements Listener {
	readonly #server: net.Server;
	readonly address: Address;
	readonly #accepted = new Set<AcceptedConnection | AcceptedDirectConnection>();
	readonly #forget = (connection: AcceptedConnection | AcceptedDirectConnection) => {
		this.#accepted.delete(connection);
	};
	#closed: Promise<void> | null = null;

	constructor(
		server: net.Server,
		address: Address,
		accept: (connection: Connection) => ConnectionHandler,
	) {
		this.#server = server;
		this.address = address;
		server.on('connection', (socket) => {
			const connection =
				AcceptedDirectConnection.take(socket, server, accept) ??
				new AcceptedConnection(socket, accept);
			this.#accepted.add(connection);
			connection.whenClosed = this.#forget;
		});
	}

	close(): Promise<void> {
		this.#closed ??= new Promise((resolve) => {
			this.#server.close(() => resolve());
			for (const connection of this.#accepted) connection.close();
		});
		return this.#closed;
	}
}
