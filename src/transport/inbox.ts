import { assert } from '../assert.js';
import type { Clock, ConnectionHandler } from '../io.js';

export interface InboxEvents {
	/** May so many bytes wait here? Each yes is followed by as many bytes `released`. */
	mayWait(bytes: number): boolean;
	released(bytes: number): void;
	/** There is no room for what came, or the handler has thrown: nothing more is handed over. */
	broken(error: Error): void;
}

/**
 * What comes on a connection whose other end can't be held back, such as a WebSocket: handed over where it lies, and copied
 * only while the handler doesn't want it.
 */
export class Inbox {
	readonly #clock: Pick<Clock, 'endOfTurn'>;
	readonly #events: InboxEvents;
	handler: ConnectionHandler | null = null;
	/** Copies, in the order they came. */
	readonly #waiting: Uint8Array[] = [];
	#isPaused = false;
	#isDelivering = false;
	#isArmed = false;
	#isEnded = false;

	constructor(clock: Pick<Clock, 'endOfTurn'>, events: InboxEvents) {
		this.#clock = clock;
		this.#events = events;
	}

	/** Nothing of what has come is left to hand over. */
	get isEmpty(): boolean {
		return this.#waiting.length === 0;
	}

	/** Hands over what has come. The bytes may be gone when this returns. */
	take(bytes: Uint8Array): void {
		if (this.#isEnded || bytes.length === 0) return;
		const isNext = this.isEmpty && !this.#isPaused && !this.#isDelivering && this.handler !== null;
		const taken = isNext ? this.#deliver(bytes) : 0;
		if (taken === bytes.length || this.#isEnded) return;
		const rest = bytes.length - taken;
		if (!this.#events.mayWait(rest)) {
			this.end();
			this.#events.broken(new Error('more has come than may wait'));
			return;
		}
		this.#waiting.push(bytes.slice(taken));
		this.#arm();
	}

	pause(): void {
		this.#isPaused = true;
	}

	/** Nothing is handed over from within this call. */
	resume(): void {
		this.#isPaused = false;
		if (!this.isEmpty) this.#arm();
	}

	/** Hands over nothing more. */
	end(): void {
		this.#isEnded = true;
		for (const { length } of this.#waiting) this.#events.released(length);
		this.#waiting.length = 0;
	}

	#arm(): void {
		if (this.#isArmed || this.#isPaused) return;
		this.#isArmed = true;
		this.#clock.endOfTurn(() => {
			this.#isArmed = false;
			this.#feed();
		});
	}

	#feed(): void {
		while (!this.isEmpty && !this.#isPaused && !this.#isEnded && !this.#isDelivering) {
			const [bytes] = this.#waiting;
			const taken = this.#deliver(bytes!);
			if (this.#isEnded) return;
			this.#events.released(taken);
			if (taken === bytes!.length) this.#waiting.shift();
			else this.#waiting[0] = bytes!.subarray(taken);
		}
	}

	/** @returns how much of it was taken */
	#deliver(bytes: Uint8Array): number {
		const handler = this.handler!;
		let taken = 0;
		this.#isDelivering = true;
		try {
			taken = handler.lent?.(bytes) ?? 0;
			while (taken < bytes.length && !this.#isPaused && !this.#isEnded) {
				const space = handler.space();
				assert(space.byteLength > 0, 'space() is at least one byte long');
				const part = Math.min(space.byteLength, bytes.length - taken);
				space.set(bytes.subarray(taken, taken + part));
				taken += part;
				handler.received(part);
			}
		} catch (error) {
			this.end();
			this.#events.broken(error as Error);
		}
		this.#isDelivering = false;
		return taken;
	}
}
