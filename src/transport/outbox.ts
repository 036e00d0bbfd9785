/** Messages go out no longer than this. */
export const PIECE_BYTES = 256 * 1024;
/** Slices up to here are gathered in one message. */
const SMALL_BYTES = 16 * 1024;
const GATHERED_BYTES = 64 * 1024;

/** Where messages go, one by one. */
export interface Wire {
	/** Copies what it can't send at once. */
	send(message: Uint8Array): void;
	/** Sent, and not left yet. */
	readonly bufferedBytes: number;
	/** What is sent within `send` may leave together. */
	together(send: () => void): void;
	/** All slices of a write have been sent, or `done` threw. */
	failed(error: Error): void;
}

interface Write {
	readonly slices: readonly Uint8Array[];
	readonly done: () => void;
	/** The next slice, and the next byte of it. */
	slice: number;
	at: number;
}

/** Cuts writes into messages, and hands over no more of them than the wire takes for now. The rest stays where it lies. */
export class Outbox {
	readonly #wire: Wire;
	readonly #bufferedBytesMax: number;
	readonly #writes: Write[] = [];
	/** All have been sent; in order. */
	readonly #sent: (() => void)[] = [];
	#gathered: Uint8Array | null = null;
	/** Ever handed over. */
	sentBytes = 0;

	constructor(wire: Wire, bufferedBytesMax: number) {
		this.#wire = wire;
		this.#bufferedBytesMax = bufferedBytesMax;
	}

	/** All writes have been handed over. */
	get isEmpty(): boolean {
		return this.#writes.length === 0;
	}

	/** Takes slices, whose bytes must not change before `done`, and sends what may be sent. */
	write(slices: readonly Uint8Array[], done: () => void): void {
		this.#writes.push({ slices: [...slices], done, slice: 0, at: 0 });
		if (this.#writes.length === 1) this.pump();
	}

	/** Sends on: something may have left. */
	pump(): void {
		if (!this.isEmpty) this.#wire.together(() => this.#send());
	}

	#send(): void {
		while (!this.isEmpty && this.#wire.bufferedBytes < this.#bufferedBytesMax) {
			const write = this.#writes[0]!;
			const message = this.#next(write);
			if (message.length > 0) {
				this.sentBytes += message.length;
				this.#wire.send(message);
			}
			// What was sent may have ended it all.
			if (write.slice < write.slices.length || this.#writes[0] !== write) continue;
			this.#writes.shift();
			this.#sent.push(write.done);
		}
	}

	/** Reports what has been sent. Not from within `write`. */
	report(): void {
		const { length } = this.#sent;
		for (const done of this.#sent.splice(0, length)) this.#tell(done);
	}

	/** Reports everything, sent or not. */
	end(): void {
		const unsent = this.#writes.splice(0).map(({ done }) => done);
		this.report();
		for (const done of unsent) this.#tell(done);
	}

	get hasReports(): boolean {
		return this.#sent.length > 0;
	}

	#tell(done: () => void): void {
		try {
			done();
		} catch (error) {
			this.#wire.failed(error as Error);
		}
	}

	/** A large slice, or a part of it; or as many small ones as fit together. */
	#next(write: Write): Uint8Array {
		const { slices } = write;
		const first = slices[write.slice];
		if (first === undefined) return new Uint8Array(0);
		if (first.length - write.at > SMALL_BYTES) {
			const piece = first.subarray(write.at, write.at + PIECE_BYTES);
			write.at += piece.length;
			if (write.at === first.length) advance(write);
			return piece;
		}
		const rest = first.subarray(write.at);
		advance(write);
		const follows = slices[write.slice];
		if (follows === undefined || rest.length + follows.length > GATHERED_BYTES) return rest;
		return this.#gather(write, rest);
	}

	#gather(write: Write, first: Uint8Array): Uint8Array {
		this.#gathered ??= new Uint8Array(GATHERED_BYTES);
		this.#gathered.set(first);
		let length = first.length;
		for (;;) {
			const slice = write.slices[write.slice];
			const isLarge = slice === undefined || slice.length > SMALL_BYTES;
			if (isLarge || length + slice.length > GATHERED_BYTES) break;
			this.#gathered.set(slice, length);
			length += slice.length;
			advance(write);
		}
		return this.#gathered.subarray(0, length);
	}
}

function advance(write: Write): void {
	write.slice += 1;
	write.at = 0;
}
