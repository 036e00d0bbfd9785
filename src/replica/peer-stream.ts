import { ProtocolError, Unavailable } from '../errors.js';
import {
	BatchKind,
	batchGroup,
	batchHeaderChecksum,
	batchIndex,
	batchKind,
	batchLastIndex,
	batchParent,
	batchTerm,
} from '../format/batch.js';
import { Memory } from '../format/memory.js';
import { MessageFrameKind, messageBatches, messageBody, readMessage } from '../format/message.js';
import type { Slab, SlabPool } from '../format/slab.js';
import type { Address, Clock, Connection, ConnectionHandler, Network, Random } from '../io.js';
import type { Limits } from '../limits.js';
import type { Probe } from '../profile/recorder.js';
import { Message, MessageKind } from '../raft/types.js';
import { type Hello, helloBytes, Purpose, readHello, writeHello } from '../transport/hello.js';
import { Redial } from '../transport/redial.js';
import { type SlabFrames, SlabReceiver } from '../transport/slab-receiver.js';
import type { Versions } from '../transport/versions.js';
import type { Tell } from './events.js';
import { NO_RECOVERIES, recoveryFault } from './forced-recovery.js';
import { type Members, membersOfBatch } from './members.js';

const EARLIER_LIFE = 'it is of an earlier life of that replica';

/** At most this many batches are given to the core in one step. */
export const BATCHES_PER_STEP_MAX = 256;

/** A part of an append that has arrived: its numbers, and its batches where they lie. */
export class ReceivedAppend {
	readonly message = new Message();
	/** So many of the slabs, offsets and lengths are its own; those behind them are an earlier append's. */
	count = 0;
	readonly slabs: Slab[] = [];
	readonly offsets: number[] = [];
	readonly lengths: number[] = [];
	/** Which of the batches say who belongs to the group, ascending. */
	readonly members: { readonly batch: number; readonly members: Members }[] = [];

	push(slab: Slab, offset: number, length: number): void {
		slab.retain();
		this.slabs[this.count] = slab;
		this.offsets[this.count] = offset;
		this.lengths[this.count] = length;
		this.count += 1;
	}

	/** Shortens no array: V8 would make its memory anew for the next append. */
	clear(): void {
		for (let i = 0; i < this.count; i++) this.slabs[i]!.release();
		this.count = 0;
		if (this.members.length > 0) this.members.length = 0;
	}
}

/** Who takes what a peer says. */
export interface PeerListener {
	/** A message without batches. */
	received(message: Message): void;
	/** An append, or the part of one that is here. The batches are held only during the call. */
	receivedAppend(append: ReceivedAppend): void;
	/** A range of a snapshot's file, or, without bytes, the offer of one. The bytes are held only during the call. */
	receivedChunk(message: Message, bytes: Uint8Array): void;
	/** The connection is gone. */
	streamLost(peer: number): void;
	readonly tell: Tell;
}

export interface PeerStreamOptions {
	readonly network: Network;
	readonly clock: Clock;
	readonly random: Random;
	readonly pool: SlabPool;
	readonly limits: Limits;
	readonly cluster: number;
	readonly group: number;
	/** This replica. */
	readonly id: number;
	readonly life: number;
	/** Recoveries by force that this replica's log has. Default: none. */
	readonly recoveries?: () => readonly number[];
	/** Where this replica listens. */
	readonly ownAddress: string;
	readonly versions?: Versions;
	readonly peer: number;
	/** Is it that life of the peer that has dialled in here? */
	readonly isPresent: (life: number) => boolean;
	readonly address: Address;
	readonly probe?: Probe;
}

/** Hears one other replica: dials it, again and again, and reads what it says. */
export class PeerStream {
	/** Replica id. */
	readonly peer: number;
	readonly address: Address;
	readonly #redial: Redial;
	#incoming: Incoming | null = null;
	readonly counters = { receivedBytes: 0, movedBytes: 0 };
	#lastFault = '';

