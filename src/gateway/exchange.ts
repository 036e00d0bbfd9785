import { Busy, MillraceError, TooLarge } from '../errors.js';
import type { Budget } from './budget.js';
import { STATUS_LINES, type Status, statusOf } from './status-codes.js';
import type { HttpRequest, HttpResponse } from './uws.js';

/** An answer up to here is handed over as a whole; of a longer one no more is, at a time, than the other end takes. */
const PIECE_BYTES = 64 * 1024;

/** What exchanges need of their gateway. */
export interface Desk {
	readonly budget: Budget;
	/** One has got its answer, or its client has gone. */
	over(exchange: Exchange): void;
	failed(): void;
}

type Headers = Readonly<Record<string, string>>;

/**
 * One request and its answer. uWebSockets.js's own objects end early: the request when the handler returns, the response
 * with its last byte or its client. Whatever is called here after that does nothing.
 */
export class Exchange {
	/** In small letters. */
	readonly method: string;
	/** Without the query. */
	readonly path: string;
	readonly query: string;
	readonly authorization: string;
	/** Empty without one. */
	readonly origin: string;
	readonly host: string;
	readonly #desk: Desk;
	readonly #response: HttpResponse;
	readonly #contentLength: number;
	/** Go along with the answer. */
	#headers: Headers = {};
	/** Taken from the budget. */
	#bytes = 0;
	#isOver = false;
	#isStreaming = false;
	/** The first byte of an answer has been handed over: there can't be another one. */
	#isAnswered = false;
	/** A body was asked for, and isn't all there yet. */
	#isReceiving = false;
	#onOver: (() => void) | null = null;
	/** Resolves what waits for the other end to take more. */
	#taken: (() => void) | null = null;

