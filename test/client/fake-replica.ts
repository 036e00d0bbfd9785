import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	batchCount,
	batchIsRegistered,
	batchKind,
	batchSequence,
	batchSession,
	batchWaits,
	finishBatch,
	stampBatch,
} from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
	messageLength,
	readMessage,
	writeMessage,
} from '../../src/format/message.js';
import { SlabPool } from '../../src/format/slab.js';
import type { Address, Connection, ConnectionHandler, Listener } from '../../src/io.js';
import { clusterNumber, PROTOCOL_VERSION, Purpose, readHello } from '../../src/transport/hello.js';
import { Outbound } from '../../src/transport/outbound.js';
import { StagingReceiver } from '../../src/transport/staging-receiver.js';
import { listening } from './networks.js';

const encoder = new TextEncoder();
const GROUP = 1;

/** So many were registered with all of them. */
let sessions = 0;

/** A proposal as it came. */
export interface Proposed {
	readonly session: number;
	readonly sequence: number;
	/** For how many before it the client waits; -1: its session was never registered. */
	readonly waits: number;
	readonly entries: readonly string[];
}

/** What a scripted replica does; what is left out does nothing. */
export interface Script {
	/** What it says to who looks for the leader; default `'leader'`. */
	readonly role?: 'leader' | 'follower';
	hello?(guest: Guest): void;
	/** A session is asked for; default: it gets one. */
	register?(guest: Guest): void;
	batch?(guest: Guest, proposed: Proposed): void;
	message?(guest: Guest, message: MessageNumbers, body: Uint8Array): void;
}

/** A replica that listens, says hello, and from there on does what its script says. */
export class FakeReplica {
	readonly id: number;
	readonly address: Address;
	readonly #listener: Listener;
	readonly #script: { current: Script };
	/** Every connection that said hello. */
	readonly guests: Guest[];

	private constructor(
		id: number,
		listener: Listener,
		script: { current: Script },
		guests: Guest[],
	) {
		this.id = id;
		this.#listener = listener;
		this.address = listener.address;
		this.#script = script;
		this.guests = guests;
	}

	static async listen(id: number, script: Script, port = 0): Promise<FakeReplica> {
		const guests: Guest[] = [];
		const current = { current: script };
		const listener = await listening().listen(
			{ host: '127.0.0.1', port },
			(connection) => new Guest(id, connection, current, guests).handler,
		);
		return new FakeReplica(id, listener, current, guests);
	}

	set script(script: Script) {
		this.#script.current = script;
	}

	get peer(): string {
		return `${this.address.host}:${this.address.port}`;
	}

	close(): Promise<void> {
		return this.#listener.close();
	}
}

/** One connection of a client, on the replica's side. */
export class Guest {
	readonly handler: ConnectionHandler;
	readonly connection: Connection;
	readonly outbound: Outbound;
	readonly #id: number;
	readonly #pool = new SlabPool(256 * 1024, 64);
	isOpen = true;

	constructor(id: number, connection: Connection, script: { current: Script }, guests: Guest[]) {
		this.#id = id;
		this.connection = connection;
		this.outbound = new Outbound(connection);
		let isKnown = false;
		const receiver = new StagingReceiver(
			{
				batch: (memory, offset, length) => {
					if (batchKind(memory, offset) === BatchKind.session) this.#register(script.current);
					else script.current.batch?.(this, readBatch(memory, offset, length));
					return true;
				},
				message: (memory, offset) => {
					if (!isKnown) {
						const expected = { cluster: clusterNumber('millrace'), group: GROUP, id };
						const hello = readHello(memory, offset, expected);
						if (typeof hello === 'string') {
							this.goodbye(hello);
							return true;
						}
						isKnown = true;
						guests.push(this);
						if (script.current.hello === undefined) this.hello(id);
						else script.current.hello(this);
						return true;
					}
					const message = emptyMessage(0);
					readMessage(memory, offset, message);
					const isSought =
						message.kind === MessageFrameKind.statusRequest && message.hintIndex === 1;
					if (isSought) this.tellRole(script.current.role ?? 'leader');
					else script.current.message?.(this, message, messageBody(memory, offset).slice());
					return true;
				},
				readDone: () => {},
				broken: (reason) => this.goodbye(reason),
			},
			8 * 1024 * 1024,
		);
		this.handler = {
			opened: () => {},
			space: () => receiver.space(),
			received: (bytes) => receiver.received(bytes),
			closed: () => {
				this.isOpen = false;
			},
		};
	}

