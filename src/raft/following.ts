import { assert } from '../assert.js';
import type { HardState } from './hard-state.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import { ON_PROBATION } from './probation.js';
import { type Input, type Message, MessageKind, type RaftOptions } from './types.js';

/** What this replica knows and does while it follows a leader. */
export class Following {
	/** When a leader was last heard from, in ms. What an earlier life heard is forgotten: it may have been at its end. */
	contactAt: number;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;
	/** The highest index at which this log is known to be the leader's. The rest of the log may be of
	 * another leader: it is never acknowledged, and it is what a conflict may cut. */
	#matched = 0;
	/** The highest read round seen from the leader. */
	#context = 0;

	/** Goes along with every answer: see `Lease`. */
	readonly #promisedMs: number;
	/** Goes along with every acknowledgement: `ON_PROBATION`, or 0. */
	#standing: number;

	constructor(options: RaftOptions, hardState: HardState, log: Log, outbox: Outbox) {
		this.contactAt = Math.floor(options.now);
		this.#promisedMs = options.leaseDriftMax === null ? 0 : options.electionTimeoutMs;
		this.#standing = options.probation === null ? 0 : ON_PROBATION;
		this.#hardState = hardState;
		this.#log = log;
		this.#outbox = outbox;
	}

	/** Up to here the log is the leader's, and durable. */
	get reached(): number {
		return Math.min(this.#matched, this.#log.persisted);
	}

	/** This replica is a voter from now on. @returns its probation: none */
	admitted(): null {
		this.#standing = 0;
		return null;
	}

	/** There is no leader, or another one: what was known of the last one is void. */
	reset(): void {
		this.#matched = 0;
		this.#context = 0;
	}

	append(input: Input, now: number): void {
		const { message } = input;
		this.contactAt = now;
		this.#context = Math.max(this.#context, message.context);
		if (!this.#log.has(message.index, message.logTerm)) {
			this.#reject(message);
			return;
		}
		this.#log.take(input, this.#outbox.output);
		const last = input.batchCount === 0 ? message.index : input.batchLast[input.batchCount - 1]!;
		this.#matched = Math.max(this.#matched, last, this.#log.committed);
		this.learned(message.commit);
		// What isn't durable yet is acknowledged when it is, once for all that one flush made durable.
		if (input.batchCount === 0 || last <= this.#log.persisted) this.acknowledge(message.from);
	}

	/** A snapshot up to (index, term) is durable: it gives the log a new beginning, or tells how much of it is committed.
	 * One that brings nothing new changes nothing; a leader is never told: it has all that was ever committed.
	 * `leader`: 0 = unknown. */
	install({ index, term, configuration }: Input, leader: number): void {
		assert(term <= this.#hardState.term, 'no snapshot is newer than the term');
		if (index <= this.#log.committed) return;
		if (this.#log.install(index, term, configuration)) this.#outbox.output.resetTo = index;
		if (leader === 0) return;
		// What is committed every later leader has.
		this.#matched = Math.max(this.#matched, this.#log.committed);
		this.acknowledge(leader);
	}

	/** The leader has committed up to there. */
	learned(committed: number): void {
		this.#log.commit(Math.min(committed, this.#matched));
	}

	/** The term is durable now, and answers that it held back may go. */
	termSaved(leader: number): void {
		// Where entries are still on their way to the disk, one acknowledgement follows for them and this.
		if (this.#matched <= this.#log.persisted) this.acknowledge(leader);
	}

	/** The disk got further than `before`. */
	persisted(before: number, leader: number): void {
		if (before < this.#matched) this.acknowledge(leader);
	}

	/** Says what is both the leader's and durable here; nothing while even the term isn't durable. */
	acknowledge(leader: number): void {
		if (!this.#hardState.isTermSaved) return;
		const kind = MessageKind.appendResponse;
		const message = this.#outbox.add(kind, leader, this.#hardState.term);
		message.index = this.reached;
		message.context = this.#context;
		message.commit = this.#promisedMs;
		message.hintTerm = this.#standing;
	}

	invariants(hasLeader: boolean): void {
		assert(this.#matched <= this.#log.lastIndex, 'matched <= lastIndex');
		assert(hasLeader || this.#matched === 0, 'nothing is matched to no leader');
		assert(hasLeader || this.#context === 0, 'no leader, no read round');
	}

	/** Names where the logs may agree: the last entry here whose term isn't above the leader's (§5.3). */
	#reject(append: Message): void {
		if (!this.#hardState.isTermSaved) return;
		const kind = MessageKind.appendResponse;
		const message = this.#outbox.add(kind, append.from, this.#hardState.term);
		message.rejected = true;
		message.index = append.index;
		message.context = this.#context;
		message.commit = this.#promisedMs;
		const agreed = this.#log.lastAtMost(append.logTerm, append.index);
		message.hintIndex = Math.max(agreed, this.#log.committed);
		message.hintTerm = this.#log.termAt(message.hintIndex);
	}
}
