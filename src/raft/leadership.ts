import { assert } from '../assert.js';
import {
	type Configuration,
	isLegalChange,
	isMember,
	othersThan,
	Quorums,
} from './configuration.js';
import { Lease } from './lease.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { Preference } from './priority.js';
import { ON_PROBATION } from './probation.js';
import { Progress } from './progress.js';
import type { ReadRounds } from './read-rounds.js';
import { Transfer } from './transfer.js';
import { type Input, InputKind, type Message, MessageKind, type RaftOptions } from './types.js';

/** Who leaves and is silent is given up after so many election time-outs. */
const LEAVING_TIMEOUTS = 10;

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
	readonly #options: RaftOptions;
	/** All others of the configuration in force, and those that leave, until they know. */
	#peers: readonly Progress[] = [];
	#quorums!: Quorums;
	#heartbeatAt: number;
	/** Handing it over. */
	readonly transfer: Transfer;
	readonly #preference: Preference;

	/** `options.now`: when the leadership begins. */
	constructor(options: RaftOptions, term: number, log: Log, outbox: Outbox, reads: ReadRounds) {
		const { now } = options;
		this.#id = options.id;
		this.#term = term;
		this.#log = log;
		this.#outbox = outbox;
		this.#options = options;
		this.#reads = reads;
		const { leaseDriftMax, electionTimeoutMs } = options;
		this.#lease = leaseDriftMax === null ? null : new Lease(leaseDriftMax, electionTimeoutMs);
		// The no-op, which is proposed at once, is the first sign of life.
		this.#heartbeatAt = now + options.heartbeatMs;
		this.transfer = new Transfer(options, term, log, outbox);
		this.#preference = new Preference(options, log);
		this.#reconfigure(now);
	}

	peer(id: number): Progress | null {
		for (let i = 0; i < this.#peers.length; i += 1) {
			if (this.#peers[i]!.id === id) return this.#peers[i]!;
		}
		return null;
	}

	/** The latest moment at which a majority, this replica included, had been heard from. */
	contactAt(now: number): number {
		return this.#quorums.reached('contactAt', now);
	}

	/** May a change of the configuration begin, or be ended? Not while the last one isn't committed, nor before an
	 * entry of this term is: until then a configuration of the term before may still come out (Ongaro's correction
	 * of 2015 to the thesis's single-server changes; joint ones are kept to the same). */
	get mayConfigure(): boolean {
		const { committed, configurations } = this.#log;
		return configurations.index <= committed && this.#log.termAt(committed) === this.#term;
	}

	/** The joint configuration is committed. */
	get mustLeaveJoint(): boolean {
		return this.#log.configurations.isJoint && this.mayConfigure;
	}

	/** Is a configuration without this replica committed? Then somebody else must lead (§6), and this is the last that it
	 * says: what is committed. */
	leaves(now: number): boolean {
		const { configurations, committed } = this.#log;
		if (configurations.index > committed || configurations.isJoint) return false;
		if (configurations.current.voters.includes(this.#options.id)) return false;
		this.#heartbeat(now);
		return true;
	}

	/** @returns whether it was time for heartbeats */
	tick(now: number): boolean {
		this.transfer.tick(now);
		if (now < this.#heartbeatAt) return false;
		// A lease lives on rounds, whether anybody reads or not.
		if (this.#mayLease()) this.#reads.join();
		if (!this.#startReads(now)) this.#heartbeat(now);
		this.#prefer(now);
		return true;
	}

	/** Somebody else should lead, and can. */
	#prefer(now: number): void {
		if (this.#log.configurations.current.priorities === undefined) return;
		const successor = this.#preference.successor(this.#peers, now);
		if (successor !== 0 && this.transfer.target === 0) this.handOver(successor, this.#id, now);
	}

	/** It has rested: of nobody's silence meanwhile anything follows, and all hear from it soon. */
	woke(now: number): void {
		for (const peer of this.#peers) peer.contactAt = now;
		this.#heartbeatAt = now;
	}

	/** All whom it sends to are members and have everything, and nobody is about to lead in its place. */
	get isIdle(): boolean {
		const { lastIndex, configurations } = this.#log;
		const hasAll = ({ id, match }: Progress) =>
			match === lastIndex && isMember(configurations.current, id);
		return this.transfer.target === 0 && this.#peers.every(hasAll);
	}

	get peerIds(): readonly number[] {
		return this.#peers.map(({ id }) => id);
	}

	/** The inputs that only a leader takes. */
	step(input: Input, now: number): void {
		switch (input.kind) {
			case InputKind.propose:
				this.#propose(input.count);
				break;
			case InputKind.configure:
				this.#configure(input.configuration!, now);
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
		const { voters } = this.#log.configurations.current;
		const others = this.#peers.filter(({ id }) => voters.includes(id));
		const peer =
			target === 0
				? transfer.choose(others, now)
				: (others.find(({ id }) => id === target) ?? null);
		if (target === this.#id) transfer.fail();
		else if (peer === null || !transfer.begin(peer, asker, now)) {
			// Or the wish would be due, and repeated, for ever.
			if (target === transfer.target) transfer.fail();
			return false;
		}
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
		return this.#mayLease() && this.#lease?.holds(now) === true ? this.#log.committed : -1;
	}

	/** Who told another replica to stand can't rely on what voters promised, for the rest of its term: they vote for that
	 * one all the same, and what it was told may be on its way for long. */
	#mayLease(): boolean {
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

	/** A peer can't know what it promised. It says so, too, when it acknowledges, and then when that is over. */
	asksStanding(id: number): void {
		const peer = this.peer(id);
		if (peer !== null) peer.isOnProbation = true;
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
		else this.#acknowledged(peer, message, now);
		this.#confirmReads(now);
	}

	/** Counts what is durable here and there, and commits: only entries of this term (§5.4.2, figure 8). */
	advanceCommit(now: number): void {
		const index = this.#quorums.reached('match', this.#log.persisted);
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

	#configure(configuration: Configuration, now: number): void {
		const { configurations } = this.#log;
		this.#outbox.output.refused =
			!this.mayConfigure || !isLegalChange(configurations.current, configuration);
		if (this.#outbox.output.refused) return;
		this.#propose(1);
		configurations.append(this.#log.lastIndex, configuration);
		this.#reconfigure(now);
		// Where fewer are needed than before, more may be committed at once.
		this.advanceCommit(now);
	}

	/** Another configuration is in force. Of who leaves, the progress is kept: see `#dismiss`. */
	#reconfigure(now: number): void {
		const { id: own, inflightMessagesMax, inflightBytesMax } = this.#options;
		const { current } = this.#log.configurations;
		const next = this.#log.lastIndex + 1;
		const ids = othersThan(current, own);
		const isLeaving = ({ id }: Progress) => !ids.includes(id);
		const joined = ids.filter((id) => this.peer(id) === null);
		this.#peers = [
			...this.#peers.filter((peer) => !isLeaving(peer)),
			...joined.map((id) => new Progress(id, next, now, inflightMessagesMax, inflightBytesMax)),
			...this.#peers.filter(isLeaving),
		];
		this.#quorums = new Quorums(current, (id) => (id === own ? null : this.peer(id)));
	}

	/** Who has left is sent to until it has got the entry that says so, and was told that it is committed: else it
	 * would never know. One that has been silent for long must find out for itself. */
	#dismiss(now: number): void {
		const { index, current } = this.#log.configurations;
		const isDone = (peer: Progress) =>
			(index <= this.#log.committed && peer.match >= index) ||
			now - peer.contactAt > LEAVING_TIMEOUTS * this.#options.electionTimeoutMs;
		this.#peers = this.#peers.filter((peer) => isMember(current, peer.id) || !isDone(peer));
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

	#acknowledged(peer: Progress, { index, hintTerm: standing }: Message, now: number): void {
		const isNews = peer.acknowledged(index);
		peer.isOnProbation = standing === ON_PROBATION;
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
	#hasCommitted(): boolean {
		return this.#log.termAt(this.#log.committed) === this.#term;
	}

	/** False if no round begins: nobody wants one, or one is under way. */
	#startReads(now: number): boolean {
		if (!this.#hasCommitted() || !this.#reads.start(this.#log.committed)) return false;
		this.#lease?.roundBegan(now);
		this.#heartbeat(now);
		this.#confirmReads(now);
		return true;
	}

	#confirmReads(now: number): void {
		if (!this.#reads.isPending) return;
		if (!this.#reads.confirm(this.#quorums.reached('readRound', this.#reads.latest))) return;
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
		this.#lease.confirmed(this.#quorums.promised(latest));
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
		this.#heartbeatAt = now + this.#options.heartbeatMs;
		this.transfer.repeat();
		for (let i = 0; i < this.#peers.length; i += 1) {
			this.#appendHead(this.#peers[i]!, this.#peers[i]!.heartbeatIndex);
			this.#peers[i]!.probeSent();
		}
		const { length } = this.#peers;
		if (length > 0 && !isMember(this.#log.configurations.current, this.#peers[length - 1]!.id)) {
			this.#dismiss(now);
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
