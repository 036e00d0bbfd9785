import type { Following } from './following.js';
import type { HardState } from './hard-state.js';
import type { Outbox } from './outbox.js';
import { ReadRounds } from './read-rounds.js';
import { type Message, MessageKind, type RaftOptions } from './types.js';

/**
 * What a follower asks its leader for the sake of reads: up to where must this replica have applied the log, so that
 * it has all that was committed when the question was asked?
 *
 * One question is under way at a time, for all reads that came before it was asked; those that come later wait for
 * the next. It is asked again, under its number, until the leader of this term answers it. Numbers begin at one that
 * chance gave this life, and are never used twice: an answer to any other question counts for nothing (rule 17).
 */
export class ReadQuestions {
	readonly #hardState: HardState;
	readonly #following: Following;
	readonly #outbox: Outbox;
	readonly #heartbeatMs: number;
	readonly #questions: ReadRounds;
	/** Some read of the question under way, or of the next one, wants no lease. */
	#needsRound = false;
	#nextNeedsRound = false;
	#askAt = 0;

	constructor(options: RaftOptions, hardState: HardState, following: Following, outbox: Outbox) {
		this.#hardState = hardState;
		this.#following = following;
		this.#outbox = outbox;
		this.#heartbeatMs = options.heartbeatMs;
		this.#questions = new ReadRounds(options.life);
	}

	get isPending(): boolean {
		return this.#questions.isPending;
	}

	/** A read joins the next question; refused while there is nobody to ask. */
	read(mayLease: boolean, now: number, leader: number): void {
		const { output } = this.#outbox;
		output.refused = leader === 0;
		if (output.refused) return;
		this.#nextNeedsRound ||= !mayLease;
		output.readRound = this.#questions.join();
		this.#askNext(now, leader);
	}

	/** Asks again: the question or its answer may be lost, and the leader may be another. */
	tick(now: number, leader: number): void {
		const isDue = this.#questions.isUnderWay && now >= this.#askAt;
		if (isDue && leader !== 0) this.#send(now, leader);
	}

	/** Of the answer to the question under way: what the leader has committed may be told here first. */
	answered({ from, context, index }: Message, now: number, leader: number): void {
		const isAnswer = this.#questions.isUnderWay && context === this.#questions.latest;
		if (!isAnswer || from !== leader) return;
		this.#questions.confirm(context);
		const { output } = this.#outbox;
		output.readConfirmed = context;
		output.readIndex = index;
		this.#following.learned(index);
		this.#askNext(now, leader);
	}

	/** This replica leads now: who waits must join a round. Did anybody? */
	abandon(): boolean {
		return this.#questions.abandon();
	}

	/** If somebody waits for the next question, and none is under way. */
	#askNext(now: number, leader: number): void {
		if (!this.#questions.start(0)) return;
		this.#needsRound = this.#nextNeedsRound;
		this.#nextNeedsRound = false;
		this.#send(now, leader);
	}

	/** Nobody hears of a term before it is durable. */
	#send(now: number, leader: number): void {
		if (!this.#hardState.isTermSaved) return;
		this.#askAt = now + this.#heartbeatMs;
		const message = this.#outbox.add(MessageKind.readIndex, leader, this.#hardState.term);
		message.context = this.#questions.latest;
		message.index = this.#needsRound ? 0 : 1;
	}
}
