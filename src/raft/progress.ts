import { assert } from '../assert.js';

export const ProgressState = {
	/** It isn't known where the logs agree: one append at a time, until one is answered. */
	probe: 0,
	/** The logs agree: appends follow each other without waiting, as far as the window allows. */
	replicate: 1,
} as const;
export type ProgressState = (typeof ProgressState)[keyof typeof ProgressState];

/** What a status report may say about a peer. */
export interface PeerProgress {
	/** Replica id. */
	readonly id: number;
	readonly state: ProgressState;
	/** The highest index known to be durable there. */
	readonly match: number;
	/** The next index to send. */
	readonly next: number;
	/** Appends and bytes sent and not yet acknowledged. */
	readonly inflightMessages: number;
	readonly inflightBytes: number;
	/** When it last answered in this term, in ms of the inputs' clock; at first: when this term began. */
	readonly contactAt: number;
	/** It has forgotten what it promised, and doesn't vote yet. */
	readonly isOnProbation: boolean;
}

/** What a leader knows about one peer: `match < next`, and the window between them. */
export class Progress implements PeerProgress {
	readonly id: number;
	state: ProgressState = ProgressState.probe;
	match = 0;
	next: number;
	contactAt: number;
	isOnProbation = false;
	inflightBytes = 0;
	/** The highest read round that this peer has answered. */
	readRound = 0;
	/** For how long it votes for nobody else, from when it heard of that round on. */
	promisedMs = 0;
	/** What it asked last for its reads and wasn't told yet, and the round that will answer it; 0 = nothing. */
	question = 0;
	questionRound = 0;
	/** probe: an append is under way; nothing more is sent before it is answered. Heartbeats go out all
	 * the same, so that a lost one is made up for after a heartbeat interval. */
	#paused = false;
	/** Does a batch begin at `next`? While probing, it may fall within one. */
	#isBorder = true;
	/** The window: a ring of the appends' last indexes and bytes, oldest at `#oldest`. */
	readonly #inflightIndex: Float64Array;
	readonly #inflightSize: Float64Array;
	readonly #bytesMax: number;
	#oldest = 0;
	#inflightCount = 0;

	constructor(id: number, next: number, now: number, messagesMax: number, bytesMax: number) {
		this.id = id;
		this.next = next;
		this.contactAt = now;
		this.#inflightIndex = new Float64Array(messagesMax);
		this.#inflightSize = new Float64Array(messagesMax);
		this.#bytesMax = bytesMax;
	}

	get inflightMessages(): number {
		return this.#inflightCount;
	}

	/** May another append be sent now? The last one may exceed the window: batches are sent whole. */
	get hasRoom(): boolean {
		if (this.#paused) return false;
		return this.#inflightCount < this.#inflightIndex.length && this.inflightBytes < this.#bytesMax;
	}

	/** The entry that a heartbeat asks for: the last one sent. Where that falls within a batch it must not
	 * be matched, for a match is a border: then it is the last one known to be there. */
	get heartbeatIndex(): number {
		return this.#isBorder ? this.next - 1 : this.match;
	}

	/** Bytes left in the window. */
	get bytesLeft(): number {
		return Math.max(0, this.#bytesMax - this.inflightBytes);
	}

	/** An append with entries up to `index` is on its way. */
	sent(index: number, bytes: number): void {
		assert(this.hasRoom, 'an append is sent only where the window has room');
		const at = (this.#oldest + this.#inflightCount) % this.#inflightIndex.length;
		this.#inflightIndex[at] = index;
		this.#inflightSize[at] = bytes;
		this.#inflightCount += 1;
		this.inflightBytes += bytes;
		this.next = index + 1;
		this.#isBorder = true;
		this.probeSent();
	}

	/** An append, with entries or without, is on its way: while probing, it must be answered first. */
	probeSent(): void {
		if (this.state === ProgressState.probe) this.#paused = true;
	}

	/** Everything up to `index` is durable there. True if that is news. */
	acknowledged(index: number): boolean {
		const isNews = index > this.match;
		if (isNews) {
			this.match = index;
			this.next = Math.max(this.next, index + 1);
			this.#release(index);
		}
		this.#paused = false;
		if (this.match + 1 === this.next) {
			this.state = ProgressState.replicate;
			this.#isBorder = true;
		}
		return isNews;
	}

	/**
	 * It doesn't have the entry at `rejected`, but may have the one before `next`, where a batch begins if
	 * `isBorder`. False if the answer was overtaken by another one.
	 */
	rejected(rejected: number, next: number, isBorder: boolean): boolean {
		if (rejected <= this.match || rejected >= this.next) return false;
		this.#probeFrom(next);
		this.#isBorder = isBorder || this.next > next;
		return true;
	}

	/**
	 * What was in flight may be lost. A peer that has acknowledged something is asked from there on; of
	 * one that hasn't, nothing is known yet, and the end of the log stays the better guess: to send it
	 * everything (or a snapshot) it must first have said that it needs that.
	 *
	 * What it acknowledged is forgotten: it may come back with less (a disk whose last flush was damaged), and
	 * must be able to say so. Nothing is lost by it: what is committed stays so, and its first answer restores
	 * what is true.
	 */
	disconnected(lastIndex: number): void {
		const guess = this.match === 0 ? lastIndex + 1 : this.match + 1;
		this.match = 0;
		this.#probeFrom(guess);
	}

	invariants(lastIndex: number): void {
		assert(this.match < this.next, 'match < next');
		assert(this.next <= lastIndex + 1, 'next <= lastIndex + 1');
		assert(this.#isBorder || this.state === ProgressState.probe, 'only a probe is within a batch');
		assert(!this.#paused || this.state === ProgressState.probe, 'only a probe is paused');
		assert(this.#inflightCount <= this.#inflightIndex.length, 'the window is bounded');
		assert(this.#inflightCount > 0 || this.inflightBytes === 0, 'an empty window has no bytes');
		if (this.#inflightCount === 0) return;
		assert(this.#inflightIndex[this.#oldest]! > this.match, 'what is acknowledged left the window');
	}

	#probeFrom(next: number): void {
		this.state = ProgressState.probe;
		this.next = Math.max(this.match + 1, next);
		this.#paused = false;
		this.#isBorder = true;
		this.#inflightCount = 0;
		this.inflightBytes = 0;
	}

	#release(index: number): void {
		while (this.#inflightCount > 0 && this.#inflightIndex[this.#oldest]! <= index) {
			this.inflightBytes -= this.#inflightSize[this.#oldest]!;
			this.#oldest = (this.#oldest + 1) % this.#inflightIndex.length;
			this.#inflightCount -= 1;
		}
	}
}
