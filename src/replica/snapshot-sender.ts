import { emptyMessage, MessageFrameKind, type MessageNumbers } from '../format/message.js';
import type { Clock, Timer } from '../io.js';
import type { HeldSnapshot, SnapshotStore } from '../log/snapshot-store.js';
import type { Message } from '../raft/types.js';
import type { Outbound } from '../transport/outbound.js';
import type { Tell } from './events.js';
import type { SnapshotProgress } from './types.js';

/** Of an offer that isn't answered: asked again after this time. */
const PATIENCE_MS = 1000;

/** What a sender needs to know of its replica. */
export interface SnapshotSource {
	readonly store: SnapshotStore;
	readonly clock: Clock;
	readonly group: number;
	readonly id: number;
	readonly term: () => number;
	/** Everything up to here was dropped from the log. */
	readonly compacted: () => number;
	/** Asks for a snapshot with the state. @returns whether the latest is one */
	readonly wantFull: () => boolean;
	/** Reads all of the file again: is it still what was verified once? If not, another one is taken. */
	readonly isWhole: (held: HeldSnapshot) => Promise<boolean>;
	/** The longest body of one frame, and what may be sent and not yet written there. */
	readonly chunkBytes: number;
	readonly windowBytes: number;
	readonly bytesPerSecond: number;
	/** There may be something to send. */
	readonly wake: () => void;
	readonly tell: Tell;
	readonly fail: (error: Error) => void;
}

/**
 * Sends the file of a snapshot to one peer that needs what the log has no more: an offer, which the peer answers with
 * how much of this very file it has, then range after range, as far as window and rate allow. The file is held until
 * the peer is through with it or doesn't need it any more, however long that takes and whatever newer one there is.
 */
export class SnapshotSender {
	readonly #peer: number;
	readonly #source: SnapshotSource;
	#held: HeldSnapshot | null = null;
	#isOpening = false;
	#term = 0;
	#isReading = false;
	/** The peer has answered the offer. */
	#isTaken = false;
	/** The peer had all of it, and wants it again: until it is clear why, nothing is sent. */
	#isDoubted = false;
	/** The next byte to send; the peer has written all before `#written`. */
	#offset = 0;
	#written = 0;
	/** When an answer was last heard or asked for. */
	#askedAt = Number.NEGATIVE_INFINITY;
	/** Not before that may the next range go. */
	#nextAt = 0;
	#timer: Timer | null = null;
	/** Changes whenever what is under way has become void. */
	#round = 0;

	constructor(peer: number, source: SnapshotSource) {
		this.#peer = peer;
		this.#source = source;
	}

	/** The end of the snapshot that is being sent: the log behind it will be needed. Infinite if none is. */
	get index(): number {
		return this.#held?.snapshot.index ?? Number.POSITIVE_INFINITY;
	}

	/** It has a file to send, or will have. */
	get isActive(): boolean {
		return this.#held !== null || this.#isOpening;
	}

