import { ProtocolError, Unavailable } from '../errors.js';
import type { Clock, Connection, ConnectionHandler, Timer } from '../io.js';
import { MUX_HEAD_BYTES, type MuxHead, MuxKind, readMuxHead } from './mux-frames.js';
import { MuxStream, STREAM_WINDOW_BYTES, type StreamCarrier } from './mux-stream.js';
import { MuxPieces, MuxWrite } from './mux-write.js';

/** Handed to the real connection and not done: then it must take some before it gets more. */
const IN_FLIGHT_BYTES_MAX = 4 * 1024 * 1024;
/** A stream gets this much before the next one has its turn. */
const TURN_BYTES = 128 * 1024;
const RECEIVE_BYTES = 256 * 1024;
const STREAMS_MAX = 65_536;
/** Signs of life in the time after which a link without any is given up. */
const SIGNS = 4;

export interface LinkEvents {
	/** Of a link that was dialled into: who takes a stream to this group; null if it isn't here. */
	accept(group: number): ((connection: Connection) => ConnectionHandler) | null;
	/** It has no streams any more. */
	empty(): void;
	closed(): void;
	log(line: string): void;
}

/** The streams of two hosts on one connection, from the moment at which both have said hello. */
export class MuxLink implements StreamCarrier {
	readonly clock: Clock;
	readonly #connection: Connection;
	readonly #events: LinkEvents;
	readonly #isDialled: boolean;
	readonly #silenceMs: number;
	readonly #streams = new Map<number, MuxStream>();
	#lastStream = 0;
	/** Hellos have been said. */
	#stands = false;
	/** Heads to be sent before all data. */
	readonly #heads: (MuxHead & { readonly kind: MuxKind })[] = [];
	readonly #pieces = new MuxPieces();
	/** Who wants to send, in the order of their turns. */
	readonly #ready = new Set<MuxStream>();
	#inFlightBytes = 0;
	#isFlushDue = false;
	#buffer = new Uint8Array(RECEIVE_BYTES);
	#end = 0;
	readonly #head: MuxHead = { kind: 0, stream: 0, value: 0 };
	/** Of the data frame that is being received: what is to come, and whose it is (null: a stream that is gone). */
	#dataLeft = 0;
	#dataStream: MuxStream | null = null;
	#timer: Timer | null = null;
	#hasSent = false;
	#silentSigns = 0;
	#isClosing = false;
	#isClosed = false;

	/** For metrics. */
	readonly counters = { writes: 0, frames: 0 };

	constructor(
		clock: Clock,
		connection: Connection,
		events: LinkEvents,
		isDialled: boolean,
		silenceMs: number,
	) {
		this.clock = clock;
		this.#connection = connection;
		this.#events = events;
		this.#isDialled = isDialled;
		this.#silenceMs = silenceMs;
		this.#watch();
	}

	get remote(): string {
		return this.#connection.remote;
	}

