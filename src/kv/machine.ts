import type { BatchView } from '../format/batch-view.js';
import type { StateMachine } from '../replica/types.js';
import {
	decode,
	encode,
	type KvOutcome,
	type KvPair,
	type KvQuery,
	type NamedCommand,
} from './commands.js';

/** Outcomes of named commands are kept for so many later ones. */
const OUTCOMES_MAX = 10_000;
const SCAN_MAX = 1_000;
/** Pairs in one chunk of a snapshot. */
const CHUNK_PAIRS = 4_096;

/** Told of every change that is applied here, in order; `value` is null where the key is gone. */
export type Watcher = (change: {
	readonly key: string;
	readonly value: string | null;
	/** Of the entry that did it. */
	readonly index: number;
}) => void;

/**
 * Keys and values (text) in memory, with snapshots. Commands are proposed as `encode(command)`; their results are `KvOutcome`s.
 * Whatever isn't a command changes nothing, and its result is null.
 */
export class KvMachine implements StateMachine {
	readonly #pairs = new Map<string, string>();
	/** All keys, in order. */
	#keys: string[] = [];
	readonly #outcomes = new Map<string, KvOutcome>();
	readonly #watchers = new Set<{ prefix: string; watcher: Watcher }>();

	apply(batch: BatchView): (KvOutcome | null)[] {
		return Array.from({ length: batch.count }, (_, i) => {
			const command = readCommand(batch.entry(i));
			return command === null ? null : this.#applyOne(batch.index + i, command);
		});
	}

	/** A `KvQuery`, or its bytes, which are answered in bytes. */
	query(query: unknown): unknown {
		if (query instanceof Uint8Array) return encode(this.#answer(decode<KvQuery>(query)));
		return this.#answer(query as KvQuery);
	}

	/** Calls `watcher` for what happens to keys that begin so. @returns what ends it */
	watch(prefix: string, watcher: Watcher): () => void {
		const watching = { prefix, watcher };
		this.#watchers.add(watching);
		return () => this.#watchers.delete(watching);
	}

	*snapshot(): Iterable<Uint8Array> {
		// The first chunk is drawn at once, so that these copies are of this moment.
		const [pairs, outcomes] = [[...this.#pairs], [...this.#outcomes]];
		yield encode({ outcomes });
		for (let at = 0; at < pairs.length; at += CHUNK_PAIRS) {
			yield encode({ pairs: pairs.slice(at, at + CHUNK_PAIRS) });
		}
	}

	async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
		const pairs: [string, string][] = [];
		const outcomes: [string, KvOutcome][] = [];
		for await (const bytes of chunks) {
			const chunk = decode<{ pairs?: [string, string][]; outcomes?: [string, KvOutcome][] }>(bytes);
			pairs.push(...(chunk.pairs ?? []));
			outcomes.push(...(chunk.outcomes ?? []));
		}
		this.#pairs.clear();
		this.#outcomes.clear();
		for (const [key, value] of pairs) this.#pairs.set(key, value);
		for (const [name, outcome] of outcomes) this.#outcomes.set(name, outcome);
		this.#keys = [...this.#pairs.keys()].sort(byCodeUnits);
	}

	#applyOne(index: number, command: NamedCommand): KvOutcome {
		const { key } = command;
		const found = this.#pairs.get(key) ?? null;
		let isDone = true;
		if (command.do === 'put') this.#set(key, command.value);
		else if (command.do === 'delete') isDone = this.#remove(key);
		else if (command.from === found) this.#set(key, command.to);
		else isDone = false;
		const outcome = { isDone, found };
		if (command.name !== undefined) this.#remember(command.name, outcome);
		if (isDone) this.#tell(key, index);
		return outcome;
	}

	#answer(query: KvQuery): string | KvPair[] | KvOutcome | null {
		if ('get' in query) return this.#pairs.get(query.get) ?? null;
		if ('outcomeOf' in query) return this.#outcomes.get(query.outcomeOf) ?? null;
		const { scan: prefix, after, limit = SCAN_MAX } = query;
		const found: KvPair[] = [];
		const from = after === undefined ? this.#position(prefix) : this.#position(`${after}\0`);
		const end = from + Math.min(limit, SCAN_MAX);
		for (const key of this.#keys.slice(from, end)) {
			if (!key.startsWith(prefix)) break;
			found.push({ key, value: this.#pairs.get(key)! });
		}
		return found;
	}

	#set(key: string, value: string): void {
		if (!this.#pairs.has(key)) this.#keys.splice(this.#position(key), 0, key);
		this.#pairs.set(key, value);
	}

	#remove(key: string): boolean {
		const isThere = this.#pairs.delete(key);
		if (isThere) this.#keys.splice(this.#position(key), 1);
		return isThere;
	}

	#remember(name: string, outcome: KvOutcome): void {
		this.#outcomes.set(name, outcome);
		if (this.#outcomes.size <= OUTCOMES_MAX) return;
		const [oldest] = this.#outcomes.keys();
		this.#outcomes.delete(oldest!);
	}

	#tell(key: string, index: number): void {
		const value = this.#pairs.get(key) ?? null;
		for (const { prefix, watcher } of this.#watchers) {
			if (key.startsWith(prefix)) watcher({ key, value, index });
		}
	}

	/** Where the first key is that isn't lower. */
	#position(key: string): number {
		let [low, high] = [0, this.#keys.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.#keys[middle]! < key) low = middle + 1;
			else high = middle;
		}
		return low;
	}
}

/** As `<` compares, everywhere the same: no language plays a part. */
function byCodeUnits(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

/** Entries may be anybody's: what isn't a command is null, on every replica alike. */
function readCommand(entry: Uint8Array): NamedCommand | null {
	try {
		const command = decode<Partial<Record<string, unknown>>>(entry);
		const isText = (...fields: string[]) =>
			fields.every((field) => typeof command[field] === 'string');
		const isNamed = command['name'] === undefined || isText('name');
		const isCommand =
			(command['do'] === 'put' && isText('key', 'value')) ||
			(command['do'] === 'delete' && isText('key')) ||
			(command['do'] === 'cas' &&
				isText('key', 'to') &&
				(command['from'] === null || isText('from')));
		return isNamed && isCommand ? (command as unknown as NamedCommand) : null;
	} catch {
		return null;
	}
}