	get progress(): SnapshotProgress | null {
		if (this.#held === null) return null;
		const { index, bytes } = this.#held.snapshot;
		return { index, bytes: this.#written, total: bytes };
	}

	/** The peer needs a snapshot: sends what may be sent now. */
	pump(outbound: Outbound): void {
		const { clock, compacted, term } = this.#source;
		// A range that is on its way when leadership ends is still one of this term.
		this.#term = term();
		// What lies behind this one is gone: the peer could not go on from there.
		if (this.#held !== null && this.index < compacted()) this.stop();
		if (this.#held === null) return this.#open();
		if (this.#isDoubted) return;
		if (clock.now() - this.#askedAt >= PATIENCE_MS) this.#offer(outbound);
		if (this.#isTaken) this.#send(outbound, this.#held);
	}

	/** The peer needs none (any more), or not from here. */
	stop(): void {
		this.#round += 1;
		this.#timer?.cancel();
		this.#timer = null;
		const held = this.#held;
		this.#held = null;
		this.#isReading = false;
		this.#isDoubted = false;
		held?.release().catch((error: Error) => this.#source.fail(error));
	}

	/** The stream is another one: how much has arrived is asked anew. */
	streamChanged(): void {
		this.#isTaken = false;
		this.#askedAt = Number.NEGATIVE_INFINITY;
		this.#round += 1;
		this.#isReading = false;
	}

	/** The peer says how much it has; `rejected`: it wants to go on from there. */
	answered({ index, context, hintIndex, rejected }: Message): void {
		const held = this.#held;
		const snapshot = held?.snapshot;
		if (
			held === null ||
			snapshot === undefined ||
			snapshot.index !== index ||
			snapshot.identity !== context
		)
			return;
		if (hintIndex > snapshot.bytes) return;
		this.#askedAt = this.#source.clock.now();
		if (this.#written === snapshot.bytes && hintIndex < snapshot.bytes) this.#doubt(held);
		if (hintIndex === snapshot.bytes && this.#written < hintIndex) {
			const { tell } = this.#source;
			tell('', 'snapshot-sent', { peer: this.#peer, index, bytes: hintIndex });
		}
		this.#written = hintIndex;
		if (rejected) {
			this.#isTaken = true;
			this.#offset = hintIndex;
			this.#round += 1;
			this.#isReading = false;
		}
		this.#source.wake();
	}

	#open(): void {
		const { store, wantFull, wake, tell, fail } = this.#source;
		if (this.#isOpening || !wantFull()) return;
		this.#isOpening = true;
		const round = this.#round;
		store.holdFull().then(
			(held) => {
				this.#isOpening = false;
				if (held === null) return wake();
				if (round !== this.#round) return void held.release().catch(fail);
				const { index, bytes } = held.snapshot;
				const peer = this.#peer;
				const line = `sends a snapshot up to ${index}, ${bytes} bytes, to replica ${peer}`;
				tell(line, 'snapshot-sending', { peer, index, bytes });
				this.#held = held;
				this.#offset = this.#written = 0;
				this.streamChanged();
				wake();
			},
			(error: Error) => {
				this.#isOpening = false;
				fail(error);
			},
		);
	}

	/** What the peer had all of was of no use to it: the file may have rotted here. */
	#doubt(held: HeldSnapshot): void {
		const { isWhole, wake, fail } = this.#source;
		this.#isDoubted = true;
		isWhole(held).then(
			(isGood) => {
				if (this.#held !== held) return;
				if (isGood) this.#isDoubted = false;
				else this.stop();
				wake();
			},
			(error: Error) => {
				// It was let go of in the meantime.
				if (this.#held === held) fail(error);
			},
		);
	}

	/** Names the snapshot; the peer says how much of it is there. */
	#offer(outbound: Outbound): void {
		this.#askedAt = this.#source.clock.now();
		this.#isTaken = false;
		outbound.message(this.#head(0));
	}

	#head(offset: number): MessageNumbers {
		const { snapshot } = this.#held!;
		const head = emptyMessage(MessageFrameKind.snapshotChunk);
		head.group = this.#source.group;
		head.from = this.#source.id;
		head.to = this.#peer;
		head.term = this.#term;
		head.index = snapshot.index;
		head.logTerm = snapshot.term;
		head.context = snapshot.identity;
		head.hintIndex = offset;
		head.hintTerm = snapshot.bytes;
		return head;
	}

	/** One range at a time is read. */
	#send(outbound: Outbound, held: HeldSnapshot): void {
		const { chunkBytes, windowBytes, clock, fail, wake } = this.#source;
		const rest = held.snapshot.bytes - this.#offset;
		const room = this.#written + windowBytes - this.#offset;
		if (this.#isReading || rest === 0 || room <= 0) return;
		if (clock.now() < this.#nextAt) return this.#wait();
		const bytes = new Uint8Array(Math.min(chunkBytes, rest, room));
		const offset = this.#offset;
		const round = this.#round;
		this.#isReading = true;
		held.read(offset, bytes).then(
			(count) => {
				if (round !== this.#round) return;
				this.#isReading = false;
				if (count !== bytes.length) return fail(new Error('the file of a snapshot ends early'));
				if (outbound.message(this.#head(offset), 0, bytes)) this.#sent(bytes.length);
				wake();
			},
			(error: Error) => {
				if (round === this.#round) fail(error);
			},
		);
	}

	#sent(bytes: number): void {
		const { clock, bytesPerSecond } = this.#source;
		this.#offset += bytes;
		this.#nextAt = Math.max(this.#nextAt, clock.now()) + (1000 * bytes) / bytesPerSecond;
		// While ranges go out, answers come; silence counts from here.
		this.#askedAt = clock.now();
	}

	#wait(): void {
		if (this.#timer !== null) return;
		this.#timer = this.#source.clock.after(this.#nextAt - this.#source.clock.now(), () => {
			this.#timer = null;
			this.#source.wake();
		});
	}
}
