import { assert } from '../assert.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { Progress } from './progress.js';
import { majorityReached } from './quorum.js';
import type { ReadRounds } from './read-rounds.js';
import { Transfer } from './transfer.js';
import { type Input, InputKind, type Message, MessageKind, type RaftOptions } from './types.js';

/**
 * What this replica knows and does while it leads. It is made when the term begins and dropped whole when
 * the leadership ends, so that nothing of it can leak into another role.
 */
export class Leadership {
	readonly #reads: ReadRounds;
	readonly #id: number;
	readonly #term: number;
	readonly #log: Log;
	readonly #outbox: Outbox;
	readonly #peers: readonly Progress[];
	readonly #heartbeatMs: number;
	#heartbeatAt: number;
	/** One value for each voter, this one last; majorities are taken over it. */
	readonly #values: Float64Array;
	/** Handing it over. */
	readonly transfer: Transfer;

	constructor(
		options: RaftOptions,
		term: number,
		log: Log,
		outbox: Outbox,
		reads: ReadRounds,
		now: number,
	) {
		this.#id = options.id;
		this.#term = term;
		this.#log = log;
		this.#outbox = outbox;
		this.#peers = options.voters
			.filter((id) => id !== options.id)
			.map((id) => {
				const { inflightMessagesMax, inflightBytesMax } = options;
				return new Progress(id, log.lastIndex + 1, now, inflightMessagesMax, inflightBytesMax);
			});
		this.#reads = reads;
		this.#heartbeatMs = options.heartbeatMs;
		// The no-op, which is proposed at once, is the first sign of life.
		this.#heartbeatAt = now + options.heartbeatMs;
		this.#values = new Float64Array(options.voters.length);
		this.transfer = new Transfer(options, term, log, outbox);
	}

