import type { Value } from './history.js';
import { NEVER } from './operations.js';

/** What a search needs to know of an operation. */
export interface Constraint {
	readonly call: number;
	readonly return: number;
	readonly observes: Value | undefined;
	readonly produces: Value | undefined;
}

export type Outcome = 'linearizable' | 'not linearizable' | 'undecided';

export interface SearchResult {
	readonly outcome: Outcome;
	/** How many were looked at. */
	readonly configurations: number;
}

/** A value that no operation knows. */
export const UNKNOWN_VALUE = Symbol('a value that no operation knows');

const NONE = -1;

/** A place to come back to. */
interface Frame {
	readonly moves: readonly number[];
	next: number;
	readonly trailLength: number;
	readonly state: number;
	readonly high: number;
	readonly usedSet: number;
}

/**
 * Looks for an order of one key's operations that a single register could have gone through: Wing and Gong's search
 * with Lowe's memory of configurations (what is linearized, and the value), depth first.
 *
 * An operation is a candidate when it began before the first return of those not yet linearized. Operations of unknown
 * outcome never return and are optional. What is pruned, and why no order is lost by it:
 *
 * - A candidate that only observes the present value goes next: nothing can come of leaving it for later.
 * - An optional operation goes only directly before somebody who observes its value: otherwise it might not have
 *   happened.
 * - A write whose value nobody left observes ("dead") goes directly before another write, or last.
 * - A value that somebody yet observes is not left when nobody could bring it back.
 */
export class Search {
	readonly #configurationsMax: number;
	// Required operations in the order of their calls, with `#count` as the end of the list.
	readonly #observes: Int32Array;
	readonly #produces: Int32Array;
	readonly #calls: Float64Array;
	readonly #returns: Float64Array;
	readonly #count: number;
	/** The list of those that are not linearized; its head lies behind the end. */
	readonly #next: Int32Array;
	readonly #previous: Int32Array;
	/** Optional operations in the order of their calls. */
	readonly #optional: readonly { call: number; observes: number; produces: number }[];
	readonly #isUsed: Uint8Array;
	readonly #optionalByProduct: number[][];
	// By value: who is left.
	readonly #observersLeft: Int32Array;
	readonly #optionalObserversLeft: Int32Array;
	readonly #producersLeft: Int32Array;
	/** Who was linearized, in order: required ones by number, optional ones as their complement. */
	readonly #trail: number[] = [];
	/** Those of them that are optional. */
	readonly #used: number[] = [];
	readonly #frames: Frame[] = [];
	readonly #seen = new Set<string>();
	readonly #usedSets = new Map<string, number>([['', 0]]);
	#state: number;
	/** The last required operation that is linearized. */
	#high = NONE;
	/** Stands for the set of optional operations that are linearized. */
	#usedSet = 0;
	/** Whether the last one was optional and nobody has observed it yet. */
	#mustObserve = false;
	/** The first return of those not yet linearized. */
	#firstReturn = NEVER;

	constructor(
		operations: readonly Constraint[],
		initial: Value | symbol,
		configurationsMax: number,
	) {
		this.#configurationsMax = configurationsMax;
		const values = new Map<Value | symbol | undefined, number>([[undefined, NONE]]);
		const number = (value: Value | symbol | undefined) => {
			if (!values.has(value)) values.set(value, values.size - 1);
			return values.get(value)!;
		};
		this.#state = number(initial);
		const all = operations.map((operation) => {
			const observes = number(operation.observes);
			const produces = number(operation.produces);
			const { call, return: end } = operation;
			// To put what is there already is to read it.
			return { call, end, observes, produces: produces === observes ? NONE : produces };
		});
		all.sort((a, b) => a.call - b.call);
		const required = all.filter(({ end }) => end !== NEVER);
		this.#optional = all.filter(({ end, produces }) => end === NEVER && produces !== NONE);
		this.#count = required.length;
		this.#observes = Int32Array.from(required, ({ observes }) => observes);
		this.#produces = Int32Array.from(required, ({ produces }) => produces);
		this.#calls = Float64Array.from(required, ({ call }) => call);
		this.#returns = Float64Array.from(required, ({ end }) => end);
		this.#next = Int32Array.from({ length: this.#count + 1 }, (_, i) => i + 1);
		this.#next[this.#count] = 0;
		this.#previous = Int32Array.from({ length: this.#count + 1 }, (_, i) => i - 1);
		this.#previous[0] = this.#count;
		this.#isUsed = new Uint8Array(this.#optional.length);
		this.#optionalByProduct = Array.from({ length: values.size }, () => []);
		this.#observersLeft = new Int32Array(values.size);
		this.#optionalObserversLeft = new Int32Array(values.size);
		this.#producersLeft = new Int32Array(values.size);
		this.#countAll();
	}

