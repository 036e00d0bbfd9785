import { assert } from '../assert.js';
import { Lease } from './lease.js';
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
	/** Null if this replica shall hold none. */
	readonly #lease: Lease | null;
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

	/** `options.now`: when the leadership begins. */
	constructor(options: RaftOptions, term: number, log: Log, outbox: Outbox, reads: ReadRounds) {
		const { now } = options;
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
		const { leaseDriftMax, electionTimeoutMs } = options;
		this.#lease = leaseDriftMax === null ? null : new Lease(leaseDriftMax, electionTimeoutMs);
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
		if (now < this.#heartbeatAt) return;
		// A lease lives on rounds, whether anybody reads or not.
		if (this.#mayLease) this.#reads.join();
		if (!this.#startReads(now)) this.#heartbeat(now);
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

	/** What a read that begins now must see, if a lease says so; else -1. It comes from rounds, and there are none before the
	 * term's first commit. */
	leasedIndex(now: number): number {
		return this.#mayLease && this.#lease?.holds(now) === true ? this.#log.committed : -1;
	}

	/** Who told another replica to stand can't rely on what voters promised, for the rest of its term: they vote for that
	 * one all the same, and what it was told may be on its way for long. */
	get #mayLease(): boolean {
		return this.#lease !== null && !this.transfer.hasTold;
	}

	/** A follower wants to read. */
	askedIndex({ from, context, index }: Message, now: number): void {
		const peer = this.peer(from);
		if (peer === null) return;
		const leased = index === 1 ? this.leasedIndex(now) : -1;
		if (leased !== -1) this.#tell(peer, context, leased);
		else if (context !== peer.question) {
			peer.question = context;
			peer.questionRound = this.#reads.join();
			this.#startReads(now);
		}
	}

	/** A peer answered in this term. Even a rejection acknowledges that this replica leads. */
	answered(message: Message, now: number): void {
		const peer = this.peer(message.from);
		// Nobody can match what was never sent: such an answer is not of this log, and counts for nothing.
		if (peer === null || message.index > this.#log.lastIndex) return;
		peer.contactAt = now;
		peer.readRound = Math.max(peer.readRound, Math.min(message.context, this.#reads.latest));
		peer.promisedMs = message.commit;
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
	get #hasCommitted(): boolean {
		return this.#log.termAt(this.#log.committed) === this.#term;
	}

	/** False if no round begins: nobody wants one, or one is under way. */
	#startReads(now: number): boolean {
		if (!this.#hasCommitted || !this.#reads.start(this.#log.committed)) return false;
		this.#lease?.roundBegan(now);
		this.#heartbeat(now);
		this.#confirmReads(now);
		return true;
	}

	#confirmReads(now: number): void {
		if (!this.#reads.isPending) return;
		for (let i = 0; i < this.#peers.length; i += 1) this.#values[i] = this.#peers[i]!.readRound;
		this.#values[this.#peers.length] = this.#reads.latest;
		if (!this.#reads.confirm(majorityReached(this.#values))) return;
		this.#outbox.output.readConfirmed = this.#reads.latest;
		this.#outbox.output.readIndex = this.#reads.index;
		this.#extendLease();
		this.#answerQuestions();
		this.#startReads(now);
	}

	/** By what a majority has promised, of those that answered the round that is confirmed now. */
	#extendLease(): void {
		if (this.#lease === null) return;
		const { latest } = this.#reads;
		for (let i = 0; i < this.#peers.length; i += 1) {
			const { readRound, promisedMs } = this.#peers[i]!;
			this.#values[i] = readRound === latest ? promisedMs : 0;
		}
		this.#values[this.#peers.length] = Number.POSITIVE_INFINITY;
		this.#lease.confirmed(majorityReached(this.#values));
	}

	#answerQuestions(): void {
		for (let i = 0; i < this.#peers.length; i += 1) {
			const peer = this.#peers[i]!;
			if (peer.question === 0 || peer.questionRound > this.#reads.latest) continue;
			this.#tell(peer, peer.question, this.#reads.index);
			peer.question = 0;
		}
	}

	#tell(peer: Progress, question: number, index: number): void {
		const message = this.#outbox.add(MessageKind.readIndexResponse, peer.id, this.#term);
		message.context = question;
		message.index = index;
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