	peer(id: number): Progress | null {
		for (let i = 0; i < this.#peers.length; i += 1) {
			if (this.#peers[i]!.id === id) return this.#peers[i]!;
		}
		return null;
	}

	/** The latest moment at which a majority, this replica included, had been heard from. */
	contactAt(now: number): number {
		for (let i = 0; i < this.#peers.length; i += 1) this.#values[i] = this.#peers[i]!.contactAt;
		this.#values[this.#peers.length] = now;
		return majorityReached(this.#values);
	}

	tick(now: number): void {
		this.transfer.tick(now);
		if (now >= this.#heartbeatAt) this.#heartbeat(now);
	}

	/** The inputs that only a leader takes. */
	step(input: Input, now: number): void {
		switch (input.kind) {
			case InputKind.propose:
				this.#propose(input.count);
				break;
			case InputKind.sent:
				this.#sent(input.peer, input.first, input.index, input.bytes);
				break;
			case InputKind.disconnected:
				this.#disconnected(input.peer);
				break;
			case InputKind.read:
				this.#outbox.output.readRound = this.#reads.join();
				this.#startReads(now);
				break;
		}
	}

	/** Somebody (`asker`) wishes that `target` leads: 0 = the best of the others; who leads already: nobody else.
	 * @returns false if that can't be now */
	handOver(target: number, asker: number, now: number): boolean {
		const { transfer } = this;
		const peer = target === 0 ? transfer.choose(this.#peers, now) : this.peer(target);
		if (target === this.#id) transfer.fail();
		else if (peer === null || !transfer.begin(peer, asker, now)) return false;
		transfer.tellIfDue();
		return true;
	}

	/** A follower wishes it. */
	asked(target: number, asker: number, now: number): void {
		if (!this.handOver(target, asker, now)) this.transfer.refuse(asker);
	}

	/** The next index to send to the peer, 0 if nothing may be sent now. */
	sendFrom(id: number): number {
		const peer = this.peer(id);
		if (peer === null || !peer.hasRoom) return 0;
		return peer.next > this.#log.compacted && peer.next <= this.#log.lastIndex ? peer.next : 0;
	}

	/** The entries that the peer needs next were dropped. */
	needsSnapshot(id: number): boolean {
		const peer = this.peer(id);
		return peer !== null && peer.next <= this.#log.compacted;
	}

	/** A peer answered in this term. Even a rejection acknowledges that this replica leads. */
	answered(message: Message, now: number): void {
		const peer = this.peer(message.from);
		// Nobody can match what was never sent: such an answer is not of this log, and counts for nothing.
		if (peer === null || message.index > this.#log.lastIndex) return;
		peer.contactAt = now;
		peer.readRound = Math.max(peer.readRound, Math.min(message.context, this.#reads.latest));
		if (message.rejected) this.#rejected(peer, message);
		else this.#acknowledged(peer, message.index, now);
		this.#confirmReads(now);
	}

	/** Counts what is durable here and there, and commits: only entries of this term (§5.4.2, figure 8). */
	advanceCommit(now: number): void {
		for (let i = 0; i < this.#peers.length; i += 1) this.#values[i] = this.#peers[i]!.match;
		this.#values[this.#peers.length] = this.#log.persisted;
		const index = majorityReached(this.#values);
		if (index <= this.#log.committed || this.#log.termAt(index) !== this.#term) return;
		this.#log.commit(index);
		this.#startReads(now);
	}

	invariants(): void {
		for (const peer of this.#peers) peer.invariants(this.#log.lastIndex);
		assert(this.#log.lastTerm <= this.#term, 'a leader has no entry of a later term');
	}

	#propose(count: number): void {
		const isNoOp = this.#log.lastTerm !== this.#term;
		assert(count >= 1, 'a batch has entries');
		assert(!isNoOp || count === 1, 'the first entry of a term is the no-op');
		this.#outbox.output.firstIndex = this.#log.propose(count, this.#term);
		this.#outbox.output.wakeSenders = true;
	}

	#sent(id: number, first: number, index: number, bytes: number): void {
		const peer = this.peer(id);
		if (peer === null || this.sendFrom(id) === 0) {
			this.#outbox.output.refused = true;
			return;
		}
		assert(first <= peer.next, 'what is sent begins with what is next');
		assert(first > this.#log.compacted, 'what is sent is still there');
		assert(index >= peer.next && index <= this.#log.lastIndex, 'what is sent is what is next');
		this.#appendHead(peer, first - 1);
		peer.sent(index, bytes);
	}

	#disconnected(id: number): void {
		const peer = this.peer(id);
		if (peer === null) return;
		peer.disconnected(this.#log.lastIndex);
		this.transfer.declined(id);
		this.#outbox.output.wakeSenders = true;
	}

	#acknowledged(peer: Progress, index: number, now: number): void {
		const isNews = peer.acknowledged(index);
		this.#outbox.output.wakeSenders = true;
		if (isNews) this.advanceCommit(now);
		this.transfer.acknowledged(peer, now);
	}

	/**
	 * The peer names the last entry it has that isn't newer than what was asked for; the logs may agree at
	 * the last entry here that isn't newer than that. If this is the very entry, a batch ends there, for a
	 * batch is the same on both sides; and one ends wherever terms change. But if the entry here is of an
	 * older term, its index may fall within a batch.
	 */
	#rejected(peer: Progress, { index, hintIndex, hintTerm }: Message): void {
		const agreed = this.#log.lastAtMost(hintTerm, hintIndex);
		// A peer finds what it lacks before what it was asked for, or it isn't talking about this log.
		if (agreed >= index) return;
		const isBorder = agreed < hintIndex || this.#log.termAt(agreed) === hintTerm;
		if (peer.rejected(index, agreed + 1, isBorder)) this.#outbox.output.wakeSenders = true;
	}

	/** Until an entry of this term is committed, the commit index may be behind that of the leader before
	 * (§8): reads wait for it. */
	#startReads(now: number): void {
		const { committed } = this.#log;
		if (this.#log.termAt(committed) !== this.#term || !this.#reads.start(committed)) return;
		this.#heartbeat(now);
		this.#confirmReads(now);
	}

	#confirmReads(now: number): void {
		if (!this.#reads.isPending) return;
		for (let i = 0; i < this.#peers.length; i += 1) this.#values[i] = this.#peers[i]!.readRound;
		this.#values[this.#peers.length] = this.#reads.latest;
		if (!this.#reads.confirm(majorityReached(this.#values))) return;
		this.#outbox.output.readConfirmed = this.#reads.latest;
		this.#outbox.output.readIndex = this.#reads.index;
		this.#startReads(now);
	}

	#heartbeat(now: number): void {
		this.#heartbeatAt = now + this.#heartbeatMs;
		this.transfer.repeat();
		for (let i = 0; i < this.#peers.length; i += 1) {
			this.#appendHead(this.#peers[i]!, this.#peers[i]!.heartbeatIndex);
			this.#peers[i]!.probeSent();
		}
	}

	/** The head of an append. Where the entry before is forgotten, index 0 stands for it: it matches all. */
	#appendHead(peer: Progress, before: number): void {
		const message = this.#outbox.add(MessageKind.append, peer.id, this.#term);
		if (before >= this.#log.compacted) {
			message.index = before;
			message.logTerm = this.#log.termAt(before);
		}
		message.commit = this.#log.committed;
		message.context = this.#reads.latest;
	}
}
