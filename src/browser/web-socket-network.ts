import { BadOption, ProtocolError, Unavailable } from '../errors.js';
import type { Address, Clock, Connection, ConnectionHandler, Listener, Network } from '../io.js';
import { Inbox } from '../transport/inbox.js';
import { Outbox } from '../transport/outbox.js';
import type {
	CloseLike,
	ErrorLike,
	MessageLike,
	WebSocketConstructor,
	WebSocketLike,
} from './web-socket.js';

const PATH = '/v1/stream';
const SUBPROTOCOL = 'millrace.v1';
/** Handed to the WebSocket and not on the wire yet; the rest waits where it lies. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Nobody tells when something has left: so often it is looked at. */
const LOOK_MS = 4;
/** What may come while nobody wants it. Then the connection is given up, which is told to who wants more. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const CONNECT_MS = 5000;
/** RFC 6455, section 7.4.1. */
const ORDERED_CODES: readonly number[] = [1000, 1001, 1005];
/** Of a subprotocol: RFC 6455, section 4.1. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

export interface WebSocketNetworkOptions {
	readonly clock: Clock;
	readonly WebSocket: WebSocketConstructor;
	/** Shown to every gateway. Default: none. */
	readonly token?: string;
}

/** Connections over WebSockets to gateways. Nobody listens here. */
export class WebSocketNetwork implements Network {
	readonly #options: WebSocketNetworkOptions;
	readonly #protocols: readonly string[];

	constructor(options: WebSocketNetworkOptions) {
		this.#options = options;
		const { token } = options;
		this.#protocols = token === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, protocolOfToken(token)];
	}

	listen(): Promise<Listener> {
		return Promise.reject(new BadOption('nobody can listen for WebSockets here'));
	}

	dial(address: Address, open: (connection: Connection) => ConnectionHandler): Connection {
		const { clock, WebSocket } = this.#options;
		const host = address.host.includes(':') ? `[${address.host}]` : address.host;
		const url = address.url ?? `ws://${host}:${address.port}${PATH}`;
		const remote = `${address.host}:${address.port}`;
		const make = () => new WebSocket(url, [...this.#protocols]);
		return new WebSocketConnection(clock, remote, make, open);
	}
}

/** A token as a subprotocol: a browser can't set other headers. */
function protocolOfToken(token: string): string {
	if (TOKEN.test(token)) return `bearer.${token}`;
	const letters = new TextEncoder().encode(token);
	const text = btoa(String.fromCharCode(...letters));
	return `bearer64.${text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`;
}

/**
 * A dialled WebSocket: its messages are pieces of one stream of bytes, each way.
 *
 * A browser's can't be told to stop reading. What comes while nobody wants it waits, up to a bound; beyond it the connection is
 * closed, and that is told once somebody wants to go on: a tail then continues on another one, and asks for no more meanwhile.
 */
class WebSocketConnection implements Connection {
	readonly remote: string;
	readonly #clock: Clock;
	readonly #handler: ConnectionHandler | null = null;
	readonly #inbox: Inbox;
	readonly #outbox: Outbox;
	#socket: WebSocketLike | null = null;
	#isOpen = false;
	#isPaused = false;
	#isClosing = false;
	#isEnded = false;
	#waitingBytes = 0;
	/** What an error said that came before the end. */
	#fault = '';
	/** Tells of an end that came while nobody wanted more. */
	#heldEnd: (() => void) | null = null;
	#isLookArmed = false;

	constructor(
		clock: Clock,
		remote: string,
		make: () => WebSocketLike,
		open: (connection: Connection) => ConnectionHandler,
	) {
		this.#clock = clock;
		this.remote = remote;
		this.#inbox = new Inbox(clock, {
			mayWait: (bytes) => this.#mayWait(bytes),
			released: (bytes) => {
				this.#waitingBytes -= bytes;
			},
			broken: (error) => this.#finish(error),
		});
		this.#outbox = new Outbox(this.#wire(), BUFFERED_BYTES_MAX);
		try {
			this.#handler = open(this);
			this.#inbox.handler = this.#handler;
			if (!this.#isClosing) this.#connect(make);
		} catch (error) {
			this.close(error as Error);
		}
	}

	#wire() {
		const socket = () => this.#socket!;
		const isOpen = () => this.#isOpen && !this.#isClosing;
		return {
			send: (message: Uint8Array) => {
				if (isOpen()) socket().send(message as Uint8Array<ArrayBuffer>);
			},
			together: (send: () => void) => send(),
			failed: (error: Error) => this.close(error),
			get bufferedBytes() {
				return isOpen() ? socket().bufferedAmount : Number.POSITIVE_INFINITY;
			},
		};
	}

