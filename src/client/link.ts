import { Forbidden, ProtocolError, Unavailable } from '../errors.js';
import { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
	readMessage,
} from '../format/message.js';
import type { Address, Connection, ConnectionHandler, Timer } from '../io.js';
import { HELLO_BYTES, Purpose, readHello, writeHello } from '../transport/hello.js';
import { Outbound } from '../transport/outbound.js';
import { Rejection } from '../transport/rejection.js';
import { StagingReceiver } from '../transport/staging-receiver.js';
import type { Environment } from './environment.js';

/** The longest frame that is taken from a replica. Memory grows with what arrives, not with this. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const HELLO_TIMEOUT_MS = 2_000;

export interface LinkEvents {
	/** The other end is the replica it should be. */
	ready(link: Link): void;
	/** A message that has passed the door, and where it lies; both are valid until this returns. */
	message(message: MessageNumbers, memory: Memory, offset: number): void;
	/** A batch that has passed the door. `false` = not now: again after `Link.resume`. */
	batch(memory: Memory, offset: number, length: number): boolean;
	/** Something that was sent has left. */
	written(): void;
	/** The connection is gone, and not because of `close`. Called once, and nothing after it. `Forbidden`: this client wasn't let in. */
	lost(reason: Error): void;
}

/** One connection to one replica, from its dialling to its loss. */
export class Link {
	/** 0 until whoever is there has said hello, if anybody is welcome. */
	replica: number;
	/** When the last bytes came. */
	heardAt: number;
	/** The version of the protocol that is spoken; 0 before the other end has said hello. */
	protocol = 0;
	/** The number of the last recovery by force in the replica's log; 0 = none. */
	recovery = 0;
	readonly #environment: Environment;
	readonly #events: LinkEvents;
	readonly #address: Address;
	readonly #connection: Connection;
	readonly #receiver: StagingReceiver;
	readonly #message: MessageNumbers = emptyMessage(0);
	readonly #helloTimer: Timer;
	#outbound: Outbound | null = null;
	#isReady = false;
	#isClosed = false;

	constructor(environment: Environment, replica: number, events: LinkEvents) {
		this.#environment = environment;
		this.replica = replica;
		this.#events = events;
		this.heardAt = environment.clock.now();
		this.#receiver = new StagingReceiver(
			{
				batch: (memory, offset, length) => this.#batch(memory, offset, length),
				message: (memory, offset) => this.#received(memory, offset),
				readDone: () => {},
				broken: (reason) => this.#fail(new ProtocolError(`${this.#name} sent ${reason}`)),
			},
			FRAME_BYTES_MAX,
		);
		this.#address = environment.addressOf(replica);
		this.#connection = environment.network.dial(this.#address, (connection) =>
			this.#open(connection),
		);
		this.#helloTimer = environment.clock.after(HELLO_TIMEOUT_MS, () => {
			this.#fail(new Unavailable(`${this.#name} did not say hello in time`));
		});
	}

	/** The other end has said hello. */
	get isReady(): boolean {
		return this.#isReady;
	}

	get outbound(): Outbound {
		return this.#outbound!;
	}

	get #name(): string {
		const { host, port } = this.#address;
		return `replica ${this.replica} (${host}:${port})`;
	}

	/** Nothing more is reported. */
	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#helloTimer.cancel();
		this.#receiver.close();
		this.#outbound?.close();
		this.#connection.close();
	}

	/** Stops reading. */
	pause(): void {
		this.#connection.pause();
	}

	/** Hands over what was refused, and reads on unless `pause` is called meanwhile. */
	resume(): void {
		this.#connection.resume();
		this.#receiver.retry();
	}

	#open(connection: Connection): ConnectionHandler {
		const hello = new Memory(HELLO_BYTES);
		writeHello(hello, 0, {
			purpose: Purpose.client,
			cluster: this.#environment.cluster,
			group: this.#environment.group,
			from: 0,
			to: 0,
			life: 0,
		});
		connection.writev([hello.bytes], () => {});
		this.#outbound = new Outbound(connection);
		this.#outbound.onDone = () => this.#events.written();
		return {
			opened: () => {},
			space: () => this.#receiver.space(),
			received: (bytes) => {
				this.heardAt = this.#environment.clock.now();
				this.#receiver.received(bytes);
			},
			closed: (reason) => {
				const why = reason === null ? 'it closed the connection' : reason.message;
				this.#leftWith(why, reason instanceof Forbidden);
			},
		};
	}

	#batch(memory: Memory, offset: number, length: number): boolean {
		if (this.#isReady) return this.#events.batch(memory, offset, length);
		this.#fail(new ProtocolError(`${this.#name} sent a batch before its hello`));
		return true;
	}

	#received(memory: Memory, offset: number): boolean {
		readMessage(memory, offset, this.#message);
		if (this.#message.kind === MessageFrameKind.goodbye) {
			const why = new TextDecoder().decode(messageBody(memory, offset));
			this.#leftWith(why, this.#message.hintIndex === Rejection.forbidden);
		} else if (this.#isReady) {
			this.#events.message(this.#message, memory, offset);
		} else {
			this.#hello(memory, offset);
		}
		return true;
	}

	/** The other end lets go. Who was let in has another reason to come again. */
	#leftWith(why: string, isRefused: boolean): void {
		const Reason = isRefused && !this.#isReady ? Forbidden : Unavailable;
		this.#fail(new Reason(`${this.#name}: ${why}`));
	}

	#hello(memory: Memory, offset: number): void {
		const { cluster, group } = this.#environment;
		const hello = readHello(memory, offset, { cluster, group, id: 0 });
		if (typeof hello === 'string') {
			this.#fail(new ProtocolError(`${this.#name}: ${hello}`));
		} else if (this.replica !== 0 && hello.from !== this.replica) {
			this.#fail(new ProtocolError(`${this.#name}: it is replica ${hello.from}`));
		} else {
			this.#isReady = true;
			this.replica = hello.from;
			this.protocol = hello.protocol;
			this.recovery = hello.recovery;
			this.#helloTimer.cancel();
			this.#events.ready(this);
		}
	}

	#fail(reason: Error): void {
		if (this.#isClosed) return;
		this.close();
		this.#events.lost(reason);
	}
}