	constructor(desk: Desk, response: HttpResponse, request: HttpRequest) {
		this.method = request.getMethod();
		this.path = request.getUrl();
		this.query = request.getQuery() ?? '';
		this.authorization = request.getHeader('authorization');
		this.origin = request.getHeader('origin');
		this.host = request.getHeader('host');
		this.#contentLength = Number(request.getHeader('content-length') || 0);
		this.#desk = desk;
		this.#response = response;
		response.onAborted(() => this.#end());
	}

	get isOver(): boolean {
		return this.#isOver;
	}

	get isAnswered(): boolean {
		return this.#isAnswered;
	}

	get isReceiving(): boolean {
		return this.#isReceiving;
	}

	get isStreaming(): boolean {
		return this.#isStreaming;
	}

	/** Calls back once, when it is over; whom it told before it forgets. */
	whenOver(callback: () => void): void {
		this.#onOver = callback;
	}

	withHeaders(headers: Headers): void {
		this.#headers = { ...this.#headers, ...headers };
	}

	/** Hands over the body when all of it is there. Its bytes are valid until `take` returns; what it throws is the answer. */
	body(bytesMax: number, take: (body: Uint8Array) => void): void {
		const hand = (body: Uint8Array): void => {
			try {
				take(body);
			} catch (error) {
				this.fail(error as Error);
			}
		};
		if (this.#contentLength > bytesMax) return this.#tooLong(this.#contentLength, bytesMax);
		let gathered: Uint8Array = new Uint8Array(0);
		let length = 0;
		this.#isReceiving = true;
		this.#response.onData((buffer, isLast) => {
			if (this.#isOver) return;
			this.#isReceiving = !isLast;
			const chunk = new Uint8Array(buffer);
			if (length + chunk.length > bytesMax) return this.#tooLong(length + chunk.length, bytesMax);
			if (isLast && length === 0) return hand(chunk);
			// Memory grows with what comes, not with what is announced.
			const needed = length + chunk.length;
			if (needed > gathered.length) {
				const larger = Math.min(bytesMax, Math.max(needed, 2 * gathered.length));
				if (!this.#hold(larger - gathered.length)) return;
				const moved = new Uint8Array(larger);
				moved.set(gathered.subarray(0, length));
				gathered = moved;
			}
			gathered.set(chunk, length);
			length = needed;
			if (isLast) hand(gathered.subarray(0, length));
		});
	}

	/** Takes from the budget until the end of this. What doesn't fit ends it. */
	#hold(bytes: number): boolean {
		if (this.#desk.budget.take(bytes)) {
			this.#bytes += bytes;
			return true;
		}
		this.fail(new Busy('what waits at the gateway', this.#desk.budget.bytesMax), true);
		return false;
	}

	#tooLong(bytes: number, bytesMax: number): void {
		// The rest of it isn't waited for.
		this.fail(new TooLarge('a body', bytes, bytesMax), true);
	}

	json(status: Status, value: unknown): void {
		const text = Buffer.from(`${JSON.stringify(value)}\n`);
		this.answer(status, 'application/json', text);
	}

	/** Says why not. */
	fail(error: Error, isClosing = false): void {
		const code = error instanceof MillraceError ? error.code : 'FAILED';
		this.refuse(statusOf(code), code, error.message, isClosing);
	}

	refuse(status: Status, code: string, message: string, isClosing = false): void {
		if (this.#isOver || this.#isAnswered) return;
		if (status >= 400) this.#desk.failed();
		if (status === 503) this.withHeaders({ 'retry-after': '1' });
		const text = Buffer.from(`${JSON.stringify({ error: { code, message } })}\n`);
		this.answer(status, 'application/json', text, isClosing);
	}

	answer(status: Status, type: string, body: Uint8Array, isClosing = false): void {
		if (this.#isOver || this.#isAnswered) return;
		if (isClosing) this.withHeaders({ connection: 'close' });
		const isHead = this.method === 'head';
		const isLong = body.length > PIECE_BYTES && !isHead;
		if (isLong && !this.#hold(body.length)) return;
		this.#response.cork(() => {
			this.#begin(status, type);
			if (isHead) this.#response.endWithoutBody(body.length, isClosing);
			else if (isLong) this.#endSlowly(body);
			else this.#response.end(body, isClosing);
		});
		if (!isLong) this.#end();
	}

	#begin(status: Status, type: string): void {
		this.#isAnswered = true;
		this.#response.writeStatus(STATUS_LINES[status]);
		this.#response.writeHeader('content-type', type);
		for (const [name, value] of Object.entries(this.#headers)) {
			this.#response.writeHeader(name, value);
		}
	}

	/** Hands over as much as the other end takes. uWebSockets.js gives up one that takes nothing for ten seconds. */
	#endSlowly(body: Uint8Array): void {
		const more = (offset: number): boolean => {
			const [isTaken, isDone] = this.#response.tryEnd(body.subarray(offset), body.length);
			if (isDone) this.#end();
			return isTaken;
		};
		this.#response.onWritable(more);
		more(0);
	}

	// ---- An answer in pieces ----

	/** Begins one. It has no deadline. */
	stream(type: string): void {
		this.#isStreaming = true;
		this.#response.onWritable(() => {
			this.#wake();
			return true;
		});
		this.#response.cork(() => this.#begin(200, type));
	}

	/** Sends a piece, as slowly as it is taken. Resolves when the next may come; errors: `Busy`. */
	async write(bytes: Uint8Array): Promise<void> {
		const { budget } = this.#desk;
		if (!budget.take(bytes.length)) throw new Busy('what waits at the gateway', budget.bytesMax);
		try {
			for (let at = 0; at < bytes.length && !this.#isOver; at += PIECE_BYTES) {
				if (!this.#writePiece(bytes.subarray(at, at + PIECE_BYTES))) {
					await new Promise<void>((resolve) => {
						this.#taken = resolve;
					});
				}
			}
		} finally {
			budget.give(bytes.length);
		}
	}

	/** @returns whether the other end has taken it */
	#writePiece(piece: Uint8Array): boolean {
		let isTaken = true;
		this.#response.cork(() => {
			isTaken = this.#response.write(piece);
		});
		return isTaken || this.#isOver;
	}

	/** For who listens to an answer in which nothing happens; nothing while a piece is under way. */
	keepAlive(): void {
		if (!this.#isOver && this.#taken === null) this.#writePiece(Buffer.from('\n'));
	}

	endStream(): void {
		if (this.#isOver) return;
		this.#response.cork(() => this.#response.end());
		this.#end();
	}

	#wake(): void {
		const taken = this.#taken;
		this.#taken = null;
		taken?.();
	}

	/** Closes the connection now: what isn't sent yet is lost. */
	abort(): void {
		if (!this.#isOver) this.#response.close();
	}

	#end(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#desk.budget.give(this.#bytes);
		this.#bytes = 0;
		this.#wake();
		this.#onOver?.();
		this.#desk.over(this);
	}
}
