import type { Raft } from '../../src/raft/raft.js';
import type { Output, ProbationOptions, RaftOptions } from '../../src/raft/types.js';
import type { CoreModule } from './instrumented-core.js';

/**
 * Copies of cores, and their states as strings: by reflection on whatever fields there are, so that a field that
 * comes new is a part of the state at once.
 *
 * Time stands still at `NOW`. What depends on how much of it has passed is an event of its own, which moves the
 * deadline to now instead of now to the deadline; after each step the deadlines are put back to where they would be
 * for a core that has just been heard from. So a state has no times in it, but "the leader has been silent".
 */

const NOW = 10_000;
const electionTimeoutMs = 100;
const heartbeatMs = 20;
const SILENT_SINCE = NOW - electionTimeoutMs;

export type Fields = Record<string, unknown>;

/** What a replica wakes up with. */
export interface Birth {
	readonly term: number;
	readonly vote: number;
	readonly log: readonly number[];
	readonly committed: number;
	readonly probation: ProbationOptions | null;
}

export class Cores {
	readonly #module: CoreModule;
	/** One for each replica, without what a birth may change: nothing looks at that later. */
	readonly #options: readonly RaftOptions[];
	readonly #blankOutput: Output;
	/** Constants, which copies share. */
	readonly #shared: Set<object>;

	constructor(module: CoreModule, voters: readonly number[]) {
		this.#module = module;
		this.#options = voters.map((id) => optionsOf(id, voters));
		this.#blankOutput = new module.Output();
		this.#shared = new Set<object>([voters, ...this.#options, this.#blankOutput]);
	}

	born(id: number, { term, vote, log, committed, probation }: Birth): Raft {
		const runs = log.flatMap((entryTerm, at) =>
			entryTerm === log[at - 1] ? [] : [{ index: at + 1, term: entryTerm }],
		);
		const options = this.#options[id - 1]!;
		return new this.#module.Raft({
			...options,
			...{ term, vote, runs, lastIndex: log.length, committed, probation },
		});
	}

	copy(raft: Raft): Raft {
		const copies = new Map<object, object>();
		for (const shared of this.#shared) copies.set(shared, shared);
		return copyOf(raft, copies) as Raft;
	}

	/** Makes equal what behaves equally, then writes down everything. */
	encode(raft: Raft): string {
		const id = (raft as unknown as { $id: number }).$id;
		const writer = new Writer(this.#shared, this.#options[id - 1]!, this.#blankOutput, raft);
		writer.write(raft);
		return writer.text;
	}

	get now(): number {
		return NOW;
	}
}

/** Is the next tick to find this deadline passed (or this silence long)? */
export function expire(
	raft: Raft,
	name: 'electionAt' | 'contactAt' | 'heartbeatAt' | 'askAt',
): void {
	const value = name === 'contactAt' ? SILENT_SINCE : NOW;
	let found = false;
	walk(raft as unknown as Fields, (object) => {
		for (const key of [name, `$${name}`]) {
			if (typeof object[key] !== 'number') continue;
			object[key] = value;
			found = true;
		}
	});
	if (!found)
		throw new Error(`the core has no ${name} any more: the explorer must learn its clock`);
}

/** Has a follower's leader been silent for an election time-out? */
export function isLeaderSilent(raft: Raft): boolean {
	const { $following } = raft as unknown as { $following: { contactAt: number } };
	return $following.contactAt !== NOW;
}

/** Epochs count truncations; only whether a write is of the current one matters. */
export function resetEpoch(raft: Raft): void {
	(raft as unknown as { $log: { $epoch: number } }).$log.$epoch = 0;
}

function optionsOf(id: number, voters: readonly number[]): RaftOptions {
	return {
		...{ group: 1, id, voters, term: 0, vote: 0, committed: 0, probation: null },
		...{ compactedIndex: 0, compactedTerm: 0, runs: [], lastIndex: 0 },
		...{ life: 0, leaseDriftMax: null, seed: 1, now: NOW, electionTimeoutMs, heartbeatMs },
		...{ inflightMessagesMax: 4, inflightBytesMax: 1000 },
	};
}

function copyOf(value: unknown, copies: Map<object, object>): unknown {
	if (typeof value === 'function') throw new Error('a function is no state');
	if (typeof value !== 'object' || value === null) return value;
	const known = copies.get(value);
	if (known !== undefined) return known;
	if (value instanceof Float64Array || value instanceof Uint8Array) return value.slice();
	if (value instanceof Map || value instanceof Set) return copyOfCollection(value, copies);
	const copy = Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value));
	copies.set(value, copy);
	for (const key of Object.keys(value)) copy[key] = copyOf((value as Fields)[key], copies);
	return copy;
}

function copyOfCollection(
	value: Map<unknown, unknown> | Set<unknown>,
	copies: Map<object, object>,
): object {
	const each = (part: unknown) => copyOf(part, copies);
	if (value instanceof Set) return new Set([...value].map(each));
	return new Map([...value].map(([key, part]) => [each(key), each(part)]));
}

