import { MillraceError, ProtocolError, Unavailable } from '../errors.js';
import type { Clock, Connection, ConnectionHandler } from '../io.js';
import { Inbox, type InboxEvents } from '../transport/inbox.js';
import { Outbox, type Wire } from '../transport/outbox.js';
import type { Budget } from './budget.js';
import type { WebSocket } from './uws.js';

/** What uWebSockets.js holds of one connection; the rest waits where it lies. */
const BUFFERED_BYTES_MAX = 256 * 1024;
/** What `send` says when it didn't. */
const DROPPED = 2;
/** RFC 6455, section 5.5: a control frame has 125 bytes, two of them the code. */
const REASON_BYTES_MAX = 123;

/** RFC 6455, section 7.4.1; 1013 as registered with IANA. */
export const CloseCode = {
	normal: 1000,
	goingAway: 1001,
	noText: 1003,
	none: 1005,
	policy: 1008,
	tryLater: 1013,
} as const;

export interface SocketNeeds {
	readonly clock: Clock;
	/** All connections share it. */
	readonly budget: Budget;
	readonly connectionBytesMax: number;
	/** Who takes nothing of what waits for it for so long is disconnected. */
	readonly takeMs: number;
}

/**
 * A WebSocket as a connection: its messages are pieces of one stream of bytes, each way, wherever they are cut.
 *
 * uWebSockets.js can't be told to stop reading: what comes while nobody wants it is copied, within bounds. `socket` ends
 * before this does, and must not be touched then.
 */
export class SocketConnection implements Connection, InboxEvents, Wire {
	readonly remote: string;
	readonly isClientOnly = true;
	readonly #needs: SocketNeeds;
	#socket: WebSocket<unknown> | null;
	readonly #inbox: Inbox;
	readonly #outbox: Outbox;
	#handler: ConnectionHandler | null = null;
	/** Of the bytes that wait, 0 <= it <= connectionBytesMax. */
	#waitingBytes = 0;
	#isClosing = false;
	#isEnded = false;
	#reason: Error | null = null;
	#isReportArmed = false;
	/** What had left when it was last looked at, and since when that is so. */
	#takenBytes = 0;
	#takenAt: number;

	constructor(needs: SocketNeeds, socket: WebSocket<unknown>) {
		const text = new TextDecoder();
		const host = text.decode(socket.getRemoteAddressAsText());
		this.remote = `${host.includes(':') ? `[${host}]` : host}:0`;
		this.#needs = needs;
		this.#socket = socket;
		this.#takenAt = needs.clock.now();
		this.#inbox = new Inbox(needs.clock, this);
		this.#outbox = new Outbox(this, BUFFERED_BYTES_MAX);
	}