	#countAll(): void {
		for (let i = 0; i < this.#count; i++) {
			if (this.#observes[i] !== NONE) this.#observersLeft[this.#observes[i]!]! += 1;
			if (this.#produces[i] !== NONE) this.#producersLeft[this.#produces[i]!]! += 1;
		}
		this.#optional.forEach(({ observes, produces }, j) => {
			if (observes !== NONE) this.#optionalObserversLeft[observes]! += 1;
			this.#producersLeft[produces]! += 1;
			this.#optionalByProduct[produces]!.push(j);
		});
	}

	run(): SearchResult {
		if (this.#observesTooEarly()) return this.#result('not linearizable');
		let isOpen = this.#enter();
		for (;;) {
			if (isOpen && this.#next[this.#count] === this.#count) return this.#result('linearizable');
			if (this.#seen.size > this.#configurationsMax) return this.#result('undecided');
			const frame = this.#frames.at(-1);
			if (frame === undefined) return this.#result('not linearizable');
			this.#returnTo(frame);
			const move = frame.moves[frame.next++];
			if (move === undefined) {
				this.#frames.pop();
				isOpen = false;
			} else isOpen = this.#apply(move) && this.#enter();
		}
	}

	#result(outcome: Outcome): SearchResult {
		return { outcome, configurations: this.#seen.size };
	}

	/** Whether a value was observed before anybody could have begun to produce it. */
	#observesTooEarly(): boolean {
		const earliest = new Float64Array(this.#observersLeft.length).fill(NEVER);
		earliest[this.#state] = Number.NEGATIVE_INFINITY;
		const begins = (value: number, call: number) => {
			if (value !== NONE && call < earliest[value]!) earliest[value] = call;
		};
		for (let i = 0; i < this.#count; i++) begins(this.#produces[i]!, this.#calls[i]!);
		for (const { produces, call } of this.#optional) begins(produces, call);
		return this.#observes.some(
			(value, i) => value !== NONE && earliest[value]! >= this.#returns[i]!,
		);
	}

	/** Takes what needs no choice. @returns whether it goes on from here, in a way that wasn't tried yet */
	#enter(): boolean {
		this.#takeObservers();
		if (this.#next[this.#count] === this.#count) return true;
		const key = this.#key();
		if (this.#seen.has(key)) return false;
		this.#seen.add(key);
		const moves = this.#moves();
		const { length: trailLength } = this.#trail;
		const place = { state: this.#state, high: this.#high, usedSet: this.#usedSet };
		this.#frames.push({ moves, next: 0, trailLength, ...place });
		return true;
	}

	#takeObservers(): void {
		for (;;) {
			const before = this.#trail.length;
			this.#setFirstReturn();
			for (let i = this.#first(); this.#isCandidate(i); i = this.#next[i]!) {
				const isOnlyObserver = this.#produces[i] === NONE;
				if (isOnlyObserver && this.#observes[i] === this.#state) this.#linearize(i);
			}
			if (this.#trail.length === before) return;
			this.#mustObserve = false;
		}
	}

	#first(): number {
		return this.#next[this.#count]!;
	}

	#isCandidate(i: number): boolean {
		return i !== this.#count && this.#calls[i]! < this.#firstReturn;
	}

	#setFirstReturn(): void {
		this.#firstReturn = NEVER;
		for (let i = this.#first(); this.#isCandidate(i); i = this.#next[i]!)
			this.#firstReturn = Math.min(this.#firstReturn, this.#returns[i]!);
	}

	/** All that decides what can come: few operations lie behind the last one, since they all overlap with it. */
	#key(): string {
		const state = this.#isDead(this.#state) ? NONE : this.#state;
		let key = `${this.#high},${state},${this.#usedSet},${this.#mustObserve ? 1 : 0}`;
		for (let i = this.#first(); i < this.#high; i = this.#next[i]!) key += `,${i}`;
		return key;
	}

	#moves(): number[] {
		const wanted = new Set<number>();
		const writes: number[] = [];
		const moves: number[] = [];
		let dead = NONE;
		for (let i = this.#first(); this.#isCandidate(i); i = this.#next[i]!) {
			const observes = this.#observes[i]!;
			if (observes === this.#state) moves.push(i);
			else if (observes !== NONE) wanted.add(observes);
			else if (this.#isDead(this.#produces[i]!)) dead = i;
			else writes.push(i);
		}
		const optional = this.#optionalMoves(wanted);
		if (this.#mustObserve)
			return moves.concat(optional.filter((j) => this.#optional[~j]!.observes === this.#state));
		// First what somebody waits for.
		const isWanted = (i: number) => wanted.has(this.#produces[i]!);
		moves.push(...writes.filter(isWanted), ...writes.filter((i) => !isWanted(i)), ...optional);
		if (dead !== NONE) moves.push(dead);
		return moves;
	}

	/** Those that make a value that is wanted, at once or by way of others. Of those that are alike, the first. */
	#optionalMoves(wanted: Set<number>): number[] {
		const moves: number[] = [];
		const direct = [...wanted];
		const reached = new Set(direct);
		// It grows while it is walked.
		for (const value of reached) {
			const alike = new Set<number>();
			for (const j of this.#optionalByProduct[value]!) {
				const { call, observes } = this.#optional[j]!;
				if (call >= this.#firstReturn) break;
				if (this.#isUsed[j] === 1 || alike.has(observes)) continue;
				alike.add(observes);
				if (observes === NONE || observes === this.#state) moves.push(~j);
				else reached.add(observes);
			}
		}
		return moves;
	}

	#isDead(value: number): boolean {
		return this.#observersLeft[value] === 0 && this.#optionalObserversLeft[value] === 0;
	}

	/** @returns whether it may be done */
	#apply(move: number): boolean {
		const isOptional = move < 0;
		const observes = isOptional ? this.#optional[~move]!.observes : this.#observes[move]!;
		const produces = isOptional ? this.#optional[~move]!.produces : this.#produces[move]!;
		if (observes === NONE) this.#takeDeadWrites(move);
		if (isOptional) this.#use(~move);
		else this.#linearize(move);
		const left = this.#state;
		this.#state = produces;
		this.#mustObserve = isOptional;
		if (produces === left) return true;
		return this.#observersLeft[left] === 0 || this.#producersLeft[left]! > 0;
	}

	#takeDeadWrites(except: number): void {
		this.#setFirstReturn();
		for (let i = this.#first(); this.#isCandidate(i); i = this.#next[i]!) {
			const isWrite = this.#observes[i] === NONE;
			if (i !== except && isWrite && this.#isDead(this.#produces[i]!)) this.#linearize(i);
		}
	}

	#linearize(i: number): void {
		this.#next[this.#previous[i]!] = this.#next[i]!;
		this.#previous[this.#next[i]!] = this.#previous[i]!;
		if (this.#observes[i] !== NONE) this.#observersLeft[this.#observes[i]!]! -= 1;
		if (this.#produces[i] !== NONE) this.#producersLeft[this.#produces[i]!]! -= 1;
		this.#trail.push(i);
		if (i > this.#high) this.#high = i;
	}

	#use(j: number): void {
		const { observes, produces } = this.#optional[j]!;
		if (observes !== NONE) this.#optionalObserversLeft[observes]! -= 1;
		this.#producersLeft[produces]! -= 1;
		this.#isUsed[j] = 1;
		this.#trail.push(~j);
		this.#used.push(j);
		const name = this.#used.toSorted((a, b) => a - b).join();
		if (!this.#usedSets.has(name)) this.#usedSets.set(name, this.#usedSets.size);
		this.#usedSet = this.#usedSets.get(name)!;
	}

	#returnTo({ trailLength, state, high, usedSet }: Frame): void {
		while (this.#trail.length > trailLength) this.#undo(this.#trail.pop()!);
		this.#state = state;
		this.#high = high;
		this.#usedSet = usedSet;
		this.#mustObserve = false;
		this.#setFirstReturn();
	}

	#undo(i: number): void {
		const isOptional = i < 0;
		const observes = isOptional ? this.#optional[~i]!.observes : this.#observes[i]!;
		const produces = isOptional ? this.#optional[~i]!.produces : this.#produces[i]!;
		const observers = isOptional ? this.#optionalObserversLeft : this.#observersLeft;
		if (observes !== NONE) observers[observes]! += 1;
		if (produces !== NONE) this.#producersLeft[produces]! += 1;
		if (isOptional) {
			this.#isUsed[~i] = 0;
			this.#used.pop();
			return;
		}
		this.#next[this.#previous[i]!] = i;
		this.#previous[this.#next[i]!] = i;
	}
}