	constructor(options: PeerStreamOptions, listener: PeerListener) {
		this.peer = options.peer;
		this.address = options.address;
		this.#redial = new Redial(options, options.address, (connection) => {
			const stream = new Incoming(options, listener, connection, this.counters);
			this.#incoming = stream;
			stream.onHello = () => this.#redial.succeeded();
			stream.onFault = (why) => {
				if (why !== this.#lastFault) {
					const { remote } = connection;
					const line = `connection to replica ${options.peer} at ${remote} closed: ${why}`;
					listener.tell(line, 'peer-unheard', { peer: options.peer, remote, why });
				}
				this.#lastFault = why;
			};
			return stream;
		});
	}

	/** The peer has dialled in. What an earlier life of it said, and what is still on its way from there, is void: it may
	 * have acknowledged what the present one has lost. */
	peerBegan(): void {
		this.#incoming?.dropIfPast();
	}

	/** There is a connection, and what comes on it is read. */
	get isReading(): boolean {
		return this.#incoming?.isReading ?? false;
	}

	/** Makes a new connection in place of this one, on which nothing comes. */
	redial(): void {
		this.#redial.again(new Unavailable('it is silent'));
	}

	close(): void {
		this.#redial.close();
	}
}

/** One connection of a `PeerStream`. */
class Incoming implements ConnectionHandler, SlabFrames {
	readonly #options: PeerStreamOptions;
	readonly #listener: PeerListener;
	readonly #connection: Connection;
	readonly #receiver: SlabReceiver;
	readonly #counters: { receivedBytes: number; movedBytes: number };
	readonly #message = new Message();
	#isGreeted = false;
	/** The peer's, as it greeted. */
	#life = 0;
	#isClosed = false;
	/** It stands, and what comes is read. */
	isReading = false;
	/** The append under way: batches of it that are still to come, and what the next one must continue. */
	readonly #append = new ReceivedAppend();
	#missing = 0;
	#expectedIndex = 0;
	#parent = -1;
	onHello: () => void = () => {};
	onFault: (why: string) => void = () => {};

	constructor(
		options: PeerStreamOptions,
		listener: PeerListener,
		connection: Connection,
		counters: { receivedBytes: number; movedBytes: number },
	) {
		this.#options = options;
		this.#listener = listener;
		this.#connection = connection;
		this.#counters = counters;
		const { slabBytes, batchBytes } = options.limits;
		this.#receiver = new SlabReceiver(options.pool, this, batchBytes, slabBytes / 2);
	}