	#connect(make: () => WebSocketLike): void {
		const socket = make();
		this.#socket = socket;
		socket.binaryType = 'arraybuffer';
		const timer = this.#clock.after(CONNECT_MS, () => {
			this.close(new Unavailable(`${this.remote} did not answer within ${CONNECT_MS} ms`));
		});
		socket.onopen = () => {
			timer.cancel();
			this.#opened();
		};
		socket.onmessage = ({ data }: MessageLike) => this.#message(data);
		socket.onerror = ({ message }: ErrorLike) => {
			this.#fault = message ?? '';
		};
		socket.onclose = (event: CloseLike) => {
			timer.cancel();
			this.#lost(event);
		};
	}

	#opened(): void {
		if (this.#isClosing) return;
		this.#isOpen = true;
		try {
			this.#handler!.opened();
		} catch (error) {
			return this.close(error as Error);
		}
		this.#look();
	}

	#message(data: unknown): void {
		if (this.#isClosing) return;
		if (data instanceof ArrayBuffer) this.#inbox.take(new Uint8Array(data));
		else this.close(new ProtocolError(`${this.remote} sent text`));
	}

	#mayWait(bytes: number): boolean {
		this.#waitingBytes += bytes;
		if (this.#waitingBytes <= WAITING_BYTES_MAX) return true;
		this.#waitingBytes -= bytes;
		return false;
	}

	/** In the order it came: what waits to be handed over first. */
	#lost({ code, reason }: CloseLike): void {
		const isOrdered = this.#isOpen && ORDERED_CODES.includes(code);
		const what = this.#isOpen ? 'the WebSocket was closed' : 'no WebSocket was made';
		const why = [`${what} (${code})`, reason, this.#fault].filter((text) => text !== '');
		const end = () => this.#finish(isOrdered ? null : new Unavailable(why.join(': ')));
		if (this.#inbox.isEmpty) end();
		else this.#clock.endOfTurn(end);
	}

	writev(slices: readonly Uint8Array[], done: () => void): void {
		if (this.#isEnded) return this.#clock.endOfTurn(done);
		this.#outbox.write(slices, done);
		this.#arm();
	}

	/** Sends on and reports, as far as there is something to do. */
	#look(): void {
		if (this.#isClosing) return;
		this.#outbox.pump();
		this.#outbox.report();
		this.#arm();
	}

	#arm(): void {
		if (this.#isLookArmed || !this.#isOpen || this.#isClosing) return;
		const { hasReports, isEmpty } = this.#outbox;
		if (isEmpty && !hasReports) return;
		this.#isLookArmed = true;
		const look = () => {
			this.#isLookArmed = false;
			this.#look();
		};
		// What has been sent is reported at once, what couldn't be is tried again later.
		if (hasReports) this.#clock.endOfTurn(look);
		else this.#clock.after(LOOK_MS, look);
	}

	pause(): void {
		this.#isPaused = true;
		this.#inbox.pause();
	}

	resume(): void {
		this.#isPaused = false;
		this.#inbox.resume();
		const end = this.#heldEnd;
		this.#heldEnd = null;
		if (end !== null) this.#clock.endOfTurn(end);
	}

	close(reason?: Error): void {
		// An end that wasn't told yet is told now.
		if (this.#heldEnd !== null) this.resume();
		this.#finish(reason ?? null, false);
	}

	/** Nothing is handed over any more. Whoever doesn't want more for now isn't told before he does. */
	#finish(reason: Error | null, mayWait = true): void {
		if (this.#isClosing) return;
		this.#isClosing = true;
		this.#inbox.end();
		this.#disconnect();
		const end = () => {
			this.#isEnded = true;
			this.#outbox.end();
			this.#handler?.closed(reason);
		};
		if (mayWait && this.#isPaused) this.#heldEnd = end;
		else this.#clock.endOfTurn(end);
	}

	#disconnect(): void {
		const socket = this.#socket;
		if (socket === null) return;
		socket.onopen = socket.onmessage = socket.onclose = null;
		// That of `ws` throws if nobody listens.
		socket.onerror = () => {};
		socket.close();
	}
}
