/** What an entry asks of the store. The value that it puts is the entry's own number, so no value is put twice. */
export interface Command {
	readonly f: 'write' | 'cas';
	readonly key: number;
	/** cas only. */
	readonly expected: number | null;
}

/** What may be asked of a replica's store: what a key holds, or what the cas of this number found. */
export interface Query {
	readonly what: 'key' | 'cas';
	readonly number: number;
}

export interface Answer {
	/** The index of the last entry that was applied before. */
	readonly applied: number;
	/** `undefined`: there was no such cas. */
	readonly value: number | null | undefined;
}

/** The result of a cas. */
export interface CasResult {
	readonly number: number;
	readonly found: number | null;
}

const NOTHING = -1;
const NO_SUCH_CAS = -2;
const QUERY_BYTES = 5;
const ANSWER_BYTES = 16;

/** What a replica's state machine returns for an entry: bytes, so that remote callers are told it, too. */
export function writeResult(result: number | CasResult): Uint8Array {
	const cas = typeof result === 'number' ? null : result;
	const found = cas === null ? NO_SUCH_CAS : (cas.found ?? NOTHING);
	return new Uint8Array(Float64Array.of(cas?.number ?? (result as number), found).buffer);
}

/** Of a result: which entry it is of, and what its cas found; undefined for one that is no cas. */
export function readResult(bytes: unknown): { number: number; found: number | null | undefined } {
	if (!(bytes instanceof Uint8Array)) throw new Error('a result is bytes');
	const [number, found] = new Float64Array(bytes.slice().buffer) as unknown as [number, number];
	return { number, found: found === NO_SUCH_CAS ? undefined : found === NOTHING ? null : found };
}

/** A replica's keys and what they hold. */
export class Store {
	#values = new Map<number, number>();
	#found = new Map<number, number | null>();

	/** All of it, the same for the same state. */
	dump(): string {
		return JSON.stringify([[...this.#values], [...this.#found]]);
	}

	static from(dump: string): Store {
		const store = new Store();
		const [values, found] = JSON.parse(dump) as [[number, number][], [number, number | null][]];
		store.#values = new Map(values);
		store.#found = new Map(found);
		return store;
	}

	/** @returns the entry's result */
	apply(number: number, command: Command | undefined): number | CasResult {
		if (command === undefined) return number;
		const { f, key, expected } = command;
		if (f === 'write') {
			this.#values.set(key, number);
			return number;
		}
		const found = this.#values.get(key) ?? null;
		this.#found.set(number, found);
		if (found === expected) this.#values.set(key, number);
		return { number, found };
	}

	ask({ what, number }: Query): number | null | undefined {
		return what === 'key' ? (this.#values.get(number) ?? null) : this.#found.get(number);
	}
}

export function writeQuery({ what, number }: Query): Uint8Array {
	const bytes = new Uint8Array(QUERY_BYTES);
	bytes[0] = what === 'key' ? 0 : 1;
	new DataView(bytes.buffer).setUint32(1, number);
	return bytes;
}

export function readQuery(bytes: Uint8Array): Query {
	const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
	return { what: bytes[0] === 0 ? 'key' : 'cas', number };
}

export function writeAnswer({ applied, value }: Answer): Uint8Array {
	const bytes = new Uint8Array(ANSWER_BYTES);
	const view = new DataView(bytes.buffer);
	view.setFloat64(0, applied);
	view.setFloat64(8, value === undefined ? NO_SUCH_CAS : (value ?? NOTHING));
	return bytes;
}

export function readAnswer(bytes: Uint8Array): Answer {
	const view = new DataView(bytes.buffer, bytes.byteOffset, ANSWER_BYTES);
	const value = view.getFloat64(8);
	return {
		applied: view.getFloat64(0),
		value: value === NO_SUCH_CAS ? undefined : value === NOTHING ? null : value,
	};
}
