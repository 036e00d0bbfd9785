/** What is proposed to a `KvMachine`, what it is asked, and what it answers: JSON. */

export type KvCommand =
	| { readonly do: 'put'; readonly key: string; readonly value: string }
	| { readonly do: 'delete'; readonly key: string }
	/** Compare and put; `from: null`: there must be no such key. */
	| {
			readonly do: 'cas';
			readonly key: string;
			readonly from: string | null;
			readonly to: string;
	  };

/** A command with a name of its own: its outcome can be asked for by it, for remote proposals bring no result. */
export type NamedCommand = KvCommand & { readonly name?: string };

export interface KvOutcome {
	/** Whether anything was changed. */
	readonly isDone: boolean;
	/** What the key held before; null: there was none. */
	readonly found: string | null;
}

export type KvQuery =
	| { readonly get: string }
	/** Keys that begin so, in order, from `after` (exclusive) on. */
	| { readonly scan: string; readonly after?: string; readonly limit?: number }
	/** Of the command of that name; null if it is unknown, or too long ago. */
	| { readonly outcomeOf: string };

export interface KvPair {
	readonly key: string;
	readonly value: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encode(content: unknown): Uint8Array {
	return encoder.encode(JSON.stringify(content));
}

export function decode<Shape>(bytes: Uint8Array): Shape {
	return JSON.parse(decoder.decode(bytes)) as Shape;
}
