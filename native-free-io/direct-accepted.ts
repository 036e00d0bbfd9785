import net from 'node:net';
import type { Connection, ConnectionHandler } from '../src/io.js';
import { DirectConnection } from './connection.js';

/** What Node keeps to itself in a socket that a server has accepted. */
interface OwnedSocket extends net.Socket {
	_handle?: object | null;
	/** Counts the socket among its connections until it is destroyed. */
	_server?: net.Server | null;
}

/** A socket with `onread`, whose functions are told later. */
interface DirectSocket {
	readonly socket: net.Socket;
	/** Where Node puts what it reads first: it asks before there can be a handler. One byte, since a handler's own place may be
	 * as short. */
	readonly first: Uint8Array;
	place: () => Uint8Array;
	filled: (bytes: number) => boolean;
}

/**
 * Node's servers know no `onread`: what their sockets read is in a new 64 KiB of memory each time, and a client that sends
 * 150 MB a second makes V8 collect the whole heap every 60 ms for it. So the connection is moved to a socket that has it, with
 * what `net.Server` itself uses to make one.
 * @returns null if this Node isn't built like that
 */
function directSocket(accepted: OwnedSocket, server: net.Server): DirectSocket | null {
	const handle = accepted._handle;
	if (!handle || accepted._server !== server) return null;
	const first = new Uint8Array(1);
	const onread: net.OnReadOpts = {
		buffer: () => direct.place(),
		callback: (bytes) => direct.filled(bytes),
	};
	const direct = { first, place: () => first, filled: () => false } as unknown as DirectSocket;
	const socket: OwnedSocket = new net.Socket({ handle, onread } as net.SocketConstructorOpts);
	if (socket._handle !== handle) return null;
	accepted._handle = null;
	accepted._server = null;
	socket._server = server;
	return Object.assign(direct, { socket });
}

/** What a listener has accepted, reading into the handler's memory. */
export class AcceptedDirectConnection extends DirectConnection {
	readonly remote: string;

	private constructor(direct: DirectSocket, accept: (connection: Connection) => ConnectionHandler) {
		super(direct.socket);
		const { remoteAddress, remotePort } = direct.socket;
		this.remote = `${remoteAddress}:${remotePort}`;
		direct.filled = (bytes) => this.#filledFirst(bytes, direct);
		try {
			this.handler = accept(this);
		} catch (error) {
			this.close(error as Error);
			return;
		}
		if (!this.closing) this.opened();
	}

	/** @returns null where Node can't; the socket is as it was then */
	static take(
		socket: net.Socket,
		server: net.Server,
		accept: (connection: Connection) => ConnectionHandler,
	): AcceptedDirectConnection | null {
		const direct = directSocket(socket, server);
		return direct && new AcceptedDirectConnection(direct, accept);
	}

	#filledFirst(bytes: number, direct: DirectSocket): boolean {
		direct.place = () => this.place();
		direct.filled = (filled) => this.filled(filled);
		this.place()[0] = direct.first[0]!;
		return this.filled(bytes);
	}
}
