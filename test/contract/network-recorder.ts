import type { Connection, ConnectionHandler } from '../../src/io.js';

/** A handler that writes down what happens to it, and lets a test wait for it. */
export class Recorder implements ConnectionHandler {
	readonly connection: Connection;
	readonly events: string[] = [];
	readonly chunks: Uint8Array[] = [];
	bytes = 0;
	reason: Error | null | undefined;
	/** What `space` gives out: so many bytes at a time. */
	spaceBytes: number;
	/** Gives out this one again and again, which others may have in common with it. */
	sharedPlace: Uint8Array | null = null;
	onReceived: ((bytes: Uint8Array) => void) | null = null;
	onOpened: (() => void) | null = null;
	onSpace: (() => void) | null = null;
	#space: Uint8Array | null = null;
	readonly #waiting: { condition: () => boolean; resolve: () => void }[] = [];

	constructor(connection: Connection, spaceBytes = 65_536) {
		this.connection = connection;
		this.spaceBytes = spaceBytes;
	}

	opened(): void {
		this.#note('opened');
		this.onOpened?.();
	}

	space(): Uint8Array {
		this.onSpace?.();
		// Whoever implements the door must not lose a reservation: each is used before the next.
		if (this.#space !== null) throw new Error('space() while the last one is reserved');
		this.#space = this.sharedPlace ?? new Uint8Array(this.spaceBytes);
		return this.#space;
	}

	received(bytes: number): void {
		if (this.#space === null) throw new Error('received() without space()');
		if (bytes < 1 || bytes > this.#space.byteLength) throw new Error(`received(${bytes})`);
		if (this.events.includes('closed')) throw new Error('received() after closed()');
		const isOwn = this.sharedPlace === null;
		const chunk = isOwn ? this.#space.subarray(0, bytes) : this.#space.slice(0, bytes);
		this.#space = null;
		this.chunks.push(chunk);
		this.bytes += bytes;
		this.onReceived?.(chunk);
		this.#look();
	}

	closed(reason: Error | null): void {
		this.reason = reason;
		this.#note('closed');
	}

	/** What comes next has its place already. */
	get isPlaceReserved(): boolean {
		return this.#space !== null;
	}

	get content(): Uint8Array {
		return new Uint8Array(Buffer.concat(this.chunks));
	}

	is(event: 'opened' | 'closed'): Promise<void> {
		return this.until(() => this.events.includes(event));
	}

	has(bytes: number): Promise<void> {
		return this.until(() => this.bytes >= bytes);
	}

	until(condition: () => boolean): Promise<void> {
		return new Promise((resolve) => {
			this.#waiting.push({ condition, resolve });
			this.#look();
		});
	}

	/** Writes, and resolves when it is done. */
	send(...slices: Uint8Array[]): Promise<void> {
		return new Promise((resolve) => {
			this.connection.writev(slices, () => {
				this.events.push('done');
				resolve();
			});
		});
	}

	#note(event: string): void {
		this.events.push(event);
		this.#look();
	}

	#look(): void {
		for (const waiting of this.#waiting.slice()) {
			if (!waiting.condition()) continue;
			this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
			waiting.resolve();
		}
	}
}
