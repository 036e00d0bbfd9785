import type { Clock, Timer } from '../io.js';
import type { PeerStream } from './peer-stream.js';

const TICKS = 4;
const SILENCE_MS_MIN = 1_000;
/** Each new connection that stays silent too is given twice the time, up to this many times the first one's. */
const PATIENCE_MAX = 8;

/** What is known of one stream. */
interface Watched {
	readonly stream: PeerStream;
	/** When it was last looked at. */
	receivedBytes: number;
	silentMs: number;
	patience: number;
}

/**
 * Makes a connection anew on which an answer should have come long ago.
 *
 * A partition loses packets, not connections. Once it is over, TCP goes on with what it has, but only when its next
 * retransmission is due, which after a partition of a minute may be a minute later; and of a connection whose other
 * end has gone meanwhile it never learns anything. A new one is there at once.
 */
export class SilenceWatch {
	readonly #clock: Clock;
	readonly #silenceMs: number;
	readonly #streams = new Map<PeerStream, Watched>();
	readonly #expectsAnswers: () => boolean;
	#timer: Timer | null = null;
	#isClosed = false;

	/** `expectsAnswers`: whether every peer that lives would be heard from now. A follower with a leader may have
	 * nothing to hear from anybody else. */
	constructor(clock: Clock, electionTimeoutMs: number, expectsAnswers: () => boolean) {
		this.#clock = clock;
		this.#silenceMs = Math.max(SILENCE_MS_MIN, 2 * electionTimeoutMs);
		this.#expectsAnswers = expectsAnswers;
		this.#arm();
	}

	watch(stream: PeerStream): void {
		this.#streams.set(stream, { stream, receivedBytes: 0, silentMs: 0, patience: 1 });
	}

	forget(stream: PeerStream): void {
		this.#streams.delete(stream);
	}

	close(): void {
		this.#isClosed = true;
		this.#timer?.cancel();
	}

	#arm(): void {
		this.#timer = this.#clock.after(this.#silenceMs / TICKS, () => {
			// A loop that was blocked first reads what came meanwhile, then judges.
			this.#clock.afterPendingIo(() => {
				if (this.#isClosed) return;
				for (const watched of this.#streams.values()) this.#look(watched);
				this.#arm();
			});
		});
	}

	#look(watched: Watched): void {
		const { stream } = watched;
		const { receivedBytes } = stream.counters;
		if (receivedBytes !== watched.receivedBytes) {
			watched.receivedBytes = receivedBytes;
			watched.patience = 1;
			watched.silentMs = 0;
		} else if (!stream.isReading || !this.#expectsAnswers()) {
			watched.silentMs = 0;
		} else {
			watched.silentMs += this.#silenceMs / TICKS;
		}
		if (watched.silentMs < this.#silenceMs * watched.patience) return;
		watched.silentMs = 0;
		watched.patience = Math.min(PATIENCE_MAX, 2 * watched.patience);
		stream.redial();
	}
}
