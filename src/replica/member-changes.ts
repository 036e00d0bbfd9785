import { BadOption, ChangeRefused, NotLeader, UnknownOutcome } from '../errors.js';
import type { Raft } from '../raft/raft.js';
import { Role } from '../raft/types.js';
import {
	changed,
	type Member,
	type MemberChange,
	type MemberList,
	type Members,
} from './members.js';

/** What a change of the members needs of its replica. */
export interface MemberChangesParts {
	readonly raft: Raft;
	readonly members: MemberList;
	readonly electionTimeoutMs: number;
	readonly now: () => number;
	/** Appends the entry. @returns its index; 0 = refused */
	readonly configure: (members: Members) => number;
	readonly log: (line: string) => void;
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
	/** Learners that catch up: where the log ended when their present round began, and when that was. */
	readonly #rounds = new Map<number, { readonly target: number; readonly since: number }>();

	constructor(parts: MemberChangesParts) {
		this.#parts = parts;
	}

	/** Resolves once it is committed, and `voter` is one, if that isn't 0. Errors: `NotLeader`, `BadOption`,
	 * `ChangeRefused`; `UnknownOutcome`. */
	change(change: MemberChange, voter = 0): Promise<Members> {
		return new Promise((resolve, reject) => {
			const index = this.#begin(change);
			this.#waiters.push({ index, voter, resolve, reject });
			this.advanced();
		});
	}

	/** The joint configuration is committed: its end follows. */
	leaveJoint(): void {
		this.#parts.configure({ ...this.#parts.members.current, outgoing: [] });
	}

	/** Time passes: learners that have caught up are promoted, if that was asked for. */
	tick(): void {
		const { raft, members } = this.#parts;
		if (!raft.mayConfigure || members.current.outgoing.length > 0) return;
		const waiting = members.current.learners.filter(({ promote }) => promote);
		for (const id of this.#rounds.keys()) {
			if (!waiting.some((learner) => learner.id === id)) this.#rounds.delete(id);
		}
		const ready = waiting.find(({ id }) => this.#hasCaughtUp(id));
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
		this.advanced();
		this.#rounds.clear();
		const waiters = this.#waiters;
		this.#waiters = [];
		const error = new UnknownOutcome(`the members may be changed or not: ${why}`);
		for (const { reject } of waiters) reject(error);
	}

	#begin(change: MemberChange): number {
		const { raft, members, configure } = this.#parts;
		if (raft.role !== Role.leader) throw new NotLeader(raft.leader);
		const next = changed(members.current, change);
		if (isEmpty(change)) throw new BadOption('nothing is to be changed');
		if (members.index > raft.committed || members.current.outgoing.length > 0) {
			throw new ChangeRefused('another change of the members is under way');
		}
		const index = configure(next);
		if (index === 0) {
			throw new ChangeRefused('the leader has not committed an entry of its own term yet');
		}
		return index;
	}

	#promote({ id }: Member): void {
		const { members, configure, log } = this.#parts;
		log(`replica ${id} has caught up and becomes a voter`);
		configure(changed(members.current, { promote: [id] }));
	}

	/** It got everything there was within less than an election time-out (§4.2.1 of the thesis): it will not hold up
	 * the others. */
	#hasCaughtUp(id: number): boolean {
		const { raft, now, electionTimeoutMs } = this.#parts;
		const match = raft.progress(id)?.match ?? 0;
		const round = this.#rounds.get(id);
		if (round !== undefined && match < round.target) return false;
		this.#rounds.set(id, { target: raft.lastIndex, since: now() });
		return round !== undefined && now() - round.since <= electionTimeoutMs;
	}
}

function isLearner({ learners }: Members, id: number): boolean {
	return learners.some((learner) => learner.id === id);
}

function isEmpty({ add = [], promote = [], remove = [] }: MemberChange): boolean {
	return add.length + promote.length + remove.length === 0;
}