	/** Called once. */
	begin(accept: (connection: Connection) => ConnectionHandler): void {
		try {
			this.#handler = accept(this);
			this.#inbox.handler = this.#handler;
			if (!this.#isClosing) this.#handler.opened();
		} catch (error) {
			this.close(error as Error);
		}
	}

	// ---- For its own inbox and outbox: there may be thousands of connections, so none has objects for that

	mayWait(bytes: number): boolean {
		const { budget, connectionBytesMax } = this.#needs;
		if (this.#waitingBytes + bytes > connectionBytesMax || !budget.take(bytes)) return false;
		this.#waitingBytes += bytes;
		return true;
	}

	released(bytes: number): void {
		this.#waitingBytes -= bytes;
		this.#needs.budget.give(bytes);
	}

	broken(error: Error): void {
		this.close(error);
	}

	failed(error: Error): void {
		this.close(error);
	}

	get bufferedBytes(): number {
		return this.#socket?.getBufferedAmount() ?? 0;
	}

	together(send: () => void): void {
		this.#socket?.cork(send);
	}

	send(message: Uint8Array): void {
		if (this.#isClosing || this.#socket?.send(message, true) !== DROPPED) return;
		// What comes behind it would be no stream any more.
		this.#beginEnd(new Unavailable('a message was dropped'));
		this.#needs.clock.endOfTurn(() => this.#socket?.close());
	}

	// ---- What the socket tells

	/** The message's memory is gone when this returns. */
	message(message: ArrayBuffer, isBinary: boolean): void {
		if (this.#isClosing) return;
		if (!isBinary) this.#end(CloseCode.noText, new ProtocolError('messages here are binary'));
		else this.#inbox.take(new Uint8Array(message));
	}

	drained(): void {
		this.#outbox.pump();
		this.#armReport();
	}

	/** Looked at now and then: who takes nothing is disconnected. */
	tick(now: number): void {
		const buffered = this.#socket?.getBufferedAmount() ?? 0;
		const taken = this.#outbox.sentBytes - buffered;
		if (buffered === 0 || taken !== this.#takenBytes) {
			this.#takenBytes = taken;
			this.#takenAt = now;
		} else if (now - this.#takenAt >= this.#needs.takeMs) {
			this.abort(new Unavailable(`it took nothing for ${this.#needs.takeMs} ms`));
		}
	}

	/** The socket is gone. */
	lost(code: number): void {
		this.#socket = null;
		if (!this.#isClosing) this.#reason = lossOf(code);
		this.#isClosing = true;
		this.#inbox.end();
		// Not from within a call of who is told.
		this.#needs.clock.endOfTurn(() => {
			this.#isEnded = true;
			this.#outbox.end();
			this.#handler?.closed(this.#reason);
		});
	}

	// ---- For who speaks on it

	writev(slices: readonly Uint8Array[], done: () => void): void {
		if (this.#isEnded) return this.#needs.clock.endOfTurn(done);
		this.#outbox.write(slices, done);
		this.#armReport();
	}

	/** Reports never come from within `writev`. */
	#armReport(): void {
		if (this.#isReportArmed || !this.#outbox.hasReports) return;
		this.#isReportArmed = true;
		this.#needs.clock.endOfTurn(() => {
			this.#isReportArmed = false;
			if (!this.#isClosing) this.#outbox.report();
		});
	}

	pause(): void {
		this.#inbox.pause();
	}

	resume(): void {
		this.#inbox.resume();
	}

	close(reason?: Error): void {
		if (reason === undefined) this.#end(CloseCode.normal, null);
		else this.#end(codeOf(reason), reason);
	}

	/** The gateway closes. */
	leave(): void {
		this.#end(CloseCode.goingAway, null, 'the gateway closes');
	}

	#end(code: number, reason: Error | null, text = reason?.message ?? ''): void {
		// Behind what isn't taken nothing would arrive.
		if (this.#socket !== null && this.#socket.getBufferedAmount() > 0) return this.abort(reason);
		if (!this.#beginEnd(reason)) return;
		this.#socket?.end(code, cut(text));
	}

	/** Closes without a word. */
	abort(reason: Error | null): void {
		if (this.#beginEnd(reason)) this.#socket?.close();
	}

	#beginEnd(reason: Error | null): boolean {
		if (this.#isClosing) return false;
		this.#isClosing = true;
		this.#reason = reason;
		this.#inbox.end();
		return true;
	}
}

function codeOf(reason: Error): number {
	return reason instanceof MillraceError ? CloseCode.policy : CloseCode.tryLater;
}

/** Null: the other end closed it in order. */
function lossOf(code: number): Error | null {
	const isOrdered =
		code === CloseCode.normal || code === CloseCode.goingAway || code === CloseCode.none;
	return isOrdered ? null : new Unavailable(`the WebSocket was closed with code ${code}`);
}

function cut(text: string): string {
	const bytes = new TextEncoder().encode(text).subarray(0, REASON_BYTES_MAX);
	// Not in the middle of a letter.
	return new TextDecoder().decode(bytes, { stream: true });
}
