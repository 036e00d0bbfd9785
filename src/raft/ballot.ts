import { assert } from '../assert.js';
import type { HardState } from './hard-state.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { MessageKind, type RaftOptions } from './types.js';

/** What this replica says about elections, asking and asked; nothing that its disk doesn't back. */
export class Ballot {
	readonly #options: RaftOptions;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;

	constructor(options: RaftOptions, hardState: HardState, log: Log, outbox: Outbox) {
		this.#options = options;
		this.#hardState = hardState;
		this.#log = log;
		this.#outbox = outbox;
	}

	/** Asks all others whether they would vote for this replica in the next term. */
	requestPreVotes(): void {
		this.#request(MessageKind.preVote, this.#hardState.term + 1);
	}

	requestVotes(): void {
		assert(this.#hardState.isSaved, 'a vote is durable before others are asked for theirs');
		this.#request(MessageKind.vote, this.#hardState.term);
	}

	/** Grants no right and keeps no promise, so that it needs no disk. */
	grantPreVote(to: number, term: number): void {
		this.#outbox.add(MessageKind.preVoteResponse, to, term);
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

	#request(kind: MessageKind, term: number): void {
		const { voters, id } = this.#options;
		for (let i = 0; i < voters.length; i += 1) {
			if (voters[i] === id) continue;
			const message = this.#outbox.add(kind, voters[i]!, term);
			message.index = this.#log.lastIndex;
			message.logTerm = this.#log.lastTerm;
		}
	}
}
