import type { Configuration } from './configuration.js';
import type { Log } from './log.js';
import { type PeerProgress, ProgressState } from './progress.js';
import type { RaftOptions } from './types.js';

/** Who should lead, if there is a choice: a wish, on which no safety depends. Whole numbers from 0 to this. */
export const PRIORITY_MAX = 100;
/** Of a voter of whom nothing else is said. */
export const PRIORITY_USUAL = 50;

/** A leader hands over to a voter that it should prefer, at most once in so many election time-outs. */
const COOL_DOWN_TIMEOUTS = 10;

export function priorityOf({ priorities }: Configuration, id: number): number {
	return priorities?.get(id) ?? PRIORITY_USUAL;
}

/**
 * A follower's side: who has a lower priority than the best voter leaves the first rounds of an election to others.
 *
 * What is expected of who stands halves from round to round, so that after 8 of them even a 0 suffices, whoever else is
 * down, behind or cut off: an election is put off by this, and never prevented.
 */
export class Patience {
	/** Who has this priority, or more, stands. */
	#expected = 0;
	/** When the leader that is missing was last heard from: another one begins anew. */
	#contactAt = -1;

	/** An election is due. Asked once in each round. */
	mayStand(configuration: Configuration, id: number, contactAt: number): boolean {
		if (configuration.priorities === undefined) return true;
		if (contactAt !== this.#contactAt) {
			this.#contactAt = contactAt;
			this.#expected = highestOf(configuration);
		}
		if (priorityOf(configuration, id) >= this.#expected) return true;
		this.#expected = Math.floor(this.#expected / 2);
		return false;
	}
}

function highestOf(configuration: Configuration): number {
	const { voters, outgoing } = configuration;
	return Math.max(...[...voters, ...outgoing].map((id) => priorityOf(configuration, id)));
}

/** A leader's side: to whom it hands over by itself. */
export class Preference {
	readonly #id: number;
	readonly #log: Log;
	readonly #timeoutMs: number;
	#nextAt: number;
	/** What was committed when it last looked: who has that is not behind. */
	#committed = Number.POSITIVE_INFINITY;

	/** `options.now`: when the leadership begins. */
	constructor({ id, electionTimeoutMs, now }: RaftOptions, log: Log) {
		this.#id = id;
		this.#log = log;
		this.#timeoutMs = electionTimeoutMs;
		this.#nextAt = now + COOL_DOWN_TIMEOUTS * electionTimeoutMs;
	}

	/** Asked with each heartbeat. @returns who should lead instead; 0 = nobody, now */
	successor(peers: readonly PeerProgress[], now: number): number {
		const { current, isJoint } = this.#log.configurations;
		if (current.priorities === undefined || isJoint) return 0;
		let best = priorityOf(current, this.#id);
		let successor = 0;
		for (const peer of peers) {
			const priority = priorityOf(current, peer.id);
			if (priority <= best || !current.voters.includes(peer.id) || !this.#isFit(peer, now))
				continue;
			best = priority;
			successor = peer.id;
		}
		this.#committed = this.#log.committed;
		if (successor === 0 || now < this.#nextAt) return 0;
		this.#nextAt = now + COOL_DOWN_TIMEOUTS * this.#timeoutMs;
		return successor;
	}

	/** It answers, votes, and isn't behind. */
	#isFit(peer: PeerProgress, now: number): boolean {
		const isThere = now - peer.contactAt < this.#timeoutMs && !peer.isOnProbation;
		return isThere && peer.state === ProgressState.replicate && peer.match >= this.#committed;
	}
}
