import type { Connection, ConnectionHandler } from '../io.js';
import type { Permission } from '../replica/permission.js';
import { SocketConnection, type SocketNeeds } from './socket-connection.js';
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t } from './uws.js';

/** Where WebSockets are made, and what they speak: the frames of a replica's own port, as a stream. */
export const SOCKET_PATH = '/v1/stream';
export const SUBPROTOCOL = 'millrace.v1';

/** No frame of a client is longer, so none needs a longer message. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** Who is silent is asked whether it is there (a ping); who doesn't answer is gone after so long. */
const IDLE_SECONDS = 60;

export interface SocketHost extends SocketNeeds {
	/** @returns what the caller may do, or null if it was refused, and told so */
	admitSocket(response: HttpResponse, request: HttpRequest): Permission | null;
	accept(connection: Connection, permission: Permission): ConnectionHandler;
	/** A WebSocket is gone. */
	ended(): void;
}

interface Visitor {
	readonly permission: Permission;
	connection: SocketConnection | null;
}

/** The WebSockets of a gateway. */
export class SocketDoor {
	readonly #host: SocketHost;
	readonly #connections = new Set<SocketConnection>();

	constructor(app: TemplatedApp, host: SocketHost) {
		this.#host = host;
		app.ws<Visitor>(SOCKET_PATH, {
			maxPayloadLength: MESSAGE_BYTES_MAX,
			idleTimeout: IDLE_SECONDS,
			// What waits is counted before it is sent: this is never reached.
			maxBackpressure: 4 * MESSAGE_BYTES_MAX,
			upgrade: (response, request, context) => this.#upgrade(response, request, context),
			open: (socket) => {
				const visitor = socket.getUserData();
				const connection = new SocketConnection(host, socket);
				visitor.connection = connection;
				this.#connections.add(connection);
				connection.begin((own) => host.accept(own, visitor.permission));
			},
			message: (socket, message, isBinary) => {
				socket.getUserData().connection!.message(message, isBinary);
			},
			drain: (socket) => socket.getUserData().connection!.drained(),
			close: (socket, code) => {
				const connection = socket.getUserData().connection!;
				this.#connections.delete(connection);
				host.ended();
				connection.lost(code);
			},
		});
	}

	get count(): number {
		return this.#connections.size;
	}

	tick(now: number): void {
		for (const connection of this.#connections) connection.tick(now);
	}

	close(): void {
		for (const connection of [...this.#connections]) connection.leave();
	}

	#upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
		// Read before anything is answered: then the request is gone.
		const key = request.getHeader('sec-websocket-key');
		const extensions = request.getHeader('sec-websocket-extensions');
		const permission = this.#host.admitSocket(response, request);
		if (permission === null) return;
		// The token stands beside it in what was asked for, and isn't repeated.
		const visitor: Visitor = { permission, connection: null };
		response.upgrade(visitor, key, SUBPROTOCOL, extensions, context);
	}
}

/** What the header `Sec-WebSocket-Protocol` asks for. */
export interface Asked {
	readonly isOurs: boolean;
	/** Null without one. */
	readonly token: string | null;
}

/** A browser can't set other headers: a token comes as another subprotocol, `bearer.` and the token, or, as a subprotocol has not
 * all characters that a token may have, `bearer64.` and its base64url. */
export function readProtocols(header: string): Asked {
	const protocols = header.split(',').map((protocol) => protocol.trim());
	const plain = protocols.find((protocol) => protocol.startsWith('bearer.'));
	const coded = protocols.find((protocol) => protocol.startsWith('bearer64.'));
	let token: string | null = null;
	if (plain !== undefined) token = plain.slice('bearer.'.length);
	else if (coded !== undefined) {
		token = Buffer.from(coded.slice('bearer64.'.length), 'base64url').toString();
	}
	return { isOurs: protocols.includes(SUBPROTOCOL), token };
}
