import { assert } from '../assert.js';
import type { Ballot } from './ballot.js';
import type { Following } from './following.js';
import type { HardState } from './hard-state.js';
import { Leadership } from './leadership.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { Patience } from './priority.js';
import type { ReadQuestions } from './read-questions.js';
import { ReadRounds } from './read-rounds.js';
import type { Timeouts } from './timeouts.js';
import { type Message, type RaftOptions, Role } from './types.js';
import { Votes } from './votes.js';

/** The parts of a core that change with its role. */
export interface RoleParts {
	readonly options: RaftOptions;
	readonly timeouts: Timeouts;
	readonly hardState: HardState;
	readonly log: Log;
	readonly outbox: Outbox;
	readonly ballot: Ballot;
	readonly following: Following;
	readonly questions: ReadQuestions;
}

/** A replica's role, and how one becomes another. `role-invariants.ts` has what binds them together. */
export class Roles {
	readonly #options: RaftOptions;
	readonly #id: number;
	readonly #timeouts: Timeouts;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;
	readonly #ballot: Ballot;
	readonly #following: Following;
	readonly #questions: ReadQuestions;
	readonly #reads = new ReadRounds();
	readonly #patience = new Patience();
	role: Role = Role.follower;
	/** The leader of this term; 0 while unknown. */
	leader = 0;
	/** (Pre-)candidate: who is for this replica. */
	votes: Votes | null = null;
	leadership: Leadership | null = null;

	constructor(parts: RoleParts) {
		this.#options = parts.options;
		this.#id = parts.options.id;
		this.#timeouts = parts.timeouts;
		this.#hardState = parts.hardState;
		this.#log = parts.log;
		this.#outbox = parts.outbox;
		this.#ballot = parts.ballot;
		this.#following = parts.following;
		this.#questions = parts.questions;
	}

	becomeFollower(term: number, leader: number): void {
		if (term > this.#hardState.term) this.#hardState.enterTerm(term);
		if (this.role !== Role.follower) this.#timeouts.postponeElection();
		this.#endLeadership();
		this.votes = null;
		this.role = Role.follower;
		this.leader = leader;
		this.#following.reset();
	}

	#endLeadership(): void {
		if (this.leadership === null) return;
		this.#outbox.output.readsFailed = this.#reads.abandon();
		this.#outbox.output.successor = this.leadership.transfer.successor;
		this.leadership = null;
	}

	/** The silence was too long. A disk that is behind doesn't stand: it could not keep a term's promises. Nor does who
	 * is no voter; but one whose removal isn't committed may be the only one that can commit it. And others may come first. */
	campaign(): void {
		this.#timeouts.postponeElection();
		if (!this.#hardState.isSaved || this.#timeouts.isDiskStalled) return;
		if (!this.#log.configurations.hasVoter(this.#id, this.#log.committed)) return;
		const { current } = this.#log.configurations;
		if (!this.#patience.mayStand(current, this.#id, this.#following.contactAt)) return;
		if (this.#log.configurations.isSolitary(this.#id)) this.becomeCandidate(false);
		else this.#becomePreCandidate();
	}

	/** Asks whether an election could be won before it disturbs anyone with a new term (thesis, §9.6). */
	#becomePreCandidate(): void {
		this.#stand(Role.preCandidate, false).add(this.#id);
		this.#ballot.requestPreVotes();
	}

	/** Even this replica's own vote counts only once it is durable: see `Raft`’s `hardStateSaved`. */
	becomeCandidate(isByTransfer: boolean): void {
		this.#hardState.enterTerm(this.#hardState.term + 1);
		this.#hardState.voteFor(this.#id);
		this.#stand(Role.candidate, isByTransfer);
		this.#timeouts.postponeElection();
	}

	#stand(role: Role, isByTransfer: boolean): Votes {
		assert(this.role !== Role.leader, 'a leader doesn’t stand');
		this.role = role;
		this.leader = 0;
		this.#following.reset();
		this.votes = new Votes(this.#log.configurations.current, isByTransfer);
		return this.votes;
	}

	#becomeLeader(): void {
		assert(
			this.#hardState.isSaved && this.#hardState.vote === this.#id,
			'a leader’s own vote is durable',
		);
		this.votes = null;
		this.role = Role.leader;
		this.leader = this.#id;
		this.#outbox.output.readsFailed = this.#questions.abandon();
		const options = { ...this.#options, now: this.#timeouts.now };
		this.leadership = new Leadership(
			options,
			this.#hardState.term,
			this.#log,
			this.#outbox,
			this.#reads,
		);
		this.#outbox.output.becameLeader = true;
	}

	/** The candidate's own vote is durable: now it may ask for others'. */
	requestElection(): void {
		if (this.votes === null || this.votes.has(this.#id)) return;
		this.votes.add(this.#id);
		this.#ballot.requestVotes(this.votes.isByTransfer);
		if (this.votes.hasMajority) this.#becomeLeader();
	}

	preVoted(message: Message): void {
		if (message.rejected) {
			if (message.term > this.#hardState.term) this.becomeFollower(message.term, 0);
			return;
		}
		if (this.role !== Role.preCandidate || message.term !== this.#hardState.term + 1) return;
		this.votes?.add(message.from);
		if (this.votes?.hasMajority) this.becomeCandidate(false);
	}

	voted(message: Message): void {
		if (this.role !== Role.candidate || message.rejected) return;
		this.votes?.add(message.from);
		if (this.votes?.hasMajority) this.#becomeLeader();
	}
}
