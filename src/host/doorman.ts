import { ProtocolError } from '../errors.js';
import { FrameKind, FrameScanner } from '../format/frame-stream.js';
import { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	messageLength,
	readMessage,
	writeMessage,
} from '../format/message.js';
import type { Clock, Connection, ConnectionHandler, Timer } from '../io.js';
import { Purpose } from '../transport/hello.js';

/** How long a stranger may be silent. */
const HELLO_MS = 5000;
const HELLO_BYTES_MAX = 1024;

export interface Doors {
	readonly clock: Clock;
	/** Who has not said hello yet, oldest first; at most so many. */
	readonly strangers: Set<Doorman>;
	readonly strangersMax: number;
	/** Who takes connections to this group; null if it isn't here. */
	group(group: number): ((connection: Connection) => ConnectionHandler) | null;
	/** Who takes a host's connection, its hello included. */
	host(connection: Connection): ConnectionHandler;
	log(line: string): void;
}

/**
 * Reads the first frame of an accepted connection, which says whose it is, and hands the connection to them, with all
 * that has come: they find it as if they had accepted it.
 */
export class Doorman implements ConnectionHandler, Connection {
	readonly remote: string;
	readonly #doors: Doors;
	readonly #connection: Connection;
	#stage = new Memory(HELLO_BYTES_MAX);
	/** Of the stage. */
	#start = 0;
	#end = 0;
	#handler: ConnectionHandler | null = null;
	/** The next bytes are put into the stage. */
	#isStaged = true;
	/** The network has a place in the stage already, and will come back with it. */
	#isReserved = false;
	#isPaused = false;
	#isFeeding = false;
	#isRefused = false;
	#timer: Timer | null = null;

	constructor(doors: Doors, connection: Connection) {
		this.#doors = doors;
		this.#connection = connection;
		this.remote = connection.remote;
	}

	get isClientOnly(): boolean {
		return this.#connection.isClientOnly === true;
	}

	get commonName(): string | null | undefined {
		return this.#connection.commonName;
	}

	// ---- For the real connection

	opened(): void {
		const { strangers, strangersMax, clock } = this.#doors;
		const [oldest] = strangers;
		if (oldest !== undefined && strangers.size >= strangersMax) {
			oldest.refuse('too many connections have not said hello');
		}
		strangers.add(this);
		this.#timer = clock.after(HELLO_MS, () => this.refuse(`no hello within ${HELLO_MS} ms`));
	}

	space(): Uint8Array {
		this.#isStaged = this.#handler === null || this.#start < this.#end;
		if (!this.#isStaged) return this.#handler!.space();
		if (this.#end === this.#stage.size) this.#grow();
		this.#isReserved = true;
		return this.#stage.bytes.subarray(this.#end);
	}

	received(bytes: number): void {
		if (!this.#isStaged) return this.#handler!.received(bytes);
		this.#isReserved = false;
		this.#end += bytes;
		if (this.#handler !== null) return this.#feed();
		if (!this.#isRefused) this.#look();
	}

	closed(reason: Error | null): void {
		this.#forget();
		this.#handler?.closed(reason);
	}

	// ---- For who takes it

	writev(slices: readonly Uint8Array[], done: () => void): void {
		this.#connection.writev(slices, done);
	}

	pause(): void {
		this.#isPaused = true;
		this.#connection.pause();
	}

	resume(): void {
		this.#isPaused = false;
		if (this.#start === this.#end) this.#connection.resume();
		else if (!this.#isFeeding) this.#doors.clock.endOfTurn(() => this.#feed());
	}

	close(reason?: Error): void {
		this.#connection.close(reason);
	}

	// ----

	#look(): void {
		const scanner = new FrameScanner();
		const kind = scanner.scan(this.#stage, 0, this.#end, HELLO_BYTES_MAX);
		if (kind === FrameKind.incomplete) return;
		if (kind !== FrameKind.message) {
			return this.refuse(scanner.fault ?? 'the first frame is not a hello');
		}
		const message = emptyMessage(0);
		readMessage(this.#stage, 0, message);
		if (message.kind !== MessageFrameKind.hello)
			return this.refuse('the first frame is not a hello');
		const isHost = message.hintIndex === Purpose.host;
		if (isHost && this.isClientOnly) return this.refuse('its certificate is a client’s');
		const take = isHost
			? (connection: Connection) => this.#doors.host(connection)
			: this.#doors.group(message.group);
		if (take === null) return this.refuse(`group ${message.group} is not here`);
		this.#forget();
		this.#handler = take(this);
		this.#handler.opened();
		this.#feed();
	}

	/** Hands over what came with the hello. */
	#feed(): void {
		if (this.#isFeeding) return;
		this.#isFeeding = true;
		try {
			while (this.#start < this.#end && !this.#isPaused) {
				const space = this.#handler!.space();
				const part = this.#stage.bytes.subarray(
					this.#start,
					Math.min(this.#end, this.#start + space.byteLength),
				);
				space.set(part);
				this.#start += part.byteLength;
				this.#handler!.received(part.byteLength);
			}
		} catch (error) {
			this.#connection.close(error as Error);
		}
		this.#isFeeding = false;
		if (this.#start < this.#end || this.#isPaused) return;
		if (!this.#isReserved) this.#start = this.#end = 0;
		this.#connection.resume();
	}

	#grow(): void {
		const larger = new Memory(2 * this.#stage.size);
		larger.bytes.set(this.#stage.bytes);
		this.#stage = larger;
	}

	#forget(): void {
		this.#timer?.cancel();
		this.#doors.strangers.delete(this);
	}

	/** Says goodbye with the reason, then closes. */
	refuse(reason: string): void {
		if (this.#isRefused) return;
		this.#isRefused = true;
		this.#forget();
		this.#doors.log(`connection from ${this.remote} closed: ${reason}`);
		const body = new TextEncoder().encode(reason);
		const memory = new Memory(messageLength(body.length));
		writeMessage(memory, 0, emptyMessage(MessageFrameKind.goodbye), 0, body);
		const close = () => this.#connection.close(new ProtocolError(reason));
		const timer = this.#doors.clock.after(1000, close);
		this.#connection.writev([memory.bytes], () => {
			timer.cancel();
			close();
		});
	}
}
