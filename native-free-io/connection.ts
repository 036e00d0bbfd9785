import net from 'node:net';
import tls from 'node:tls';
import { assert } from '../src/assert.js';
import { Unavailable } from '../src/errors.js';
import type { Address, Connection, ConnectionHandler } from '../src/io.js';

/** What Node is given to read into when the handler has no place; nothing looks at it. */
const scratch = new Uint8Array(1);
const nothing = new Uint8Array(0);

/** How long a silent connection waits before TCP asks whether the other end is still there. */
export const keepAliveDelayMs = 10_000;

/** Where a socket has its connection. */
const connectionOf = Symbol('connection');

interface OwnedSocket extends net.Socket {
	[connectionOf]?: NativeConnection;
}

/** Of an accepted socket. Asked for when somebody wants to know: Node keeps what it finds out. */
export function remoteOf({ remoteAddress, remotePort }: net.Socket): string {
	return remoteAddress === undefined ? 'somebody gone' : `${remoteAddress}:${remotePort}`;
}

// Listeners of all sockets: there may be thousands.

function failed(this: OwnedSocket, error: Error): void {
	this[connectionOf]!.close(error);
}

/** Whoever ended its side is gone: nothing here goes on in one direction only. */
function over(this: OwnedSocket): void {
	this[connectionOf]!.close();
}

function gone(this: OwnedSocket): void {
	this[connectionOf]!.ended();
}

/** What dialled and accepted connections have in common: all but the reading. */
abstract class NativeConnection implements Connection {
	protected readonly socket: net.Socket;
	/** Null until `open` or `accept` has returned it. */
	protected handler: ConnectionHandler | null = null;
	protected paused = false;
	#reason: Error | null = null;
	#closing = false;
	#ended = false;
	/** `done` of each writev under way. Writes complete in order, so one function serves them all and
	 * takes the next from here: no closure per writev, none per slice. */
	readonly #done: (() => void)[] = [];
	#doneFirst = 0;
	readonly #written: (error?: Error | null) => void;
	/** Called when nothing is left of it. */
	whenClosed: ((connection: this) => void) | null = null;

	constructor(socket: OwnedSocket) {
		this.socket = socket;
		this.#written = (error) => {
			// A lost connection reports its writes at 'close', all of them and in order.
			if (error || this.#closing || socket.destroyed) return;
			this.#reportOne();
		};
		socket[connectionOf] = this;
		socket.on('error', failed);
		socket.on('end', over);
		socket.on('close', gone);
	}

	abstract get remote(): string;

