import { Busy, NotLeader, ReadFailed } from '../errors.js';
import type { Clock } from '../io.js';
import type { Raft } from '../raft/raft.js';
import { Role } from '../raft/types.js';

/** How a read may be answered, beside by a round that a majority confirms. */
export interface ReadTerms {
	/** A lease will do. */
	readonly mayLease: boolean;
	/** It is answered here only as long as this replica leads. */
	readonly leaderOnly: boolean;
}

const ANY: ReadTerms = { mayLease: true, leaderOnly: false };

/** A read that waits: for its round to be confirmed, then for the log to be applied up to its index. */
interface PendingRead extends ReadTerms {
	readonly run: () => void;
	readonly failed: (error: Error) => void;
	round: number;
	/** The round was wanted at this time (ms, monotonic): its index covers all that was committed by then. */
	askedAt: number;
	/** Once confirmed: may be answered when this index is applied. */
	index: number;
}

/**
 * Linearizable reads (read index, thesis 6.4). Those of one turn share a round, or a question to the leader; that is
 * confirmed by a quorum that answered after it began; then the read waits until everything committed by then is
 * applied here.
 */
export class Reads {
	readonly #readsMax: number;
	/** Not yet given to the core. */
	#fresh: PendingRead[] = [];
	/** Of the fresh ones, how many a lease will do for, and how many want to be answered by a leader. */
	#leasable = 0;
	#leaderOnly = 0;
	/** Ascending by round. */
	#unconfirmed: PendingRead[] = [];
	/** Ascending by index. */
	#confirmed: PendingRead[] = [];
	/** Everything that was committed by this time lies at or before this index. */
	#knownAt = Number.NEGATIVE_INFINITY;
	#knownIndex = 0;

	constructor(readsMax: number) {
		this.#readsMax = readsMax;
	}

	/** Would a lease do for all fresh reads? */
	get allLeasable(): boolean {
		return this.#leasable === this.#fresh.length;
	}

	get count(): number {
		return this.#fresh.length + this.#unconfirmed.length + this.#confirmed.length;
	}

	/** `run` is called when the state machine may be asked. `terms`: null if it may be as soon as it can be asked at
	 * all. Errors: `Busy`. */
	add(run: () => void, failed: (error: Error) => void, terms: ReadTerms | null): void {
		if (this.count >= this.#readsMax) throw new Busy('pending reads', this.#readsMax);
		const { mayLease, leaderOnly } = terms ?? ANY;
		const read = { run, failed, mayLease, leaderOnly, round: 0, askedAt: 0, index: 0 };
		if (terms === null) this.#confirm(read, 0);
		else this.#addFresh(read);
	}

	#addFresh(read: PendingRead): void {
		this.#fresh.push(read);
		if (read.mayLease) this.#leasable += 1;
		if (read.leaderOnly) this.#leaderOnly += 1;
	}

	#takeFresh(): PendingRead[] {
		const taken = this.#fresh;
		this.#fresh = [];
		this.#leasable = 0;
		this.#leaderOnly = 0;
		return taken;
	}

	/** Does a state that is applied up to `applied` hold everything that was committed `maxLagMs` before `now`? */
	isKnownFresh(applied: number, now: number, maxLagMs: number): boolean {
		return applied >= this.#knownIndex && now - this.#knownAt <= maxLagMs;
	}

	/** Does what can be done for the fresh reads without asking anybody. @returns whether any of them are left */
	settle(raft: Raft, clock: Clock): boolean {
		if (this.#fresh.length === 0) return false;
		if (raft.role !== Role.leader) this.refuseLeaderOnly(raft.leader);
		else if (this.#leasable > 0) this.#settleByLease(raft, clock.now());
		return this.#fresh.length > 0;
	}

	/** `now` is taken when all these reads are there: a lease that held before they came says nothing. */
	#settleByLease(raft: Raft, now: number): void {
		const index = raft.leasedIndex(now);
		if (index !== -1) this.leased(index, now);
	}

	/** A lease held at `now`, when all fresh reads were there: those it will do for may be answered at `index`. */
	leased(index: number, now: number): void {
		for (const read of this.#takeFresh()) {
			if (read.mayLease) this.#confirm(read, index);
			else this.#addFresh(read);
		}
		this.#knows(index, now);
	}

	/** The core's answer for all fresh reads, given at `now`. */
	began(round: number, now: number): void {
		for (const read of this.#takeFresh()) {
			read.round = round;
			read.askedAt = now;
			this.#unconfirmed.push(read);
		}
	}

	confirmed(round: number, index: number): void {
		let count = 0;
		while (count < this.#unconfirmed.length && this.#unconfirmed[count]!.round <= round) {
			this.#confirm(this.#unconfirmed[count]!, index);
			count += 1;
		}
		if (count === 0) return;
		this.#knows(index, this.#unconfirmed[count - 1]!.askedAt);
		this.#unconfirmed = this.#unconfirmed.slice(count);
	}

	#confirm(read: PendingRead, index: number): void {
		read.index = Math.max(index, this.#confirmed.at(-1)?.index ?? 0);
		this.#confirmed.push(read);
	}

	#knows(index: number, at: number): void {
		if (at < this.#knownAt) return;
		this.#knownAt = at;
		this.#knownIndex = index;
	}

	/** Everything up to `index` is applied. */
	applied(index: number): void {
		if (this.#confirmed.length === 0 || this.#confirmed[0]!.index > index) return;
		let count = 0;
		while (count < this.#confirmed.length && this.#confirmed[count]!.index <= index) count += 1;
		const ready = this.#confirmed.slice(0, count);
		this.#confirmed = this.#confirmed.slice(count);
		for (const read of ready) read.run();
	}

	/** This replica leads no more, or leads now: what isn't confirmed must be asked anew, of whoever leads. */
	askAgain(): void {
		const again = [...this.#unconfirmed, ...this.#takeFresh()];
		this.#unconfirmed = [];
		for (const read of again) this.#addFresh(read);
	}

	/** This replica doesn't lead: fails the fresh reads that wanted a leader. */
	refuseLeaderOnly(leader: number): void {
		if (this.#leaderOnly === 0) return;
		const error = new NotLeader(leader);
		for (const read of this.#takeFresh()) {
			if (read.leaderOnly) read.failed(error);
			else this.#addFresh(read);
		}
	}

	failAll(why: string): void {
		const error = new ReadFailed(why);
		const failed = [...this.#unconfirmed, ...this.#takeFresh(), ...this.#confirmed];
		this.#unconfirmed = [];
		this.#confirmed = [];
		for (const read of failed) read.failed(error);
	}
}
