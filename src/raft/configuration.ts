import { assert } from '../assert.js';
import type { Progress } from './progress.js';
import { majorityReached } from './quorum.js';

/** Who takes part, as replica ids. Objects of it never change. */
export interface Configuration {
	readonly voters: readonly number[];
	/** The voters before, while a change of voters is under way (joint consensus, §6): whatever needs a majority
	 * needs one of each set. Else empty. */
	readonly outgoing: readonly number[];
	/** They get everything, count nowhere, and never stand. */
	readonly learners: readonly number[];
	/** By id, where anything is said of any: see `priority.ts`. */
	readonly priorities?: ReadonlyMap<number, number>;
}

export interface IndexedConfiguration {
	/** Of its entry; 0 = it was in the options. */
	readonly index: number;
	readonly configuration: Configuration;
}

export function isVoter({ voters, outgoing }: Configuration, id: number): boolean {
	return voters.includes(id) || outgoing.includes(id);
}

export function isMember(configuration: Configuration, id: number): boolean {
	return isVoter(configuration, id) || configuration.learners.includes(id);
}

/** Everybody but `id`, each once. */
export function othersThan({ voters, outgoing, learners }: Configuration, id: number): number[] {
	return [...new Set([...voters, ...outgoing, ...learners])].filter((other) => other !== id);
}

/** May `next` follow `current`? Voters change by way of a joint configuration only, learners as they like. */
export function isLegalChange(current: Configuration, next: Configuration): boolean {
	const isJoint = next.outgoing.length > 0;
	const before = isJoint ? next.outgoing : next.voters;
	if (next.voters.length === 0 || (isJoint && current.outgoing.length > 0)) return false;
	return isSame(before, current.voters);
}

function isSame(left: readonly number[], right: readonly number[]): boolean {
	return left.length === right.length && left.every((id) => right.includes(id));
}

/**
 * The configurations in the log that are still of interest, by index. The last one *appended* is in force, committed
 * or not (§6), so that a truncation may bring back the one before.
 */
export class Configurations {
	/** Ascending; the first is the one in force where the log begins. */
	readonly #list: IndexedConfiguration[];
	#current: IndexedConfiguration;

	constructor(list: readonly IndexedConfiguration[]) {
		assert(list.length > 0, 'one is in force where the log begins');
		this.#list = [...list];
		this.#current = this.#list.at(-1)!;
		this.invariants();
	}

	/** In force. */
	get current(): Configuration {
		return this.#current.configuration;
	}

	/** Of the one in force. */
	get index(): number {
		return this.#current.index;
	}

	get isJoint(): boolean {
		return this.#current.configuration.outgoing.length > 0;
	}

	/** Is there no other voter than `id`? */
	isSolitary(id: number): boolean {
		const { voters, outgoing } = this.current;
		return outgoing.length === 0 && voters.length === 1 && voters[0] === id;
	}

	/** Is `id` a voter in one that may still count somewhere: the last one that is committed, or a later one? */
	hasVoter(id: number, committed: number): boolean {
		return this.#list.some(
			({ configuration }, i) =>
				(this.#list[i + 1]?.index ?? Number.POSITIVE_INFINITY) > committed &&
				isVoter(configuration, id),
		);
	}

	append(index: number, configuration: Configuration): void {
		assert(index > this.#current.index, 'configurations rise');
		this.#list.push({ index, configuration });
		this.#current = this.#list.at(-1)!;
	}

	/** The log is cut behind `index`. The first stays in force: of a damaged log its entry may be lost, and what was taken
	 * to be behind it may turn out to be somebody else's. */
	truncate(index: number): void {
		while (this.#list.length > 1 && this.#list.at(-1)!.index > index) this.#list.pop();
		const last = this.#list.at(-1)!;
		if (last.index > index) this.#list[0] = { ...last, index };
		this.#current = this.#list.at(-1)!;
	}

	/** The log up to `index` is dropped: the one in force there is where it begins. */
	compact(index: number): void {
		while (this.#list.length > 1 && this.#list[1]!.index <= index) this.#list.shift();
	}

	/** The log begins anew behind a snapshot, which had this one. */
	restart(index: number, configuration: Configuration): void {
		this.#list.length = 0;
		this.#list.push({ index, configuration });
		this.#current = this.#list[0]!;
	}

	invariants(): void {
		for (let i = 1; i < this.#list.length; i += 1) {
			assert(this.#list[i]!.index > this.#list[i - 1]!.index, 'configurations rise');
		}
	}
}

/** What a majority of peers is asked for. */
export type Measure = 'match' | 'contactAt' | 'readRound';

/** One set of voters, for what a majority of it has reached; `null` stands for this replica. */
class VoterSet {
	readonly #voters: readonly (Progress | null)[];
	/** One value for each. */
	readonly #values: Float64Array;

	constructor(voters: readonly (Progress | null)[]) {
		this.#voters = voters;
		this.#values = new Float64Array(voters.length);
	}

	/** For how many ms a majority has promised to vote for nobody else, of those that answered this read round. */
	promised(round: number): number {
		for (let i = 0; i < this.#values.length; i += 1) {
			const voter = this.#voters[i]!;
			if (voter === null) this.#values[i] = Number.POSITIVE_INFINITY;
			else this.#values[i] = voter.readRound === round ? voter.promisedMs : 0;
		}
		return majorityReached(this.#values);
	}

	reached(measure: Measure, own: number): number {
		// A function that gives the value would make an object of each.
		for (let i = 0; i < this.#values.length; i += 1) {
			const voter = this.#voters[i]!;
			if (voter === null) this.#values[i] = own;
			else if (measure === 'match') this.#values[i] = voter.match;
			else if (measure === 'contactAt') this.#values[i] = voter.contactAt;
			else this.#values[i] = voter.readRound;
		}
		return majorityReached(this.#values);
	}
}

/** What a leader's majorities are taken over. A leader that isn't a voter (any more) doesn't count itself. */
export class Quorums {
	readonly #voters: VoterSet;
	readonly #outgoing: VoterSet | null;

	constructor({ voters, outgoing }: Configuration, progressOf: (id: number) => Progress | null) {
		this.#voters = new VoterSet(voters.map(progressOf));
		this.#outgoing = outgoing.length === 0 ? null : new VoterSet(outgoing.map(progressOf));
	}

	/** For how many ms a majority of either set has promised to vote for nobody else; see `VoterSet`. */
	promised(round: number): number {
		const promised = this.#voters.promised(round);
		return this.#outgoing === null ? promised : Math.min(promised, this.#outgoing.promised(round));
	}

	/** The highest value that a majority has reached; in a joint configuration, a majority of either set. `own`: this
	 * replica's. */
	reached(measure: Measure, own: number): number {
		const reached = this.#voters.reached(measure, own);
		if (this.#outgoing === null) return reached;
		return Math.min(reached, this.#outgoing.reached(measure, own));
	}
}
