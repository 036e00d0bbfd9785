import net from 'node:net';
import type { Connection, ConnectionHandler } from '../src/io.js';
import { DirectConnection, remoteOf } from './connection.js';

/** What Node keeps to itself in a socket that a server has accepted. */
interface OwnedSocket extends net.Socket {
	_handle?: object | null;
	/** Counts the socket among its connections until it is destroyed. */
	_server?: net.Server | null;
}

/** Where Node puts the first byte of whoever it is: it asks before there can be a handler. */
const first = new Uint8Array(1);

/**
 * Node's servers know no `onread`: what their sockets read is in a new 64 KiB of memory each time, and a client that sends
 * 150 MB a second makes V8 collect the whole heap every 60 ms for it. So the connection is moved to a socket that has it, with
 * what `net.Server` itself uses to make one.
 * @returns null if this Node isn't built like that
 */
function moved(
	accepted: OwnedSocket,
	server: net.Server,
	onread: net.OnReadOpts,
): net.Socket | null {
	const handle = accepted._handle;
	if (!handle || accepted._server !== server) return null;
	const socket: OwnedSocket = new net.Socket({ handle, onread } as net.SocketConstructorOpts);
	if (socket._handle !== handle) return null;
	accepted._handle = null;
	accepted._server = null;
	socket._server = server;
	return socket;
}

/** What a listener has accepted, reading into the handler's memory. */
export class AcceptedDirectConnection extends DirectConnection {
	#hasFirst = false;

	private constructor(socket: net.Socket, accept: (connection: Connection) => ConnectionHandler) {
		super(socket);
		try {
			this.handler = accept(this);
		} catch (error) {
			this.close(error as Error);
			return;
		}
		if (!this.closing) this.opened();
	}

	get remote(): string {
		return remoteOf(this.socket);
	}

	/** @returns null where Node can't; the socket is as it was then */
	static take(
		accepted: net.Socket,
		server: net.Server,
		accept: (connection: Connection) => ConnectionHandler,
	): AcceptedDirectConnection | null {
		let connection: AcceptedDirectConnection | null = null;
		const socket = moved(accepted, server, {
			buffer: () => (connection === null ? first : connection.place()),
			callback: (bytes) => connection!.filled(bytes),
		});
		if (socket === null) return null;
		connection = new AcceptedDirectConnection(socket, accept);
		return connection;
	}

	protected override filled(bytes: number): boolean {
		if (!this.#hasFirst) {
			this.#hasFirst = true;
			this.place()[0] = first[0]!;
		}
		return super.filled(bytes);
	}
}