/** Calls `visit` for each object with fields that can be reached, once. */
function walk(root: Fields, visit: (object: Fields) => void, seen = new Set<object>()): void {
	if (seen.has(root)) return;
	seen.add(root);
	visit(root);
	for (const key of Object.keys(root)) {
		const value = root[key];
		if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue;
		walk(value as Fields, visit, seen);
	}
}

class Writer {
	text = '';
	readonly #options: RaftOptions;
	readonly #output: Output;
	readonly #isLeaderKnown: boolean;
	readonly #seen = new Map<object, number>();

	constructor(shared: ReadonlySet<object>, options: RaftOptions, output: Output, raft: Raft) {
		this.#options = options;
		this.#output = output;
		this.#isLeaderKnown = raft.leader !== 0;
		for (const object of shared) this.#seen.set(object, 0);
	}

	write(value: unknown): void {
		if (typeof value === 'number') this.#number(value);
		else if (typeof value === 'boolean') this.#number(value ? 1 : 0);
		else if (typeof value === 'string') this.text += `"${value}"`;
		else if (value === null || value === undefined) this.text += '-';
		else if (typeof value === 'object') this.#object(value);
		else throw new Error(`a ${typeof value} is no state`);
	}

	/** One character for the small numbers that nearly all are. */
	#number(value: number): void {
		const isSmall = value >= 0 && value < 0xd000 && Number.isInteger(value);
		this.text += isSmall ? String.fromCharCode(value + 256) : `<${value}>`;
	}

	#object(value: object): void {
		const number = this.#seen.get(value);
		if (number !== undefined) {
			this.text += `@${number}`;
			return;
		}
		if (value instanceof Float64Array || value instanceof Uint8Array) return this.#array(value);
		this.#seen.set(value, this.#seen.size);
		if (value instanceof Map || value instanceof Set) return this.#collection([...value]);
		this.#normalize(value as Fields);
		this.text += '{';
		for (const key of Object.keys(value)) this.write((value as Fields)[key]);
		this.text += '}';
	}

	#array(values: Float64Array | Uint8Array): void {
		let { length } = values;
		while (length > 0 && values[length - 1] === 0) length -= 1;
		this.text += '[';
		for (let i = 0; i < length; i += 1) this.#number(values[i]!);
		this.text += ']';
	}

	#collection(parts: unknown[]): void {
		this.text += '(';
		for (const part of parts) this.write(part);
		this.text += ')';
	}

	/** What can make no difference any more is made equal *in the core itself*: were this wrong, what the explorer runs
	 * would differ, not only what it remembers. */
	#normalize(object: Fields): void {
		if ('$options' in object) object['$options'] = this.#options;
		for (const key of Object.keys(object)) {
			if (/(?:At|^\$now)$/.test(key) && typeof object[key] === 'number') this.#time(object, key);
		}
		switch (object.constructor.name) {
			case 'Outbox':
				object['$output'] = this.#output;
				break;
			case 'Random':
				object['$state'] = 1;
				break;
			case 'Leadership':
				// Memory to sort in.
				if (object['$values'] instanceof Float64Array) object['$values'].fill(0);
				break;
			case 'TermRuns':
				for (const key of ['$first', '$term'])
					(object[key] as Float64Array).fill(0, object['$count'] as number);
				break;
			case 'Progress':
				this.#ring(object);
				break;
			case 'Probation':
				this.#answers(object);
				break;
		}
	}

	#time(object: Fields, key: string): void {
		const isFollowing = object.constructor.name === 'Following';
		const isSilent = isFollowing && this.#isLeaderKnown && (object[key] as number) <= SILENT_SINCE;
		if (isSilent) object[key] = SILENT_SINCE;
		else if (key.endsWith('electionAt')) object[key] = NOW + 1.5 * electionTimeoutMs;
		else if (/(?:heartbeatAt|askAt)$/.test(key)) object[key] = NOW + heartbeatMs;
		else object[key] = NOW;
	}

	/** Answers are for who asks, in whatever order they came. */
	#answers(probation: Fields): void {
		const answers = probation['$answers'] as Map<number, unknown>;
		const inOrder = [...answers].sort(([a], [b]) => a - b);
		probation['$answers'] = new Map(probation['$isAsking'] ? inOrder : []);
	}

	/** The window's oldest append comes first, and behind the newest there is nothing. */
	#ring(progress: Fields): void {
		const oldest = progress['$oldest'] as number;
		const count = progress['$inflightCount'] as number;
		for (const key of ['$inflightIndex', '$inflightSize']) {
			const ring = progress[key] as Float64Array;
			const inOrder = Array.from({ length: count }, (_, i) => ring[(oldest + i) % ring.length]!);
			ring.fill(0);
			ring.set(inOrder);
		}
		progress['$oldest'] = 0;
	}
}
