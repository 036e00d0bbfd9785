import { assert } from '../assert.js';
import type { HardState } from './hard-state.js';
import type { Leadership } from './leadership.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { LEADING, type Probation } from './probation.js';
import { BY_TRANSFER } from './transfer.js';
import { type Message, MessageKind, type RaftOptions } from './types.js';

/** What this replica says about elections, asking and asked; nothing that its disk doesn't back. */
export class Ballot {
	readonly #id: number;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;

	constructor(options: RaftOptions, hardState: HardState, log: Log, outbox: Outbox) {
		this.#id = options.id;
		this.#hardState = hardState;
		this.#log = log;
		this.#outbox = outbox;
	}

	/** Asks all other voters whether they would vote for this replica in the next term. */
	requestPreVotes(): void {
		this.#request(MessageKind.preVote, this.#hardState.term + 1, 0);
	}

	requestVotes(isByTransfer: boolean): void {
		assert(this.#hardState.isSaved, 'a vote is durable before others are asked for theirs');
		this.#request(MessageKind.vote, this.#hardState.term, isByTransfer ? BY_TRANSFER : 0);
	}

	/** To say yes grants no right and keeps no promise, so that it needs no disk. */
	answerPreVote({ from, term, index, logTerm }: Message, isWelcome: boolean): void {
		if (isWelcome && this.#log.isCoveredBy(index, logTerm)) {
			this.#outbox.add(MessageKind.preVoteResponse, from, term);
		} else {
			this.refuse(MessageKind.preVoteResponse, from);
		}
	}

	/** @returns whether this replica votes for the candidate, as soon as that is durable */
	answerVote({ from, index, logTerm }: Message, mayVote: boolean): boolean {
		const isUpToDate = this.#log.isCoveredBy(index, logTerm);
		if (!mayVote || !isUpToDate) {
			this.refuse(MessageKind.voteResponse, from);
			return false;
		}
		this.#hardState.voteFor(from);
		if (this.#hardState.isSaved) this.grantVote();
		return true;
	}

	grantVote(): void {
		assert(this.#hardState.isSaved, 'a vote is durable before it is given');
		this.#outbox.add(MessageKind.voteResponse, this.#hardState.vote, this.#hardState.term);
	}

	/** Says no, and what the current term is; says nothing while that isn't durable. */
	refuse(kind: MessageKind, to: number): void {
		if (!this.#hardState.isTermSaved) return;
		this.#outbox.add(kind, to, this.#hardState.term).rejected = true;
	}

	/**
	 * Who asks in an old term learns the current one. For a leader that is more than courtesy: a replica
	 * that came back with a higher term ignores its appends, and with pre-vote nobody's term would ever
	 * rise to meet it; the answer makes the old leader step down, and the next one starts above both.
	 */
	answerStale({ kind, from }: Message): void {
		if (kind === MessageKind.append) this.refuse(MessageKind.appendResponse, from);
		if (kind === MessageKind.vote) this.refuse(MessageKind.voteResponse, from);
	}

	/** Somebody who can't know what it promised asks; the term needn't be durable to bound that. */
	answer(
		{ from, context }: Message,
		probation: Probation | null,
		leadership: Leadership | null,
	): void {
		leadership?.asksStanding(from);
		const answer = this.#outbox.add(MessageKind.standingResponse, from, this.#hardState.term);
		const { configurations, committed } = this.#log;
		answer.context = context;
		answer.hintIndex = leadership === null ? 0 : LEADING;
		answer.hintTerm = configurations.hasVoter(from, committed) ? 0 : 1;
		answer.rejected = probation?.isAsking === true;
		// Who may have lost something doesn't claim that there was nothing.
		const isEmpty = probation === null || probation.seemsEmpty;
		answer.index = isEmpty ? this.#log.lastIndex : Math.max(1, this.#log.lastIndex);
	}

	/** Asks the leader to hand over. @returns false if nothing may be said in this term yet */
	wish(leader: number, target: number): boolean {
		if (!this.#hardState.isTermSaved) return false;
		this.#outbox.add(MessageKind.transfer, leader, this.#hardState.term).index = target;
		return true;
	}

	/** The leader wants this replica to lead. It may stand with all of the leader's log; with less the leader says it
	 * again, when that was sent again. */
	mayStandAtOnce({ index, logTerm }: Message): boolean {
		const { lastIndex, lastTerm } = this.#log;
		return lastIndex === index && lastTerm === logTerm && this.#hardState.isSaved;
	}

	#request(kind: MessageKind, term: number, context: number): void {
		const { voters, outgoing } = this.#log.configurations.current;
		this.#requestFrom(voters, kind, term, context);
		for (const id of outgoing) {
			if (!voters.includes(id)) this.#requestFrom([id], kind, term, context);
		}
	}

	#requestFrom(ids: readonly number[], kind: MessageKind, term: number, context: number): void {
		for (const id of ids) {
			if (id === this.#id) continue;
			const message = this.#outbox.add(kind, id, term);
			message.index = this.#log.lastIndex;
			message.logTerm = this.#log.lastTerm;
			message.context = context;
		}
	}
}