	#register(script: Script): void {
		if (script.register !== undefined) return script.register(this);
		sessions += 1;
		this.accept(0, sessions);
	}

	/** Says what it is. */
	tellRole(role: string): void {
		const id = this.#id;
		const names = ['leader', 'term', 'first', 'last', 'persisted', 'committed', 'applied'];
		const numbers = Object.fromEntries(names.map((name) => [name, 1]));
		this.send(
			MessageFrameKind.statusReply,
			{},
			JSON.stringify({ id, role, stopped: null, ...numbers }),
		);
	}

	send(
		kind: number,
		numbers: Partial<MessageNumbers>,
		body: string | Uint8Array | null = null,
		protocol = PROTOCOL_VERSION,
	): void {
		const bytes = typeof body === 'string' ? encoder.encode(body) : body;
		const message = { ...emptyMessage(kind), group: GROUP, ...numbers };
		const version = kind === MessageFrameKind.hello ? protocol : 0;
		const memory = new Memory(messageLength(bytes?.length ?? 0));
		writeMessage(memory, 0, message, 0, bytes, version);
		this.raw(memory.bytes);
	}

	hello(from: number): void {
		const context = clusterNumber('millrace');
		this.send(MessageFrameKind.hello, { from, context, hintIndex: Purpose.client });
	}

	goodbye(reason: string): void {
		this.send(MessageFrameKind.goodbye, {}, reason);
		setImmediate(() => this.connection.close());
	}

	accept(sequence: number, index: number, term = 1): void {
		this.send(MessageFrameKind.proposeReply, { context: sequence, index, term });
	}

	refuse(sequence: number, code: number, leader = 0, reason = 'no'): void {
		const numbers = { context: sequence, rejected: true, hintIndex: code, hintTerm: leader };
		this.send(MessageFrameKind.proposeReply, numbers, reason);
	}

	/** Sends a committed batch. */
	batch(index: number, entries: readonly string[], kind: BatchKind = BatchKind.entries): void {
		const slab = this.#pool.acquire()!;
		const length = writeBatch(slab, index, entries, kind);
		this.outbound.frames(slab, 0, length);
		slab.release();
		this.outbound.flush();
	}

	raw(bytes: Uint8Array): void {
		this.connection.writev([bytes], () => {});
	}
}

export function writeBatch(
	memory: Memory,
	index: number,
	entries: readonly string[],
	kind: BatchKind = BatchKind.entries,
): number {
	const ends = new Uint32Array(entries.length);
	let payloadBytes = 0;
	entries.forEach((entry, i) => {
		const bytes = encoder.encode(entry);
		memory.bytes.set(bytes, BATCH_PAYLOAD_OFFSET + payloadBytes);
		payloadBytes += bytes.length;
		ends[i] = payloadBytes;
	});
	const label = { group: GROUP, session: 0, sequence: 0, kind };
	const length = finishBatch(memory, 0, payloadBytes, ends, entries.length, label);
	stampBatch(memory, 0, 1, index, 0, 1_000);
	return length;
}

function readBatch(memory: Memory, offset: number, length: number): Proposed {
	const view = new BatchView().moveTo(memory, offset, length);
	const decoder = new TextDecoder();
	const entries = Array.from({ length: batchCount(memory, offset) }, (_, i) =>
		decoder.decode(view.entry(i)),
	);
	if (batchKind(memory, offset) !== BatchKind.entries) throw new Error('a client sends entries');
	return {
		session: batchSession(memory, offset),
		sequence: batchSequence(memory, offset),
		waits: batchIsRegistered(memory, offset) ? batchWaits(memory, offset) : -1,
		entries,
	};
}

/** The replicated log of a fake cluster: takes each sequence of each session once, in order. */
export class FakeLog {
	readonly entries: string[] = [];
	readonly #sessions = new Map<number, { sequence: number; index: number }>();

	/** @returns the index, or 0 if it was there, or -1 for a gap */
	append(proposed: Proposed): number {
		const session = this.#sessions.get(proposed.session) ?? { sequence: 0, index: 0 };
		if (proposed.session !== 0) {
			if (proposed.sequence <= session.sequence) return 0;
			if (proposed.sequence !== session.sequence + 1) return -1;
			this.#sessions.set(proposed.session, { sequence: proposed.sequence, index: 0 });
		}
		this.entries.push(...proposed.entries);
		return this.entries.length - proposed.entries.length + 1;
	}

	/** What a leader does with this log. */
	get leading(): Script {
		return {
			batch: (guest, proposed) => {
				const index = this.append(proposed);
				if (index < 0) guest.refuse(proposed.sequence, 2, 0, 'a gap in the session');
				else guest.accept(proposed.sequence, index);
			},
		};
	}
}

/** Refuses everything in the name of another leader. */
export function following(leader: number): Script {
	return {
		role: 'follower',
		register: (guest) => guest.refuse(0, 1, leader, 'not the leader'),
		batch: (guest, proposed) => guest.refuse(proposed.sequence, 1, leader, 'not the leader'),
		message: (guest, message) => {
			const numbers = { context: message.context, rejected: true, hintIndex: 1, hintTerm: leader };
			guest.send(MessageFrameKind.readReply, numbers, 'not the leader');
		},
	};
}
