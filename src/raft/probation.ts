import { assert } from '../assert.js';
import type { HardState } from './hard-state.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { majorityOf } from './quorum.js';
import { type Message, MessageKind, type RaftOptions } from './types.js';

/** `Message.hintIndex` of a `standingResponse`: who answers leads in its term. */
export const LEADING = 1;

/** `Message.hintTerm` of an acknowledgement: who sends it doesn't vote yet. */
export const ON_PROBATION = 1;

/** What another replica said of itself. */
interface Answer {
	readonly term: number;
	/** It remembers all that it ever promised. */
	readonly isSure: boolean;
	readonly isEmpty: boolean;
	/** To the answerer, this replica is a voter. */
	readonly knowsVoter: boolean;
}

/**
 * What a replica knows and does while it can't know what it promised: its disk is new, was wiped, or was damaged. It
 * may have given votes and acknowledgements that it has forgotten, so that it neither votes nor stands until
 * it is sure to break none of them (compare the recovery protocol of Viewstamped Replication Revisited, §4.3).
 *
 * 1. *Asking.* It asks all others for their terms and takes part in nothing else. Whoever it voted for, and
 *    whoever's entries it acknowledged, has that term on disk before, and is among them, or was elected by one of
 *    them. So the highest of their terms bounds every promise; it enters that term with its vote spent.
 *    Where all logs are empty, it can't have acknowledged anything: it is done. Nor can one that joins, if it is no
 *    voter to any of a majority of those it was told of: once it is one, at least one of them knows (§6).
 * 2. *Catching up.* It follows leaders of that term and later ones, and acknowledges what it holds; to them that
 *    counts, for nobody can be elected by it. It asks the leader it hears from where its log ends. Whatever it
 *    acknowledged and has forgotten lies before that: it holds all of it once it has got there in the same term.
 *
 * Whom it must ask is decided by the configuration in force. Where it finds another one in the log than the one it
 * began with, it asks those who came new before it is done, too.
 *
 * It asks again after a restart: nothing of this is kept.
 */
export class Probation {
	readonly #options: RaftOptions;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;
	/** There is no trace of an earlier life. */
	readonly #isEmpty: boolean;
	readonly #answers = new Map<number, Answer>();
	/** Names the question that is asked now: an answer to an earlier one doesn't count. */
	#question: number;
	#askAt = 0;
	#isAsking = true;
	/** Catching up: whose log it must reach, in which term; 0 = nobody's yet. */
	#leader = 0;
	#term = 0;
	/** Where that log ended; -1 = it has not said so yet. */
	#target = -1;
	/** Nobody has anything: there is nothing to catch up with. */
	#isNewCluster = false;
	/** It joins, and was never a voter: it can't have promised anything. */
	#isNewcomer = false;
	#isOver = false;

	constructor(options: RaftOptions, hardState: HardState, log: Log, outbox: Outbox) {
		assert(options.probation !== null, 'this replica is on probation');
		this.#options = options;
		this.#hardState = hardState;
		this.#log = log;
		this.#outbox = outbox;
		this.#question = options.probation.question;
		this.#isEmpty = options.probation.isNew && log.lastIndex === 0 && hardState.term === 0;
	}

	/** It takes part in nothing yet. */
	get isAsking(): boolean {
		return this.#isAsking;
	}

