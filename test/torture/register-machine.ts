import type { BatchView } from '../../src/format/batch-view.js';
import type { StateMachine } from '../../src/replica/types.js';
import type { Value } from '../history/history.js';

/** What is proposed: put, or compare and put. Every operation of a run has a number of its own. */
export interface Command {
	readonly operation: number;
	readonly key: string;
	readonly value: Value;
	/** Of a compare-and-put: what the key must hold. */
	readonly expected?: Value;
	/** Makes the entry longer. */
	readonly padding?: string;
}

/** What became of a compare-and-put. */
export interface Outcome {
	readonly isDone: boolean;
	readonly found: Value;
}

export type Query = { readonly key: string } | { readonly outcomeOf: number };

/** Everything a replica has applied; `indexes[i]` is where `operations[i]` lies. */
export interface Applied {
	readonly indexes: readonly number[];
	readonly operations: readonly number[];
	readonly registers: readonly (readonly [string, Value])[];
}

const OUTCOMES_MAX = 20_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encode(command: Command | Query): Uint8Array {
	return encoder.encode(JSON.stringify(command));
}

/** Of the bytes of an entry, or of an answer. */
export function decode<Shape>(bytes: Uint8Array): Shape {
	return JSON.parse(decoder.decode(bytes)) as Shape;
}

/** Registers in memory, and the whole story of how they came about. */
export class RegisterMachine implements StateMachine {
	readonly #registers = new Map<string, Value>();
	readonly #outcomes = new Map<number, Outcome>();
	readonly #seen = new Set<number>();
	readonly #indexes: number[] = [];
	readonly #operations: number[] = [];
	/** The first thing that can't be. */
	fault: string | null = null;

	apply(batch: BatchView): undefined {
		for (let i = 0; i < batch.count; i++) this.#applyOne(batch.index + i, decode(batch.entry(i)));
	}

	#applyOne(index: number, command: Command): void {
		const { operation, key, value, expected } = command;
		if (this.#seen.has(operation)) this.fault ??= `operation ${operation} again at index ${index}`;
		if (index <= (this.#indexes.at(-1) ?? 0)) this.fault ??= `index ${index} is applied late`;
		this.#seen.add(operation);
		this.#indexes.push(index);
		this.#operations.push(operation);
		const found = this.#registers.get(key) ?? null;
		const isDone = expected === undefined || expected === found;
		if (isDone) this.#registers.set(key, value);
		if (expected !== undefined) this.#remember(operation, { isDone, found });
	}

	#remember(operation: number, outcome: Outcome): void {
		this.#outcomes.set(operation, outcome);
		if (this.#outcomes.size <= OUTCOMES_MAX) return;
		const [oldest] = this.#outcomes.keys();
		this.#outcomes.delete(oldest!);
	}

	query(query: unknown): Uint8Array {
		const asked = decode<Query>(query as Uint8Array);
		const answer =
			'key' in asked ? this.#registers.get(asked.key) : this.#outcomes.get(asked.outcomeOf);
		return encoder.encode(JSON.stringify(answer ?? null));
	}

	get applied(): Applied {
		return {
			indexes: this.#indexes,
			operations: this.#operations,
			registers: [...this.#registers],
		};
	}
}