	/** Begins a stream to a group of the other host. */
	open(group: number, make: (connection: Connection) => ConnectionHandler): Connection {
		this.#lastStream += 1;
		const stream = new MuxStream(this.#lastStream, this);
		this.#streams.set(stream.number, stream);
		this.#say(MuxKind.open, stream.number, group);
		stream.begin(make);
		return stream;
	}

	stands(): void {
		this.#stands = true;
		this.#flushSoon();
	}

	// ---- For streams

	wants(stream: MuxStream): void {
		this.#ready.add(stream);
		this.#flushSoon();
	}

	credit(stream: MuxStream, bytes: number): void {
		this.#say(MuxKind.credit, stream.number, bytes);
	}

	ended(stream: MuxStream): void {
		if (this.#drop(stream.number)) this.#say(MuxKind.end, stream.number, 0);
	}

	// ---- Sending

	#say(kind: MuxKind, stream: number, value: number): void {
		this.#heads.push({ kind, stream, value });
		this.#flushSoon();
	}

	/** At the end of the turn, so that all that is said in it leaves in one write. */
	#flushSoon(): void {
		if (this.#isFlushDue || !this.#stands || this.#isClosed) return;
		this.#isFlushDue = true;
		this.clock.endOfTurn(() => {
			this.#isFlushDue = false;
			this.#flush();
		});
	}

	#flush(): void {
		if (this.#isClosed || this.#inFlightBytes >= IN_FLIGHT_BYTES_MAX) return;
		const write = new MuxWrite(this.#pieces);
		for (const { kind, stream, value } of this.#heads) write.head(kind, stream, value);
		this.#heads.length = 0;
		const parts: { stream: MuxStream; done: (() => void)[] }[] = [];
		for (const stream of this.#ready) {
			if (this.#inFlightBytes + write.bytes >= IN_FLIGHT_BYTES_MAX) break;
			this.#ready.delete(stream);
			const bytes = stream.sendable(TURN_BYTES);
			if (bytes > 0) write.head(MuxKind.data, stream.number, bytes);
			parts.push({ stream, done: stream.take(bytes, write) });
			// To the end of those that wait: it comes to it again in this very loop, behind all others.
			if (stream.hasMore) this.#ready.add(stream);
		}
		if (write.bytes > 0 || parts.length > 0) this.#write(write, parts);
	}

	#write(write: MuxWrite, parts: readonly { stream: MuxStream; done: (() => void)[] }[]): void {
		const { bytes } = write;
		this.#inFlightBytes += bytes;
		this.#hasSent = true;
		this.counters.writes += 1;
		this.counters.frames += parts.length;
		this.#connection.writev(write.slices(), () => {
			this.#inFlightBytes -= bytes;
			write.done();
			for (const { stream, done } of parts) stream.sent(done);
			if (this.#ready.size > 0 || this.#heads.length > 0) this.#flushSoon();
		});
	}

	// ---- Receiving

	space(): Uint8Array {
		return this.#buffer.subarray(this.#end);
	}

	received(bytes: number): void {
		this.#silentSigns = 0;
		const end = this.#end + bytes;
		let at = 0;
		while (!this.#isClosed) {
			if (this.#dataLeft > 0) {
				const part = this.#buffer.subarray(at, Math.min(end, at + this.#dataLeft));
				if (part.byteLength === 0) break;
				at += part.byteLength;
				this.#dataLeft -= part.byteLength;
				const isGranted = this.#dataStream?.received(part) ?? true;
				if (!isGranted) this.#break('more than was granted');
			} else {
				if (end - at < MUX_HEAD_BYTES) break;
				this.#read(at);
				at += MUX_HEAD_BYTES;
			}
		}
		this.#buffer.copyWithin(0, at, end);
		this.#end = end - at;
	}

	#read(at: number): void {
		const head = this.#head;
		if (!readMuxHead(this.#buffer, at, head)) return this.#break('no frame of a host');
		if (head.kind === MuxKind.ping) return;
		if (head.kind === MuxKind.open) return this.#accept(head.stream, head.value);
		if (head.stream === 0 || head.stream > this.#lastStream) {
			return this.#break(`stream ${head.stream} was never opened`);
		}
		const stream = this.#streams.get(head.stream) ?? null;
		if (head.kind === MuxKind.data) {
			if (head.value > STREAM_WINDOW_BYTES) return this.#break('more than was granted');
			this.#dataLeft = head.value;
			this.#dataStream = stream;
		} else if (stream === null) {
			// It has ended here, and the other end doesn't know yet.
		} else if (head.kind === MuxKind.credit) {
			if (!stream.granted(head.value)) return this.#break('more credit than there is');
			stream.opened();
		} else {
			this.#drop(head.stream);
			if (head.kind === MuxKind.end) stream.endedThere();
			else stream.lost(new Unavailable(`the group is not at ${this.remote}`));
		}
	}

	#accept(number: number, group: number): void {
		if (this.#isDialled || number !== this.#lastStream + 1) {
			return this.#break('a stream that may not be opened');
		}
		if (this.#streams.size >= STREAMS_MAX) return this.#break('too many streams');
		this.#lastStream = number;
		const accept = this.#events.accept(group);
		if (accept === null) return this.#say(MuxKind.refuse, number, 0);
		const stream = new MuxStream(number, this);
		this.#streams.set(number, stream);
		this.#say(MuxKind.credit, number, STREAM_WINDOW_BYTES);
		stream.granted(STREAM_WINDOW_BYTES);
		stream.begin(accept);
		stream.opened();
	}

	// ---- Ending

	/** @returns whether it was there */
	#drop(number: number): boolean {
		const wasThere = this.#streams.delete(number);
		if (wasThere && this.#streams.size === 0) this.#events.empty();
		return wasThere;
	}

	get isEmpty(): boolean {
		return this.#streams.size === 0;
	}

	#break(reason: string): void {
		this.#events.log(`connection of hosts with ${this.remote} closed: ${reason}`);
		this.close(new ProtocolError(reason));
	}

	/** No new streams: it is gone, or will be. */
	get isClosing(): boolean {
		return this.#isClosing;
	}

	close(reason?: Error): void {
		this.#isClosing = true;
		this.#connection.close(reason);
	}

	/** The real connection is gone, and all streams with it. */
	closed(reason: Error | null): void {
		if (this.#isClosed) return;
		this.#isClosing = this.#isClosed = true;
		this.#timer?.cancel();
		const streams = [...this.#streams.values()];
		this.#streams.clear();
		for (const stream of streams) stream.lost(reason ?? stream.whyUnopened);
		this.#events.closed();
	}

	/** A connection on which nothing comes is as good as lost, and one that has nothing to say says that it lives. */
	#watch(): void {
		this.#timer = this.clock.after(this.#silenceMs / SIGNS, () => {
			// Who was held up first reads what came meanwhile.
			this.clock.afterPendingIo(() => {
				if (this.#isClosed) return;
				this.#silentSigns += 1;
				if (this.#silentSigns > SIGNS) return this.close(new Unavailable('it is silent'));
				if (!this.#hasSent && this.#stands) this.#say(MuxKind.ping, 0, 0);
				this.#hasSent = false;
				this.#watch();
			});
		});
	}
}
