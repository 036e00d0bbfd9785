import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { type PeerProgress, ProgressState } from './progress.js';
import { MessageKind, type RaftOptions } from './types.js';

/** `Message.context` of a vote request that a leader asked for: voters don't insist on their live leader. */
export const BY_TRANSFER = 1;

/** How many election time-outs a target may take to come near before proposals wait for it. */
const CATCH_UP_TIMEOUTS = 10;

/**
 * A leader's side of handing its leadership to another voter (thesis, §3.10):
 *
 *     begin -> the target catches up with the log's end of then -> proposals wait -> all is sent -> timeoutNow -> its vote request
 *
 * The first step takes as long as it takes (within a bound) and costs nobody anything. From the second on the writes stand
 * still, so that it ends after one election time-out whatever happens. `timeoutNow` follows the last append on the
 * same stream: the target needn't have acknowledged it, and knows by (`index`, `logTerm`) whether it has it all.
 */
export class Transfer {
	readonly #id: number;
	readonly #term: number;
	readonly #log: Log;
	readonly #outbox: Outbox;
	readonly #timeoutMs: number;
	#target: PeerProgress | null = null;
	/** In this term somebody was told to stand. Whatever came of it, that may arrive at any time from now on. */
	hasTold = false;
	/** Who wishes it: a replica id. */
	#asker = 0;
	/** The log's end when it began. */
	#goal = 0;
	#endAt = 0;
	#isHolding = false;
	/** The target was told, since the last heartbeat. */
	#isTold = false;

	constructor(options: RaftOptions, term: number, log: Log, outbox: Outbox) {
		this.#id = options.id;
		this.#term = term;
		this.#log = log;
		this.#outbox = outbox;
		this.#timeoutMs = options.electionTimeoutMs;
	}

	/** Who shall lead; 0 = nobody else. */
	get target(): number {
		return this.#target?.id ?? 0;
	}

	/** Proposals wait. */
	get isHolding(): boolean {
		return this.#isHolding;
	}

	/** Who was told to stand and has all of the log; 0 = nobody. */
	get successor(): number {
		return this.#isHolding && this.hasTold ? this.target : 0;
	}

	/** The target has been sent all there is, and may be told to stand: the wish must be repeated. */
	get isDue(): boolean {
		const target = this.#target;
		if (target === null || !this.#isHolding || this.#isTold) return false;
		return target.state === ProgressState.replicate && target.next > this.#log.lastIndex;
	}

	/** Somebody (`asker`, a replica id) wishes that this peer leads. @returns false if that can't be now */
	begin(target: PeerProgress, asker: number, now: number): boolean {
		if (!this.#isLive(target, now)) return false;
		// Before its first entry a leader has nothing to hand over.
		if (this.#log.lastTerm !== this.#term) return false;
		if (this.#target !== null) return this.#target === target;
		this.#target = target;
		this.#asker = asker;
		this.#goal = this.#log.lastIndex;
		this.#endAt = now + CATCH_UP_TIMEOUTS * this.#timeoutMs;
		this.acknowledged(target, now);
		return true;
	}

	/** Who is about to take over already, or the best of the peers: of those that answer, who has most. */
	choose(peers: readonly PeerProgress[], now: number): PeerProgress | null {
		if (this.#target !== null) return this.#target;
		let best: PeerProgress | null = null;
		for (let i = 0; i < peers.length; i += 1) {
			const peer = peers[i]!;
			if (!this.#isLive(peer, now)) continue;
			if (best === null || peer.match > best.match) best = peer;
		}
		return best;
	}

	/** A peer has acknowledged something. */
	acknowledged(peer: PeerProgress, now: number): void {
		if (peer !== this.#target || this.#isHolding || peer.match < this.#goal) return;
		this.#isHolding = true;
		this.#endAt = now + this.#timeoutMs;
	}

	/** Tells the target to stand, when it has been sent everything. */
	tellIfDue(): void {
		if (!this.isDue) return;
		this.#isTold = true;
		this.hasTold = true;
		const message = this.#outbox.add(MessageKind.timeoutNow, this.target, this.#term);
		message.index = this.#log.lastIndex;
		message.logTerm = this.#log.lastTerm;
	}

	/** A heartbeat goes out: what was said before may be lost. */
	repeat(): void {
		this.#isTold = false;
	}

	tick(now: number): void {
		if (this.#target === null) return;
		if (now >= this.#endAt || !this.#isLive(this.#target, now)) this.fail();
	}

	/** This replica goes on leading, unless the target does stand after all. */
	fail(): void {
		if (this.#target === null) return;
		this.#target = null;
		this.#isHolding = false;
		this.#isTold = false;
		this.#outbox.output.transferFailed = true;
		if (this.#asker !== this.#id) this.refuse(this.#asker);
	}

	/** That replica can't stand, or what it was told may be lost and it is gone. */
	declined(by: number): void {
		if (by === this.target) this.fail();
	}

	/** Tells a follower that its wish isn't fulfilled. */
	refuse(asker: number): void {
		this.#outbox.add(MessageKind.transfer, asker, this.#term).rejected = true;
	}

	/** It answers, and has acknowledged something on its present stream; in a term that has only begun nobody has. */
	#isLive(peer: PeerProgress, now: number): boolean {
		const isNewTerm = this.#log.termAt(this.#log.committed) !== this.#term;
		return (isNewTerm || peer.match > 0) && now - peer.contactAt < this.#timeoutMs;
	}
}
