import { BadOption, ChangeRefused, NotLeader, UnknownOutcome } from '../errors.js';
import { Role } from '../raft/types.js';
import { ChangeGuard, type GuardParts } from './change-guard.js';
import type { Tell } from './events.js';
import {
	changed,
	type Member,
	type MemberChange,
	type MemberList,
	type Members,
} from './members.js';

/** What a change of the members needs of its replica. */
export interface MemberChangesParts extends GuardParts {
	readonly members: MemberList;
	/** Appends the entry. @returns its index; 0 = refused */
	readonly configure: (members: Members) => number;
	readonly tell: Tell;
}

/** A change that can't be begun yet: those it needs may only not have answered so far. */
interface Postponed {
	readonly until: number;
	/** @returns why it can't be begun; null if it is */
	readonly begin: () => string | null;
	readonly reject: (error: Error) => void;
}

/** How a learner catches up: it shall get, within one round, what was there when that began. */
interface Round {
	/** Where the log ended then. */
	readonly target: number;
	readonly since: number;
	/** The round before took less than an election time-out. */
	readonly isNear: boolean;
}

/** Somebody who waits until a configuration is committed. */
interface Waiter {
	readonly index: number;
	/** Must be a voter; 0 = nobody must. */
	readonly voter: number;
	readonly resolve: (members: Members) => void;
	readonly reject: (error: Error) => void;
}

/**
 * The leader's side of changing the members: one change at a time, by joint consensus where voters change.
 *
 * Whatever takes more than one entry is noted in the log (a joint configuration, a learner that shall be promoted),
 * so that the next leader goes on with it.
 */
export class MemberChanges {
	readonly #parts: MemberChangesParts;
	#waiters: Waiter[] = [];
	#postponed: Postponed[] = [];
	/** Of each learner. */
	readonly #rounds = new Map<number, Round>();
	readonly #guard: ChangeGuard;

	constructor(parts: MemberChangesParts) {
		this.#parts = parts;
		this.#guard = new ChangeGuard(parts);
	}

	/** Resolves once it is committed, and `voter` is one, if that isn't 0. A change that could never end as things are is
	 * refused after an election time-out, for until then they may be others.
	 * Errors: `NotLeader`, `BadOption`, `ChangeRefused`; `UnknownOutcome`. */
	change(change: MemberChange, voter = 0): Promise<Members> {
		const { now, electionTimeoutMs } = this.#parts;
		return new Promise((resolve, reject) => {
			const begin = () => {
				const index = this.#begin(change);
				if (typeof index === 'string') return index;
				this.#waiters.push({ index, voter, resolve, reject });
				this.advanced();
				return null;
			};
			if (begin() === null) return;
			this.#postponed.push({ until: now() + electionTimeoutMs, begin, reject });
		});
	}

	/** The joint configuration is committed: its end follows. */
	leaveJoint(): void {
		this.#parts.configure({ ...this.#parts.members.current, outgoing: [] });
	}

