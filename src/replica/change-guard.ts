import { majorityOf } from '../raft/quorum.js';
import type { Raft } from '../raft/raft.js';
import type { Member, Members } from './members.js';

/** What the leader must know to judge a change. */
export interface GuardParts {
	readonly raft: Raft;
	/** This replica. */
	readonly id: number;
	readonly electionTimeoutMs: number;
	readonly now: () => number;
}

/**
 * Says which changes of the voters could never end, so that they aren't begun: joint consensus needs votes and
 * acknowledgements of those who will be voters, and who is on probation needs answers of those who are.
 *
 * Nothing is unsafe without it, and it can't know everything: who can vote now may have lost its disk a moment later.
 */
export class ChangeGuard {
	readonly #parts: GuardParts;

	constructor(parts: GuardParts) {
		this.#parts = parts;
	}

	/** It has acknowledged something lately, in this term. */
	isHeard(id: number): boolean {
		const { raft, now, electionTimeoutMs } = this.#parts;
		const progress = raft.progress(id);
		return (
			progress !== null && progress.match > 0 && now() - progress.contactAt < electionTimeoutMs
		);
	}

	/** Why `next` must not follow; null if it may. */
	refusal({ voters, outgoing }: Members): string | null {
		if (outgoing.length === 0) return null;
		const unsure = voters.filter(({ id }) => !this.#canVote(id));
		if (voters.length - unsure.length < majorityOf(voters.length)) {
			const who = unsure.map((voter) => this.#wordsOn(voter)).join(', ');
			return `of the voters ${namesOf(voters)} too few could vote: ${who}. Start what is down, or replace it first`;
		}
		return this.#strandedBy(voters, outgoing);
	}

	#canVote(id: number): boolean {
		return id === this.#parts.id || (this.isHeard(id) && !this.#isOnProbation(id));
	}

	#isOnProbation(id: number): boolean {
		return this.#parts.raft.progress(id)?.isOnProbation === true;
	}

	/** Who is on probation waits for all it knows of: somebody who could answer must not go before it has. */
	#strandedBy(voters: readonly Member[], outgoing: readonly Member[]): string | null {
		const stays = (id: number) => voters.some((voter) => voter.id === id);
		const stranded = outgoing.find(({ id }) => stays(id) && this.#isOnProbation(id));
		const leaving = outgoing.find(({ id }) => !stays(id) && this.#canVote(id));
		if (stranded === undefined || leaving === undefined) return null;
		return `replica ${stranded.id} is on probation, and may need an answer of replica ${leaving.id}: wait, or replace it first`;
	}

	#wordsOn({ id }: Member): string {
		if (this.#isOnProbation(id)) return `replica ${id} is on probation`;
		return `replica ${id} is not heard from`;
	}
}

function namesOf(members: readonly Member[]): string {
	return members.map(({ id }) => id).join(', ');
}
