import { ProtocolError } from '../errors.js';
import type { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind } from '../format/message.js';
import type { Clock, Connection, ConnectionHandler, Timer } from '../io.js';
import { type Greeting, type Hello, helloNumbers, Purpose, readHello } from '../transport/hello.js';
import { Outbound } from '../transport/outbound.js';
import { Rejection } from '../transport/rejection.js';
import { type StagedFrames, StagingReceiver } from '../transport/staging-receiver.js';
import type { Versions } from '../transport/versions.js';
import { withoutRole } from './client-roles.js';
import type { Tell } from './events.js';
import type { Permission } from './permission.js';

/** How long a stranger may be silent, and how long a goodbye may take. */
const HELLO_MS = 5000;
const GOODBYE_MS = 1000;

/** Who speaks on an accepted connection once its hello was good. `message` and `batch` return false for "not now". */
export interface Guest {
	batch(memory: Memory, offset: number, length: number): boolean;
	message(memory: Memory, offset: number): boolean;
	/** A read has been handed over. */
	readDone(): void;
	/** The connection is gone. */
	closed(): void;
}

export interface Host {
	readonly cluster: number;
	readonly group: number;
	readonly id: number;
	readonly life: number;
	/** The number of the last recovery by force in its log; 0 = none. */
	readonly recovery: number;
	readonly versions: Versions;
	readonly frameBytesMax: number;
	readonly connectionsMax: number;
	readonly clock: Clock;
	/** Connections that have not said hello yet, oldest first. */
	readonly strangers: Set<Incoming>;
	readonly clients: Set<Incoming>;
	/** Why a replica must go; null if it may stay. */
	refusal(hello: Greeting): string | null;
	/** A replica wants to hear what this one has to say. */
	welcomePeer(hello: Greeting, outbound: Outbound, incoming: Incoming): Guest;
	welcomeClient(
		hello: Greeting,
		outbound: Outbound,
		incoming: Incoming,
		permission: Permission,
	): Guest;
	readonly tell: Tell;
}

/** What a guest may do with its own connection. */
export interface Incoming {
	pause(): void;
	/** Reads on; what was refused is handed over again first. */
	resume(): void;
	close(reason: string): void;
}

/** One accepted connection: first a hello, then whatever its purpose is. Anything else closes it, with a reason. */
export class Accepted implements ConnectionHandler, StagedFrames, Incoming {
	readonly #host: Host;
	readonly #connection: Connection;
	readonly #permission: Permission | null;
	readonly #outbound: Outbound;
	readonly #receiver: StagingReceiver;
	#guest: Guest | null = null;
	#isPaused = false;
	#isClosed = false;
	/** Ends a silence, then the wait for a goodbye to be sent. */
	#timer: Timer | null = null;

	/** `permission`: what it may do as a client; null: it mustn't come as one. */
	constructor(host: Host, connection: Connection, permission: Permission | null) {
		this.#host = host;
		this.#connection = connection;
		this.#permission = permission;
		this.#outbound = new Outbound(connection);
		this.#receiver = new StagingReceiver(this, host.frameBytesMax);
	}

	opened(): void {
		const { strangers, connectionsMax, clock } = this.#host;
		// The newest may be the one that will say hello; who has been silent for longest goes.
		const [oldest] = strangers;
		if (oldest !== undefined && strangers.size >= connectionsMax) {
			oldest.close('too many connections have not said hello');
		}
		strangers.add(this);
		this.#timer = clock.after(HELLO_MS, () => this.close(`no hello within ${HELLO_MS} ms`));
	}

	#forget(): void {
		this.#timer?.cancel();
		this.#timer = null;
		this.#host.strangers.delete(this);
		this.#host.clients.delete(this);
	}

	space(): Uint8Array {
		return this.#receiver.space();
	}

	received(bytes: number): void {
		this.#receiver.received(bytes);
	}

	lent(bytes: Uint8Array): number {
		return this.#receiver.lent(bytes);
	}

	closed(_reason: Error | null): void {
		this.#isClosed = true;
		this.#forget();
		this.#receiver.close();
		this.#outbound.close();
		this.#dismiss();
	}

	#dismiss(): void {
		const guest = this.#guest;
		this.#guest = null;
		guest?.closed();
	}

	batch(memory: Memory, offset: number, length: number): boolean {
		if (this.#guest !== null) return this.#taken(this.#guest.batch(memory, offset, length));
		this.close('the first frame is not a hello');
		return true;
	}

	message(memory: Memory, offset: number): boolean {
		if (this.#guest !== null) return this.#taken(this.#guest.message(memory, offset));
		const hello = readHello(memory, offset, this.#host);
		if (typeof hello === 'string') this.close(hello);
		else this.#welcome(hello);
		return true;
	}

	#welcome(hello: Greeting): void {
		const refusal = hello.purpose === Purpose.peer ? this.#refusal(hello) : this.#clientRefusal();
		const isForbidden = hello.purpose === Purpose.client && this.#permission === null;
		if (refusal !== null) return this.close(refusal, isForbidden ? Rejection.forbidden : 0);
		const { clients } = this.#host;
		this.#forget();
		if (hello.purpose === Purpose.client) clients.add(this);
		const { versions, cluster, group, id, life, recovery } = this.#host;
		const own: Hello = { ...hello, cluster, group, from: id, to: hello.from, life, recovery };
		const reply = helloNumbers(own, versions);
		this.#outbound.message(reply, 0, null, versions.protocol.highest);
		this.#outbound.flush();
		this.#guest =
			hello.purpose === Purpose.peer
				? this.#host.welcomePeer(hello, this.#outbound, this)
				: this.#host.welcomeClient(hello, this.#outbound, this, this.#permission!);
	}

	#clientRefusal(): string | null {
		const { clients, connectionsMax } = this.#host;
		if (this.#permission === null) return withoutRole(this.#connection);
		return clients.size < connectionsMax ? null : `there are ${connectionsMax} clients already`;
	}

	#refusal(hello: Greeting): string | null {
		if (this.#connection.isClientOnly === true)
			return 'it comes as a client: its certificate is a client’s, or it came by the gateway';
		return this.#host.refusal(hello);
	}

	#taken(isTaken: boolean): boolean {
		if (!isTaken) this.pause();
		return isTaken;
	}

	readDone(): void {
		this.#guest?.readDone();
	}

	broken(reason: string): void {
		this.close(reason);
	}

	pause(): void {
		if (this.#isPaused || this.#isClosed) return;
		this.#isPaused = true;
		this.#connection.pause();
	}

	resume(): void {
		if (!this.#isPaused || this.#isClosed) return;
		this.#isPaused = false;
		this.#receiver.retry();
		if (!this.#isPaused && !this.#isClosed) this.#connection.resume();
	}

	/** Says goodbye with the reason, then closes. `code`: a `Rejection`, for who is told more than words; or 0. */
	close(reason: string, code = 0): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		const { remote } = this.#connection;
		const line = `connection from ${remote} closed: ${reason}`;
		this.#host.tell(line, 'connection-closed', { remote, why: reason });
		this.#receiver.close();
		this.#forget();
		const closeNow = () => this.#connection.close(new ProtocolError(reason));
		this.#timer = this.#host.clock.after(GOODBYE_MS, closeNow);
		const goodbye = emptyMessage(MessageFrameKind.goodbye);
		goodbye.group = this.#host.group;
		goodbye.from = this.#host.id;
		goodbye.hintIndex = code;
		const why = new TextEncoder().encode(reason);
		// What the guest still has to say may not follow the goodbye.
		if (!this.#outbound.end(goodbye, why, closeNow)) closeNow();
		this.#dismiss();
	}
}
