import { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind, messageLength, writeMessage } from '../format/message.js';
import type { Connection, ConnectionHandler } from '../io.js';
import type { Permission } from '../replica/permission.js';
import { Rejection } from '../transport/rejection.js';
import { SocketConnection, type SocketNeeds } from './socket-connection.js';
import type {
	HttpRequest,
	HttpResponse,
	TemplatedApp,
	us_socket_context_t,
	WebSocket,
} from './uws.js';

/** Where WebSockets are made, and what they speak: the frames of a replica's own port, as a stream. */
export const SOCKET_PATH = '/v1/stream';
export const SUBPROTOCOL = 'millrace.v1';

/** No frame of a client is longer, so none needs a longer message. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** Who is silent is asked whether it is there (a ping); who doesn't answer is gone after so long. */
const IDLE_SECONDS = 60;

export interface SocketHost extends SocketNeeds {
	/** `mayTell`: there is room to tell a stranger on a WebSocket, and no other way to tell a page.
	 * @returns what the caller may do; 'nothing' of who has shown no token that is known, and is to be told so; null if he was
	 * refused, and told so */
	admitSocket(
		response: HttpResponse,
		request: HttpRequest,
		mayTell: boolean,
	): Permission | 'nothing' | null;
	accept(connection: Connection, permission: Permission): ConnectionHandler;
	/** A WebSocket is gone. */
	ended(): void;
}

interface Visitor {
	readonly permission: Permission | 'nothing';
	/** Null of who may do nothing. */
	connection: SocketConnection | null;
}

/** A page doesn't learn why no WebSocket was made. So strangers get one, on which they are told, and nothing that they say is looked at.
 * They have so many looks at the clock, of which there is one a second, to go by themselves, and then they are cut off: they are counted until
 * then, which a socket that is closed with a code isn't, however long its other end keeps it. Of a message that is coming
 * uWebSockets.js holds up to MESSAGE_BYTES_MAX: so that is 32 MiB at most. */
const STRANGERS_MAX = 32;
const STRANGER_TICKS = 2;

/** The WebSockets of a gateway. */
export class SocketDoor {
	readonly #host: SocketHost;
	readonly #goodbye = goodbye();
	readonly #connections = new Set<SocketConnection>();
	/** They have been told, and haven't gone yet: how many looks at the clock they have left. */
	readonly #strangers = new Map<WebSocket<Visitor>, number>();

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
				const { permission } = visitor;
				if (permission === 'nothing') return this.#turnAway(socket);
				const connection = new SocketConnection(host, socket);
				visitor.connection = connection;
				this.#connections.add(connection);
				connection.begin((own) => host.accept(own, permission));
			},
			message: (socket, message, isBinary) => {
				socket.getUserData().connection?.message(message, isBinary);
			},
			drain: (socket) => socket.getUserData().connection?.drained(),
			close: (socket, code) => {
				const { connection } = socket.getUserData();
				host.ended();
				this.#strangers.delete(socket);
				if (connection === null) return;
				this.#connections.delete(connection);
				connection.lost(code);
			},
		});
	}

	get count(): number {
		return this.#connections.size;
	}

	tick(now: number): void {
		for (const connection of this.#connections) connection.tick(now);
		for (const [stranger, ticks] of this.#strangers) {
			if (ticks === 0) stranger.close();
			else this.#strangers.set(stranger, ticks - 1);
		}
	}

	close(): void {
		for (const connection of [...this.#connections]) connection.leave();
		for (const stranger of [...this.#strangers.keys()]) stranger.close();
	}

	#turnAway(socket: WebSocket<Visitor>): void {
		this.#strangers.set(socket, STRANGER_TICKS);
		socket.send(this.#goodbye, true);
	}

	#upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
		// Read before anything is answered: then the request is gone.
		const key = request.getHeader('sec-websocket-key');
		const extensions = request.getHeader('sec-websocket-extensions');
		const mayTell = this.#strangers.size < STRANGERS_MAX;
		const permission = this.#host.admitSocket(response, request, mayTell);
		if (permission === null) return;
		// The token stands beside it in what was asked for, and isn't repeated.
		const visitor: Visitor = { permission, connection: null };
		response.upgrade(visitor, key, SUBPROTOCOL, extensions, context);
	}
}

/** What a stranger is told: the same, whatever he has shown. */
function goodbye(): Uint8Array {
	const body = new TextEncoder().encode('no token that is known here was shown');
	const memory = new Memory(messageLength(body.length));
	const message = emptyMessage(MessageFrameKind.goodbye);
	message.hintIndex = Rejection.forbidden;
	writeMessage(memory, 0, message, 0, body);
	return memory.bytes;
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