	opened(): void {
		this.isReading = true;
		const { cluster, group, id, peer, life, ownAddress } = this.#options;
		const hello: Hello = {
			purpose: Purpose.peer,
			cluster,
			group,
			from: id,
			to: peer,
			life,
			recovery: this.#recoveries.at(-1) ?? 0,
			address: ownAddress,
		};
		const memory = new Memory(helloBytes(hello));
		writeHello(memory, 0, hello, this.#options.versions);
		this.#connection.writev([memory.bytes], () => {});
	}

	space(): Uint8Array {
		return this.#receiver.space();
	}

	received(bytes: number): void {
		this.#options.probe?.recorder?.received();
		this.#receiver.received(bytes);
		this.#counters.receivedBytes += bytes;
		this.#counters.movedBytes += this.#receiver.movedBytes;
		this.#receiver.movedBytes = 0;
	}

	dropIfPast(): void {
		const isPast = this.#isGreeted && !this.#options.isPresent(this.#life);
		if (isPast && !this.#isClosed) this.#break(EARLIER_LIFE);
	}

	closed(reason: Error | null): void {
		this.#isClosed = true;
		this.isReading = false;
		this.#append.clear();
		this.#receiver.close();
		if (reason !== null && this.#isGreeted) this.onFault(reason.message);
		this.#listener.streamLost(this.#options.peer);
	}

	pause(): void {
		this.isReading = false;
		this.#connection.pause();
	}

	resume(): void {
		this.isReading = true;
		this.#connection.resume();
	}

	later(callback: () => void): void {
		this.#options.clock.endOfTurn(callback);
	}

	broken(reason: string): void {
		this.onFault(reason);
		this.#connection.close(new ProtocolError(reason));
	}

	message(slab: Slab, offset: number, _length: number): void {
		readMessage(slab, offset, this.#message);
		const kind: number = this.#message.kind;
		if (kind === MessageFrameKind.goodbye) {
			return this.#break(`it says: ${new TextDecoder().decode(messageBody(slab, offset))}`);
		}
		if (!this.#isGreeted) return this.#greet(slab, offset);
		if (this.#missing > 0) return this.#break('a message within an append');
		const isChunk = kind === MessageFrameKind.snapshotChunk;
		if (kind < MessageFrameKind.append || (kind > MessageFrameKind.restResponse && !isChunk)) {
			return this.#break(`message kind ${kind} is not for a peer stream`);
		}
		if (this.#message.from !== this.#options.peer || this.#message.group !== this.#options.group) {
			return this.#break(`a message of replica ${this.#message.from}`);
		}
		if (isChunk) return this.#listener.receivedChunk(this.#message, messageBody(slab, offset));
		this.#missing = kind === MessageKind.append ? messageBatches(slab, offset) : 0;
		if (this.#missing === 0) return this.#listener.received(this.#message);
		Object.assign(this.#append.message, this.#message);
		this.#expectedIndex = this.#message.index + 1;
		this.#parent = -1;
	}

	get #recoveries(): readonly number[] {
		return this.#options.recoveries?.() ?? NO_RECOVERIES;
	}

	#greet(slab: Slab, offset: number): void {
		const hello = readHello(slab, offset, this.#options);
		if (typeof hello === 'string') return this.#break(hello);
		if (hello.from !== this.#options.peer)
			return this.#break(`replica ${hello.from} answers there`);
		if (!this.#options.isPresent(hello.life)) return this.#break(EARLIER_LIFE);
		const fault = recoveryFault(hello.recovery, this.#recoveries);
		if (fault !== null) return this.#break(fault);
		this.#isGreeted = true;
		this.#life = hello.life;
		this.onHello();
	}

	batch(slab: Slab, offset: number, length: number): void {
		if (this.#missing === 0) return this.#break('a batch outside of an append');
		const continues =
			batchIndex(slab, offset) === this.#expectedIndex &&
			batchGroup(slab, offset) === this.#options.group &&
			batchTerm(slab, offset) <= this.#append.message.term &&
			(this.#parent === -1 || batchParent(slab, offset) === this.#parent);
		if (!continues) return this.#break('a batch that does not continue its append');
		if (batchKind(slab, offset) === BatchKind.configuration && !this.#takeMembers(slab, offset)) {
			return this.#break('a configuration that makes no sense');
		}
		this.#append.push(slab, offset, length);
		this.#options.probe?.recorder?.validated(
			this.#expectedIndex,
			batchLastIndex(slab, offset),
			length,
		);
		this.#expectedIndex = batchLastIndex(slab, offset) + 1;
		this.#parent = batchHeaderChecksum(slab, offset);
		this.#missing -= 1;
		if (this.#missing === 0 || this.#append.count === BATCHES_PER_STEP_MAX) this.#deliver();
	}

	#takeMembers(slab: Slab, offset: number): boolean {
		const members = membersOfBatch(slab, offset);
		if (members !== null) this.#append.members.push({ batch: this.#append.count, members });
		return members !== null;
	}

	/** An append may be taken in parts: what is here is an append of its own, and the rest continues it. */
	readDone(): void {
		if (this.#append.count > 0) this.#deliver();
	}

	#deliver(): void {
		const append = this.#append;
		const last = append.count - 1;
		const lastTerm = batchTerm(append.slabs[last]!, append.offsets[last]!);
		try {
			this.#listener.receivedAppend(append);
		} finally {
			append.clear();
		}
		append.message.index = this.#expectedIndex - 1;
		append.message.logTerm = lastTerm;
	}

	#break(reason: string): void {
		this.#receiver.close();
		this.broken(reason);
	}
}