	writev(slices: readonly Uint8Array[], done: () => void): void {
		if (this.#ended) {
			process.nextTick(done);
			return;
		}
		this.#done.push(done);
		if (this.#closing) return;
		const last = slices.length - 1;
		const { socket } = this;
		if (last < 1) {
			socket.write(last < 0 ? nothing : slices[0]!, this.#written);
			return;
		}
		socket.cork();
		for (let i = 0; i < last; i++) socket.write(slices[i]!);
		socket.write(slices[last]!, this.#written);
		socket.uncork();
	}

	pause(): void {
		this.paused = true;
		this.socket.pause();
	}

	resume(): void {
		this.paused = false;
		if (!this.#closing) this.socket.resume();
	}

	close(reason?: Error): void {
		if (this.#closing) return;
		this.#closing = true;
		this.#reason = reason ?? null;
		this.socket.destroy();
	}

	protected get closing(): boolean {
		return this.#closing;
	}

	/** Of who dials: makes its handler, and has `connect` call back when the socket stands. */
	protected begin(
		timeoutMs: number,
		open: (connection: Connection) => ConnectionHandler,
		connect: (opened: () => void) => void,
	): void {
		const { socket } = this;
		// A socket that doesn't connect yet refuses writes; corked it keeps those that `open` makes.
		socket.cork();
		try {
			this.handler = open(this);
			if (this.closing) return;
			const timer = setTimeout(() => {
				this.close(new Unavailable(`${this.remote} did not answer within ${timeoutMs} ms`));
			}, timeoutMs);
			socket.once('close', () => clearTimeout(timer));
			// Not among the options: only the constructor looks there, and `connect` passes over them.
			socket.setNoDelay(true).setKeepAlive(true, keepAliveDelayMs);
			connect(() => {
				clearTimeout(timer);
				if (!this.closing) this.opened();
			});
			socket.uncork();
		} catch (error) {
			this.close(error as Error);
		}
	}

	/** A handler that throws loses this connection; the others know nothing of it. */
	protected opened(): void {
		try {
			this.handler!.opened();
		} catch (error) {
			this.close(error as Error);
		}
	}

	/** Null when the handler threw: the connection is closed then. */
	protected space(): Uint8Array | null {
		try {
			const space = this.handler!.space();
			assert(space.byteLength > 0, 'space() is at least one byte long');
			return space;
		} catch (error) {
			this.close(error as Error);
			return null;
		}
	}

	protected received(bytes: number): void {
		try {
			this.handler!.received(bytes);
		} catch (error) {
			this.close(error as Error);
		}
	}

	#reportOne(): void {
		const done = this.#done[this.#doneFirst]!;
		this.#doneFirst++;
		if (this.#doneFirst === this.#done.length) {
			this.#done.length = 0;
			this.#doneFirst = 0;
		} else if (this.#doneFirst === 1_024) {
			this.#done.splice(0, this.#doneFirst);
			this.#doneFirst = 0;
		}
		try {
			done();
		} catch (error) {
			this.#reason ??= error as Error;
			this.close(this.#reason);
		}
	}

	/** The socket is closed. */
	ended(): void {
		this.#closing = true;
		this.#ended = true;
		while (this.#done.length > 0) this.#reportOne();
		this.handler?.closed(this.#reason);
		this.whenClosed?.(this);
	}
}

/** Node reads into the handler's memory itself: `onread`. */
export abstract class DirectConnection extends NativeConnection {
	/** Given to Node and not filled yet. Node asks again when it tries the next address of a name. */
	#reserved: Uint8Array | null = null;

	protected place(): Uint8Array {
		if (this.closing) return scratch;
		this.#reserved ??= this.space();
		return this.#reserved ?? scratch;
	}

	/** @returns whether to read on */
	protected filled(bytes: number): boolean {
		if (this.closing) return false;
		this.#reserved = null;
		this.received(bytes);
		return !this.paused;
	}
}

export class DialledConnection extends DirectConnection {
	readonly remote: string;

	constructor(
		address: Address,
		timeoutMs: number,
		open: (connection: Connection) => ConnectionHandler,
	) {
		const onread: net.OnReadOpts = {
			// Only called once the socket connects.
			buffer: () => this.place(),
			callback: (bytes) => this.filled(bytes),
		};
		// The type of the options leaves `onread` out.
		super(new net.Socket({ onread } as net.SocketConstructorOpts));
		const { host, port } = address;
		this.remote = `${host}:${port}`;
		this.begin(timeoutMs, open, (opened) => this.socket.connect({ host, port }, opened));
	}
}

/** Node reads into memory of its own, garbage afterwards; from there each piece is copied to where the handler wants it. */
abstract class CopyingConnection extends NativeConnection {
	/** What a pause in the middle of a chunk left over. */
	#rest: Uint8Array = nothing;
	#delivering = false;

	protected read(): void {
		this.socket.on('data', (chunk: Buffer) => {
			this.#rest = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
			this.#deliver();
		});
	}

	override resume(): void {
		this.paused = false;
		if (this.#rest.byteLength === 0) super.resume();
		// Never from within `resume`, and the rest before anything newer: only then does the socket go on.
		else if (!this.#delivering) process.nextTick(() => this.#deliver());
	}

	#deliver(): void {
		if (this.#delivering) return;
		this.#delivering = true;
		while (this.#rest.byteLength > 0 && !this.paused && !this.closing) {
			const space = this.space();
			if (space === null) break;
			const bytes = Math.min(space.byteLength, this.#rest.byteLength);
			space.set(bytes === this.#rest.byteLength ? this.#rest : this.#rest.subarray(0, bytes));
			this.#rest = this.#rest.subarray(bytes);
			this.received(bytes);
		}
		this.#delivering = false;
		if (this.#rest.byteLength === 0 && !this.paused && this.socket.isPaused()) super.resume();
	}
}

export class AcceptedConnection extends CopyingConnection {
	readonly isClientOnly: boolean;
	readonly commonName: string | null | undefined;

	/** `shown`: what the certificate of the other end says. */
	constructor(
		socket: net.Socket,
		accept: (connection: Connection) => ConnectionHandler,
		shown?: Required<Pick<Connection, 'isClientOnly' | 'commonName'>>,
	) {
		super(socket);
		this.isClientOnly = shown?.isClientOnly ?? false;
		this.commonName = shown?.commonName;
		try {
			this.handler = accept(this);
		} catch (error) {
			this.close(error as Error);
			return;
		}
		if (this.closing) return;
		this.opened();
		this.read();
	}

	get remote(): string {
		return remoteOf(this.socket);
	}
}

/** Of TLS: a socket with `onread` would go on delivering what it has decrypted when it is paused. */
export class DialledTlsConnection extends CopyingConnection {
	readonly remote: string;

	constructor(
		address: Address,
		timeoutMs: number,
		open: (connection: Connection) => ConnectionHandler,
		secureContext: tls.SecureContext,
	) {
		const { host, port } = address;
		super(tls.connect({ host, port, secureContext }));
		this.remote = `${host}:${port}`;
		this.begin(timeoutMs, open, (opened) => {
			this.socket.once('secureConnect', () => {
				opened();
				this.read();
			});
		});
	}
}
