import { type Connection, type Network, Unavailable } from 'millrace';

type Handler = ReturnType<Parameters<Network['listen']>[1]>;

/** `open` comes first, in both directions; `close` last. Numbers count from 0, in each direction. */
export type Piece = { readonly number: number } & Content;
type Content =
	| { readonly kind: 'open'; readonly port: number }
	| { readonly kind: 'data'; readonly bytes: string }
	| { readonly kind: 'close' };

export interface StreamEnds {
	transmit(piece: Piece): void;
	/** The other end dialled this port. @returns who handles it; throws if nobody does */
	opened(port: number): Handler;
	ended(): void;
}

/** A piece that is missing for so long is lost. */
const GAP_MS = 1_000;

export class Stream implements Connection {
	remote = 'unknown:0';
	/** Where it was accepted; 0 on the side that dialled. */
	port = 0;
	readonly #ends: StreamEnds;
	#handler: Handler | null = null;
	#isOpen = false;
	#isPaused = false;
	#isClosed = false;
	#nextSent = 0;
	#nextReceived = 0;
	readonly #early = new Map<number, Piece>();
	#gap: NodeJS.Timeout | null = null;
	/** Received in order and not handed over yet. */
	#inbox: Uint8Array[] = [];
	#isEnding = false;

	constructor(ends: StreamEnds) {
		this.#ends = ends;
	}

	writev(slices: readonly Uint8Array[], done: () => void): void {
		const bytes = Buffer.concat(slices);
		if (!this.#isClosed && bytes.length > 0) {
			this.transmit({ kind: 'data', bytes: bytes.toString('base64') });
		}
		queueMicrotask(() => this.#guard(done));
	}

	pause(): void {
		this.#isPaused = true;
	}

	resume(): void {
		this.#isPaused = false;
		setImmediate(() => this.#deliver());
	}

	close(reason?: Error): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.transmit({ kind: 'close' });
		if (this.#gap !== null) clearTimeout(this.#gap);
		this.#ends.ended();
		// Behind each `done`.
		setImmediate(() => this.#handler?.closed(reason ?? null));
	}

	closeUnlessOpen(reason: Error): void {
		if (!this.#isOpen) this.close(reason);
	}

	transmit(content: Content): void {
		this.#ends.transmit({ ...content, number: this.#nextSent++ });
	}

	/** @param make throws if it wants no such stream, which is closed then */
	attach(make: () => Handler): void {
		this.#guard(() => {
			this.#handler = make();
		});
	}

	receive(piece: Piece): void {
		if (this.#isClosed || piece.number < this.#nextReceived) return;
		this.#early.set(piece.number, piece);
		for (;;) {
			const next = this.#early.get(this.#nextReceived);
			if (next === undefined || this.#isClosed) break;
			this.#early.delete(this.#nextReceived);
			this.#nextReceived += 1;
			this.#take(next);
		}
		if (this.#gap !== null) clearTimeout(this.#gap);
		if (this.#early.size === 0 || this.#isClosed) return;
		const lost = () => this.close(new Unavailable(`a message of ${this.remote} is lost`));
		this.#gap = setTimeout(lost, GAP_MS).unref();
	}

	#take(piece: Piece): void {
		if (piece.kind === 'data') this.#inbox.push(Buffer.from(piece.bytes, 'base64'));
		else if (piece.kind === 'close') this.#isEnding = true;
		else this.#open(piece.port);
		this.#deliver();
	}

	#open(port: number): void {
		this.#isOpen = true;
		if (this.#handler === null) {
			this.port = port;
			this.attach(() => this.#ends.opened(port));
			if (!this.#isClosed) this.transmit({ kind: 'open', port: 0 });
		}
		this.#guard(() => this.#handler?.opened());
	}

	/** Hands over what is there, unless it is paused; what ends the stream comes last. */
	#deliver(): void {
		while (this.#inbox.length > 0 && !this.#isPaused && !this.#isClosed) {
			this.#guard(() => this.#fill());
		}
		if (!this.#isEnding || this.#isPaused || this.#isClosed) return;
		if (this.#isOpen) this.close();
		else this.close(new Unavailable(`${this.remote} refused the connection`));
	}

	#fill(): void {
		const space = this.#handler!.space();
		if (space.length === 0) throw new RangeError('space() is at least one byte long');
		const chunk = this.#inbox[0]!;
		const bytes = Math.min(space.length, chunk.length);
		space.set(chunk.subarray(0, bytes));
		if (bytes === chunk.length) this.#inbox.shift();
		else this.#inbox[0] = chunk.subarray(bytes);
		this.#handler!.received(bytes);
	}

	/** A handler that throws loses this stream, and no other. */
	#guard(call: () => void): void {
		try {
			call();
		} catch (error) {
			this.close(error as Error);
		}
	}
}
