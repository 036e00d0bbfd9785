import { assert } from '../assert.js';
import type { Following } from './following.js';
import type { HardState } from './hard-state.js';
import type { Log } from './log.js';
import type { Outbox } from './outbox.js';
import type { RoleParts, Roles } from './roles.js';
import type { Timeouts } from './timeouts.js';
import { type Input, InputKind, type Message, MessageKind } from './types.js';

/** Nothing must have happened for so many election time-outs: no wish that is bounded by one is under way then. */
const QUIET_TIMEOUTS = 2;

/**
 * An idle group rests: no heartbeats, no elections, no ticks. Only where somebody else notices that a peer is gone, and says so
 * (`InputKind.wake`, `disconnected`).
 *
 * A leader to whom nothing has happened for a while, and of whom all peers have everything and know it committed, invites
 * them to rest, with its heartbeats. Who has everything and owes nothing rests, and says so; when all have, the leader does.
 * Whatever happens at a replica that rests wakes it, as if it had heard its leader, or its peers, that moment.
 *
 * That can cost availability, never safety. What a resting replica has promised it keeps: votes, entries, and that it keeps
 * still for a time-out after it heard its leader, which it counts anew when it wakes. A leader that rests confirms no round,
 * so that it answers no read, and its lease runs out by the clock. It steps down late: a majority may have elected another
 * one meanwhile, as it may behind the back of any leader that is held up. Who missed the invitation, or woke alone, stands for
 * election as ever, and those whom it asks wake, the leader among them.
 */
export class Rest {
	isResting = false;
	readonly #quietMs: number;
	readonly #timeouts: Timeouts;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;
	readonly #following: Following;
	readonly #roles: Roles;
	/** When something happened last. */
	#activeAt: number;
	/** Of the leader: names what it says between two things that happen, so that no answer from before counts. */
	#invitation = 1;
	/** Who has answered it. */
	readonly #resting = new Set<number>();

	constructor({ options, timeouts, hardState, log, outbox, following }: RoleParts, roles: Roles) {
		this.#quietMs = QUIET_TIMEOUTS * options.electionTimeoutMs;
		this.#timeouts = timeouts;
		this.#hardState = hardState;
		this.#log = log;
		this.#outbox = outbox;
		this.#following = following;
		this.#roles = roles;
		this.#activeAt = timeouts.now;
	}

	/** Before any other part of the core hears of the input. */
	before({ kind, message, peer }: Input): void {
		if (kind === InputKind.tick || isOwnCompletion(kind)) return;
		// Between others a stream was lost: what a follower hears comes from its leader.
		if (kind === InputKind.wake && this.#roles.leadership === null && peer !== this.#roles.leader) {
			return;
		}
		if (kind === InputKind.message && isQuiet(message.kind, this.#roles.leadership !== null))
			return;
		if (this.isResting) this.#wake();
		if (kind === InputKind.message && message.kind === MessageKind.append) return;
		this.#activeAt = this.#timeouts.now;
		this.#invitation += 1;
		this.#resting.clear();
	}

	#wake(): void {
		const { now } = this.#timeouts;
		this.isResting = false;
		this.#timeouts.postponeElection();
		this.#following.contactAt = now;
		this.#roles.leadership?.woke(now);
	}

	/** Of a leader, with its heartbeats. */
	invite(): void {
		const { leadership } = this.#roles;
		if (leadership === null || this.#timeouts.now - this.#activeAt < this.#quietMs) return;
		if (!this.#isSettled || !leadership.isIdle) return;
		for (const id of leadership.peerIds) {
			const message = this.#outbox.add(MessageKind.rest, id, this.#hardState.term);
			message.index = this.#log.lastIndex;
			message.context = this.#invitation;
		}
		this.#restIfAllDo();
	}

	/** Nothing here is still to become durable, or committed. */
	get #isSettled(): boolean {
		const { lastIndex, committed, persisted, configurations } = this.#log;
		const isWhole = committed === lastIndex && persisted === lastIndex && this.#hardState.isSaved;
		return isWhole && !configurations.isJoint;
	}

	/** The leader of this term says: rest. */
	invited({ from, index, context }: Message, mayRest: boolean): void {
		if (from !== this.#roles.leader || this.#roles.leadership !== null) return;
		this.#timeouts.postponeElection();
		this.#following.contactAt = this.#timeouts.now;
		const hasAll = index === this.#log.lastIndex && this.#following.reached === index;
		if (!mayRest || !hasAll || !this.#isSettled) return;
		this.isResting = true;
		const message = this.#outbox.add(MessageKind.restResponse, from, this.#hardState.term);
		message.context = context;
	}

	/** A peer rests. */
	answered({ from, context }: Message): void {
		if (this.#roles.leadership === null || context !== this.#invitation) return;
		this.#resting.add(from);
		this.#restIfAllDo();
	}

	#restIfAllDo(): void {
		const leadership = this.#roles.leadership!;
		const allRest = leadership.peerIds.every((id) => this.#resting.has(id));
		this.isResting = allRest && this.#isSettled && leadership.isIdle;
	}

	invariants(): void {
		assert(!this.isResting || this.#roles.leader !== 0, 'who rests knows the leader');
		assert(!this.isResting || this.#isSettled, 'who rests owes nothing');
	}
}

/** What the disk has done at last is no news. */
function isOwnCompletion(kind: InputKind): boolean {
	return (
		kind === InputKind.persisted ||
		kind === InputKind.hardStateSaved ||
		kind === InputKind.compacted ||
		kind === InputKind.sent
	);
}

/** What is said between replicas of which nobody has anything to do. A follower's heartbeat is none: its leader is awake. */
function isQuiet(kind: MessageKind, isLeader: boolean): boolean {
	if (kind === MessageKind.rest || kind === MessageKind.restResponse) return true;
	return isLeader && kind === MessageKind.appendResponse;
}
