import { assert } from '../assert.js';
import { Unavailable } from '../errors.js';
import type { Clock, Connection, ConnectionHandler } from '../io.js';
import type { MuxWrite } from './mux-write.js';

/** So much of a stream may be on its way, or wait here for who doesn't read. */
export const STREAM_WINDOW_BYTES = 512 * 1024;

/** What a stream needs of the connection that it shares. */
export interface StreamCarrier {
	readonly remote: string;
	readonly clock: Clock;
	/** The stream has something to send. */
	wants(stream: MuxStream): void;
	/** So many bytes have been taken. */
	credit(stream: MuxStream, bytes: number): void;
	/** It is closed here. */
	ended(stream: MuxStream): void;
}

interface Write {
	readonly slices: readonly Uint8Array[];
	readonly done: () => void;
	/** The slice that is next, and how much of it is taken. */
	slice: number;
	taken: number;
}

/** One of many connections that share a real one. */
export class MuxStream implements Connection {
	readonly number: number;
	readonly #carrier: StreamCarrier;
	#handler: ConnectionHandler | null = null;
	#isOpen = false;
	/** Bytes that may be sent. */
	#credit = 0;
	readonly #writes: Write[] = [];
	/** Of the writes, not taken yet. */
	#queued = 0;
	/** Handed to the real connection, and not done. */
	#inFlight = 0;
	/** Bytes that the other end may still send. */
	#window = STREAM_WINDOW_BYTES;
	/** Taken by the handler, and not yet given back to the other end. */
	#consumed = 0;
	/** Came while nobody read. */
	#waiting: Uint8Array[] = [];
	#isPaused = false;
	#isDelivering = false;
	/** The other end has closed it. */
	#isEnded = false;
	#isClosing = false;
	#isClosed = false;
	#reason: Error | null = null;

	constructor(number: number, carrier: StreamCarrier) {
		this.number = number;
		this.#carrier = carrier;
	}

	get remote(): string {
		return this.#carrier.remote;
	}

	/** Why a stream that never stood is closed, if nobody says. */
	get whyUnopened(): Error | null {
		return this.#isOpen ? null : new Unavailable(`${this.remote} is gone`);
	}