	/** Time passes: learners that have caught up are promoted, if that was asked for. */
	tick(): void {
		const { raft, members } = this.#parts;
		if (this.#postponed.length > 0) this.#tryPostponed();
		if (!raft.mayConfigure || members.current.outgoing.length > 0) return;
		const { learners } = members.current;
		for (const id of this.#rounds.keys()) {
			if (!learners.some((learner) => learner.id === id)) this.#rounds.delete(id);
		}
		for (const { id } of learners) this.#goRound(id);
		const isReady = ({ id, promote }: Member) => promote === true && this.#isNear(id);
		const ready = learners.find(isReady);
		if (ready !== undefined) this.#promote(ready);
	}

	/** The commit index has grown. */
	advanced(): void {
		const { raft, members } = this.#parts;
		const isSettled = members.index <= raft.committed && members.current.outgoing.length === 0;
		if (!isSettled || this.#waiters.length === 0) return;
		const { current } = members;
		const isOver = ({ index, voter }: Waiter) =>
			index <= members.index && !isLearner(current, voter);
		const over = this.#waiters.filter(isOver);
		this.#waiters = this.#waiters.filter((waiter) => !isOver(waiter));
		for (const { voter, resolve, reject } of over) {
			const isThere = voter === 0 || current.voters.some(({ id }) => id === voter);
			if (isThere) resolve(current);
			else reject(new ChangeRefused(`replica ${voter} was removed before it was a voter`));
		}
	}

	/** This replica doesn't lead any more, or has stopped. */
	lost(why: string): void {
		const { raft } = this.#parts;
		this.advanced();
		this.#rounds.clear();
		const isStopped = raft.role === Role.leader;
		const unbegun = isStopped ? new ChangeRefused(why) : new NotLeader(raft.leader);
		for (const { reject } of this.#postponed.splice(0)) reject(unbegun);
		const waiters = this.#waiters;
		this.#waiters = [];
		const error = new UnknownOutcome(`the members may be changed or not: ${why}`);
		for (const { reject } of waiters) reject(error);
	}

	#tryPostponed(): void {
		for (const postponed of this.#postponed.splice(0)) {
			try {
				const refusal = postponed.begin();
				if (refusal === null) continue;
				if (this.#parts.now() < postponed.until) this.#postponed.push(postponed);
				else postponed.reject(new ChangeRefused(refusal));
			} catch (error) {
				postponed.reject(error as Error);
			}
		}
	}

	/** @returns the entry's index, or why it could never end */
	#begin(change: MemberChange): number | string {
		const { raft, members, configure } = this.#parts;
		if (raft.role !== Role.leader) throw new NotLeader(raft.leader);
		const next = changed(members.current, change);
		const { promote = [] } = change;
		if (isEmpty(change)) throw new BadOption('nothing is to be changed');
		if (members.index > raft.committed || members.current.outgoing.length > 0) {
			throw new ChangeRefused('another change of the members is under way');
		}
		const far = promote.find((id) => !this.#guard.isHeard(id) || !this.#isAtHand(id));
		if (far !== undefined)
			return `replica ${far} has not caught up: start it, and wait until it has`;
		const refusal = this.#guard.refusal(next);
		if (refusal !== null) return refusal;
		const index = configure(next);
		if (index === 0) {
			throw new ChangeRefused('the leader has not committed an entry of its own term yet');
		}
		return index;
	}

	/** Not yet, if that would never end now. */
	#promote({ id }: Member): void {
		const { members, configure, tell } = this.#parts;
		const next = changed(members.current, { promote: [id] });
		if (this.#guard.refusal(next) !== null) return;
		tell(`replica ${id} has caught up and becomes a voter`, 'learner-caught-up', { peer: id });
		configure(next);
	}

	/** A round ends when the learner has what it began with, and the next begins. */
	#goRound(id: number): void {
		const { raft, now, electionTimeoutMs } = this.#parts;
		const match = raft.progress(id)?.match ?? 0;
		const round = this.#rounds.get(id);
		if (round !== undefined && match < round.target) return;
		const isNear = round !== undefined && now() - round.since <= electionTimeoutMs;
		this.#rounds.set(id, { target: raft.lastIndex, since: now(), isNear });
	}

	/** It got everything there was within less than an election time-out (§4.2.1 of the thesis): it will not hold up
	 * the others. */
	#isNear(id: number): boolean {
		const { now, electionTimeoutMs } = this.#parts;
		const round = this.#rounds.get(id);
		return round?.isNear === true && now() - round.since <= electionTimeoutMs;
	}

	/** The same, or it has all that is committed. */
	#isAtHand(id: number): boolean {
		const { raft } = this.#parts;
		return (raft.progress(id)?.match ?? 0) >= raft.committed || this.#isNear(id);
	}
}

function isLearner({ learners }: Members, id: number): boolean {
	return learners.some((learner) => learner.id === id);
}

function isEmpty({ add = [], promote = [], remove = [], priorities = {} }: MemberChange): boolean {
	return add.length + promote.length + remove.length + Object.keys(priorities).length === 0;
}
