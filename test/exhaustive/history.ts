import { assert } from '../../src/assert.js';
import { hasHeld } from './disk.js';
import type { Known } from './replicas.js';
import { permutations } from './symmetry.js';

/** What has happened so far as far as promises hang on it; no replica knows all of it. */
export interface History {
	/** The terms of all entries that were ever known to be committed. */
	readonly committed: readonly number[];
	/** The lowest term in which anybody knew it, for each of them. */
	readonly knownIn: readonly number[];
	/** Who led each term; 0 = nobody yet. */
	readonly leaders: readonly number[];
}

/** All histories that were met, each with a number. */
export class Histories {
	readonly #all: History[] = [];
	readonly #numbers = new Map<string, number>();
	readonly #images = permutations.map((): number[] => []);

	get(number: number): History {
		return this.#all[number]!;
	}

	get count(): number {
		return this.#all.length;
	}

	number(history: History): number {
		const { committed, knownIn, leaders } = history;
		const key = `${committed.join()}|${knownIn.join()}|${leaders.join()}`;
		const known = this.#numbers.get(key);
		if (known !== undefined) return known;
		this.#all.push(history);
		this.#numbers.set(key, this.#all.length - 1);
		return this.#all.length - 1;
	}

	/** The same history of replicas renamed. */
	image(number: number, permutation: number): number {
		const images = this.#images[permutation]!;
		const image = images[number];
		if (image !== undefined) return image;
		const history = this.get(number);
		const rename = (id: number) => (id === 0 ? 0 : permutations[permutation]![id - 1]!);
		const found = this.number({ ...history, leaders: history.leaders.map(rename) });
		images[number] = found;
		return found;
	}

	/** The history after `changed` became what it is now: election safety and state machine safety. */
	after(number: number, changed: Known, isElected: boolean): number {
		const history = this.get(number);
		const { committed, term } = changed;
		const isCommitOld =
			committed <= history.committed.length &&
			!history.knownIn.some((knownIn, at) => at < committed && knownIn > term);
		if (isCommitOld && !isElected) {
			commitsTheSame(history, changed);
			return number;
		}
		const leaders = [...history.leaders];
		if (isElected) {
			assert((leaders[term] ?? 0) === 0, 'a term has one leader');
			for (let i = 0; i < term; i += 1) leaders[i] ??= 0;
			leaders[term] = changed.state.id;
		}
		const next = { committed: [...history.committed], knownIn: [...history.knownIn], leaders };
		for (let at = 0; at < committed; at += 1) {
			next.committed[at] ??= changed.state.log[at]!;
			next.knownIn[at] = Math.min(next.knownIn[at] ?? term, term);
		}
		commitsTheSame(next, changed);
		return this.number(next);
	}
}

/** State machine safety: all commit the same. */
function commitsTheSame(history: History, { state, committed }: Known): void {
	for (let at = 0; at < committed; at += 1)
		assert(history.committed[at] === state.log[at], 'all commit the same');
}

/** What must hold among all replicas whenever one has changed. */
export function judge(history: History, replicas: readonly Known[], changed: Known): void {
	isOnMajority(history, replicas);
	for (const replica of replicas) {
		if (replica.isLeader) isComplete(history, replica);
		if (replica === changed) continue;
		logsMatch(replica.state.log, changed.state.log);
		logsMatch(replica.state.disk.log, changed.state.disk.log);
		logsMatch(replica.state.disk.log, changed.state.log);
		logsMatch(replica.state.log, changed.state.disk.log);
	}
}

/** What was ever committed is durable on two of three, for ever. What a disk has lost counts until its replica is a voter
 * again: no more than it promised may depend on it. */
function isOnMajority({ committed }: History, replicas: readonly Known[]): void {
	let holders = 0;
	for (const { state } of replicas)
		if (committed.every((term, at) => hasHeld(state.disk, at, term))) holders += 1;
	assert(holders >= 2, 'what is committed is on enough disks');
}

/** Leader completeness: what was committed in an earlier term is in the log of every later leader. */
function isComplete({ committed, knownIn }: History, { state, term }: Known): void {
	for (let at = 0; at < committed.length; at += 1)
		assert(
			knownIn[at]! >= term || state.log[at] === committed[at],
			'a leader has what was committed before',
		);
}

/** Log matching: two logs with the same entry are the same before it. */
function logsMatch(one: readonly number[], other: readonly number[]): void {
	let at = Math.min(one.length, other.length) - 1;
	while (at >= 0 && one[at] !== other[at]) at -= 1;
	for (; at >= 0; at -= 1)
		assert(one[at] === other[at], 'logs with the same entry agree before it');
}

/** Rule 2: what is acknowledged is what the leader has. */
export function acknowledges(index: number, sender: Known, leader: Known): void {
	for (let at = 0; at < index; at += 1)
		assert(
			sender.state.disk.log[at] === leader.state.log[at],
			'what is acknowledged is the leader’s',
		);
}
