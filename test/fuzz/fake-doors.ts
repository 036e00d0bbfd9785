/** A connection, a network and a clock that are driven by hand, without a seed or a wire. */
import type {
	Clock,
	Connection,
	ConnectionHandler,
	Listener,
	Network,
	Timer,
} from '../../src/io.js';
import type { Dice } from './dice.js';
import { demand, Finding } from './finding.js';

const ROUNDS_MAX = 10_000;

/** Lets everything happen that follows from what has happened: all microtasks. */
export function settled(): Promise<void> {
	return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

interface FakeTimer extends Timer {
	readonly at: number;
	callback: (() => void) | null;
}

export class FakeClock implements Clock {
	#now = 0;
	#timers: FakeTimer[] = [];
	#pending: (() => void)[] = [];

	now(): number {
		return this.#now;
	}

	wall(): number {
		return this.#now;
	}

	after(milliseconds: number, callback: () => void): Timer {
		const timer: FakeTimer = {
			at: this.#now + milliseconds,
			callback,
			cancel: () => {
				timer.callback = null;
			},
		};
		this.#timers.push(timer);
		return timer;
	}

	endOfTurn(callback: () => void): void {
		queueMicrotask(callback);
	}

	afterPendingIo(callback: () => void): void {
		this.#pending.push(callback);
	}

	/** Fires what is due within so many milliseconds. */
	pass(milliseconds: number): void {
		this.#now += milliseconds;
		for (const callback of this.#pending.splice(0)) callback();
		const due = this.#timers.filter(({ at }) => at <= this.#now);
		this.#timers = this.#timers.filter(({ at }) => at > this.#now);
		for (const timer of due) timer.callback?.();
	}
}

/** This end of a connection whose other end is the fuzzer. */
export class FakeConnection implements Connection {
	readonly remote = 'fuzz:1';
	handler: ConnectionHandler | null = null;
	/** What was sent, as it was when it was handed over. */
	readonly written: Uint8Array[] = [];
	/** Sent and not done. */
	pendingBytes = 0;
	pendingBytesMax = 0;
	/** The other end takes nothing. */
	isHeld = false;
	isPaused = false;
	isClosed = false;
	reason: Error | null = null;
	#writes: { readonly bytes: number; readonly done: () => void }[] = [];
	#isReported = false;

	writev(slices: readonly Uint8Array[], done: () => void): void {
		let bytes = 0;
		for (const slice of slices) {
			bytes += slice.length;
			if (!this.isClosed) this.written.push(slice.slice());
		}
		this.pendingBytes += bytes;
		this.pendingBytesMax = Math.max(this.pendingBytesMax, this.pendingBytes);
		this.#writes.push({ bytes, done });
	}

	pause(): void {
		this.isPaused = true;
	}

	resume(): void {
		this.isPaused = false;
	}

	close(reason: Error | null = null): void {
		if (this.isClosed) return;
		this.isClosed = true;
		this.reason = reason;
	}

	/** Ends writes, and reports the end of the connection. @returns whether there was anything to do */
	work(): boolean {
		if (this.isHeld && !this.isClosed) return false;
		const writes = this.#writes;
		this.#writes = [];
		for (const { bytes, done } of writes) {
			this.pendingBytes -= bytes;
			done();
		}
		if (!this.isClosed || this.#isReported || this.#writes.length > 0) return writes.length > 0;
		this.#isReported = true;
		this.handler!.closed(this.reason);
		return true;
	}
}

/** A network on which nobody listens, and whose one connection is the fuzzer's. */
export class FakeNetwork implements Network {
	readonly connections: FakeConnection[] = [];

	listen(): Promise<Listener> {
		return Promise.reject(new Error('nobody listens here'));
	}

	dial(_address: unknown, open: (connection: Connection) => ConnectionHandler): Connection {
		const connection = new FakeConnection();
		this.connections.push(connection);
		connection.handler = open(connection);
		return connection;
	}
}

/** Until nothing more follows. `work`: what else there is to be done; says whether there was. */
export async function settle(connection: FakeConnection, work: () => boolean): Promise<void> {
	for (let round = 0; round < ROUNDS_MAX; round++) {
		await settled();
		const wasBusy = connection.work();
		if (!work() && !wasBusy) return;
	}
	throw new Finding('it never comes to rest');
}

/** Brings the stream in pieces, as a network does: the next place is asked for as soon as the last one was filled. */
export async function deliver(
	connection: FakeConnection,
	stream: Uint8Array,
	dice: Dice,
	work: () => boolean,
): Promise<void> {
	const handler = connection.handler!;
	const pieceMax = Math.max(dice.pick([5, 60, 400, 100_000]), stream.length >> 4);
	let space = handler.space();
	for (let at = 0; at < stream.length && !connection.isClosed; ) {
		if (connection.isPaused) {
			connection.isHeld = false;
			await settle(connection, work);
			demand(!connection.isPaused || connection.isClosed, 'who was paused is read from again');
			continue;
		}
		demand(space.length > 0, 'there is room for the next bytes');
		demand(space.length <= Math.max(65_536, 4 * at), 'no more is reserved than has come');
		const bytes = Math.min(space.length, stream.length - at, 1 + dice.below(pieceMax));
		space.set(stream.subarray(at, at + bytes));
		handler.received(bytes);
		at += bytes;
		if (connection.isClosed) break;
		space = handler.space();
		if (dice.chance(0.3)) await settle(connection, work);
	}
	connection.isHeld = false;
	await settle(connection, work);
}