	/** Who must answer, or vouch, before it may go on; nobody once it only has to catch up. */
	get missing(): readonly number[] {
		if (!this.#isAsking) return [];
		const unsure = this.#unsure;
		// With two replicas even one that is sure isn't enough: nobody can be spared.
		return unsure.length > 0 ? unsure : this.#others;
	}

	/** Does this replica, asked itself, have nothing? One that may have lost something never says so. */
	get seemsEmpty(): boolean {
		return this.#isNewCluster || (this.#isAsking && this.#isEmpty);
	}

	/** Asks, and asks again. `leader`: who leads in this term; 0 = unknown. */
	tick(now: number, leader: number): void {
		if (this.#isOver || now < this.#askAt) return;
		this.#askAt = now + this.#options.heartbeatMs;
		if (this.#isAsking) {
			for (const id of this.#unsure) this.#ask(id);
		} else if (leader !== 0) {
			this.#follow(leader);
			if (this.#target === -1) this.#ask(leader);
		}
	}

	answered(message: Message): void {
		if (this.#isOver || message.context !== this.#question) return;
		if (this.#isAsking) this.#heard(message);
		else if (this.#isOfLeader(message)) this.#target = message.index;
	}

	/** Was it said by whom this replica follows, *as* leader? Who led this term may have been restarted since, and have lost
	 * its own log: where that ends says nothing. */
	#isOfLeader({ from, term, hintIndex }: Message): boolean {
		return from === this.#leader && term === this.#term && hintIndex === LEADING;
	}

	/** Does this replica hold whatever it promised, on disk? True once.
	 * `reached`: up to there this log is durable, and the leader's of this term. */
	ends(reached: number): boolean {
		if (this.#isAsking || this.#isOver || !this.#hardState.isSaved) return false;
		const isCaughtUp =
			this.#target !== -1 && this.#term === this.#hardState.term && reached >= this.#target;
		this.#isOver = this.#isNewCluster || this.#isNewcomer || (isCaughtUp && this.#hasHeardEnough);
		// There are voters who were not asked: the log has told of them.
		this.#isAsking = isCaughtUp && !this.#isOver;
		return this.#isOver;
	}

	get #unsure(): number[] {
		return this.#others.filter((id) => !this.#isSure(id));
	}

	get #others(): number[] {
		const { voters, outgoing } = this.#log.configurations.current;
		return [...new Set([...voters, ...outgoing])].filter((id) => id !== this.#options.id);
	}

	#isSure(id: number): boolean {
		return this.#answers.get(id)?.isSure === true;
	}

	#ask(id: number): void {
		const message = this.#outbox.add(MessageKind.standing, id, this.#hardState.term);
		message.context = this.#question;
	}

	/** Another leader or term than before: what the last one said is void. */
	#follow(leader: number): void {
		if (leader === this.#leader && this.#term === this.#hardState.term) return;
		this.#leader = leader;
		this.#term = this.#hardState.term;
		this.#target = -1;
		this.#question += 1;
	}

	#heard(message: Message): void {
		this.#answers.set(message.from, {
			term: message.term,
			isSure: !message.rejected,
			isEmpty: message.index === 0,
			knowsVoter: message.hintTerm !== 1,
		});
		const answers = [...this.#answers.values()];
		this.#isNewcomer = this.#isNobodysVoter;
		const isComplete = this.#others.every((id) => this.#answers.has(id));
		const mayBeNew = isComplete && this.#isEmpty && !this.#options.probation?.isJoining;
		this.#isNewCluster = mayBeNew && answers.every((answer) => answer.isEmpty);
		if (!this.#isNewcomer && !this.#isNewCluster && !this.#hasHeardEnough) return;
		if (!this.#isNewcomer) this.#enterBound(Math.max(...answers.map((answer) => answer.term)));
		this.#isAsking = false;
		this.#question += 1;
	}

	get #isNobodysVoter(): boolean {
		if (!this.#options.probation?.isJoining || !this.#isEmpty) return false;
		if ([...this.#answers.values()].some((answer) => answer.knowsVoter)) return false;
		const { voters } = this.#log.configurations.current;
		return voters.filter((id) => this.#isSure(id)).length >= majorityOf(voters.length);
	}

	/** All others have answered; and those that forgot something, this one included, are so few that every majority
	 * has a sure one. */
	get #hasHeardEnough(): boolean {
		const { voters, outgoing } = this.#log.configurations.current;
		const hasSure = (ids: readonly number[]) =>
			ids.filter((id) => this.#isSure(id)).length >= majorityOf(ids.length);
		const isComplete = this.#others.every((id) => this.#answers.has(id));
		return isComplete && hasSure(voters) && (outgoing.length === 0 || hasSure(outgoing));
	}

	/** No vote of the past was given in a later term; and in this one no other is given. */
	#enterBound(term: number): void {
		if (term > this.#hardState.term) this.#hardState.enterTerm(term);
		if (this.#hardState.term > 0 && this.#hardState.vote === 0) {
			this.#hardState.voteFor(this.#options.id);
		}
	}
}