	/** Who takes what comes; made with the stream in hand, and if that throws, it is closed. */
	begin(make: (own: Connection) => ConnectionHandler): void {
		this.#guard(() => {
			this.#handler = make(this);
		});
	}

	// ---- For its user

	writev(slices: readonly Uint8Array[], done: () => void): void {
		if (this.#isClosed) return this.#carrier.clock.endOfTurn(done);
		this.#writes.push({ slices: slices.slice(), done, slice: 0, taken: 0 });
		for (const slice of slices) this.#queued += slice.byteLength;
		if (!this.#isClosing) this.#carrier.wants(this);
	}

	pause(): void {
		this.#isPaused = true;
	}

	resume(): void {
		this.#isPaused = false;
		if (this.#waiting.length === 0 && !this.#isEnded) return;
		this.#carrier.clock.endOfTurn(() => this.#deliver());
	}

	close(reason?: Error): void {
		if (this.#isClosing) return;
		this.#carrier.ended(this);
		this.lost(reason ?? null);
	}

	// ---- For the real connection

	/** It stands. */
	opened(): void {
		if (this.#isOpen || this.#isClosing) return;
		this.#isOpen = true;
		this.#guard(() => this.#handler!.opened());
	}

	/** @returns false if that is more than anybody grants */
	granted(bytes: number): boolean {
		this.#credit += bytes;
		if (this.#writes.length > 0) this.#carrier.wants(this);
		return this.#credit <= STREAM_WINDOW_BYTES;
	}

	/** So many bytes may be sent now, at most `bytesMax`. */
	sendable(bytesMax: number): number {
		return this.#isClosing ? 0 : Math.min(bytesMax, this.#credit, this.#queued);
	}

	/** Takes so many bytes. @returns who must hear that they are sent */
	take(bytes: number, into: MuxWrite): (() => void)[] {
		const done: (() => void)[] = [];
		let room = bytes;
		while (this.#writes.length > 0 && !this.#isClosing) {
			const write = this.#writes[0]!;
			room = takeOf(write, room, into);
			if (write.slice < write.slices.length) break;
			this.#writes.shift();
			done.push(write.done);
		}
		assert(room === 0, 'what may be sent is there');
		this.#credit -= bytes;
		this.#queued -= bytes;
		this.#inFlight += 1;
		return done;
	}

	/** Is there more to send, and may it be? */
	get hasMore(): boolean {
		return !this.#isClosing && this.#writes.length > 0 && this.#credit > 0;
	}

	/** What was taken has been sent, or is lost. */
	sent(done: readonly (() => void)[]): void {
		this.#inFlight -= 1;
		for (const each of done) this.#guard(each);
		if (this.#isClosing) this.#finish();
	}

	/** @returns false if it is more than was granted */
	received(bytes: Uint8Array): boolean {
		this.#window -= bytes.byteLength;
		if (this.#window < 0) return false;
		if (this.#isClosing) return true;
		if (this.#isPaused || this.#isDelivering || this.#waiting.length > 0) {
			this.#waiting.push(bytes.slice());
			return true;
		}
		const rest = this.#hand(bytes);
		if (rest.byteLength > 0 && !this.#isClosing) this.#waiting.push(rest.slice());
		this.#giveBack();
		return true;
	}

	/** The other end has closed it: what came before is still delivered. */
	endedThere(): void {
		this.#isEnded = true;
		if (this.#waiting.length === 0) this.lost(null);
	}

	/** Nothing comes any more. */
	lost(reason: Error | null): void {
		if (this.#isClosing) return;
		this.#isClosing = true;
		this.#reason = reason;
		this.#waiting = [];
		this.#carrier.clock.endOfTurn(() => this.#finish());
	}

	#deliver(): void {
		while (this.#waiting.length > 0 && !this.#isPaused && !this.#isClosing) {
			const rest = this.#hand(this.#waiting[0]!);
			if (rest.byteLength === 0) this.#waiting.shift();
			else this.#waiting[0] = rest;
		}
		this.#giveBack();
		if (this.#isEnded && this.#waiting.length === 0) this.lost(null);
	}

	/** @returns what isn't taken now */
	#hand(bytes: Uint8Array): Uint8Array {
		let at = 0;
		this.#isDelivering = true;
		try {
			while (at < bytes.byteLength && !this.#isPaused && !this.#isClosing) {
				const space = this.#handler!.space();
				assert(space.byteLength > 0, 'space() is at least one byte long');
				const length = Math.min(space.byteLength, bytes.byteLength - at);
				space.set(length === bytes.byteLength ? bytes : bytes.subarray(at, at + length));
				at += length;
				this.#consumed += length;
				this.#handler!.received(length);
			}
		} catch (error) {
			this.close(error as Error);
		}
		this.#isDelivering = false;
		return at === 0 ? bytes : bytes.subarray(at);
	}

	#giveBack(): void {
		if (this.#isClosing || this.#consumed < STREAM_WINDOW_BYTES / 2) return;
		this.#window += this.#consumed;
		this.#carrier.credit(this, this.#consumed);
		this.#consumed = 0;
	}

	/** Whose bytes the real connection still has must not hear that it is done with them. */
	#finish(): void {
		if (this.#isClosed || this.#inFlight > 0) return;
		while (this.#writes.length > 0) this.#guard(this.#writes.shift()!.done);
		this.#isClosed = true;
		this.#handler?.closed(this.#reason);
	}

	/** A handler that throws loses its stream, and no other. */
	#guard(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.close(error as Error);
		}
	}
}

/** Takes of a write what there is room for. @returns the room that is left */
function takeOf(write: Write, room: number, into: MuxWrite): number {
	let left = room;
	for (; write.slice < write.slices.length; write.slice++) {
		const slice = write.slices[write.slice]!;
		const length = Math.min(left, slice.byteLength - write.taken);
		const isWhole = length === slice.byteLength;
		if (length > 0) into.add(isWhole ? slice : slice.subarray(write.taken, write.taken + length));
		left -= length;
		write.taken += length;
		if (write.taken < slice.byteLength) return left;
		write.taken = 0;
	}
	return left;
}
