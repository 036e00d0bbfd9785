import {
	Busy,
	MillraceError,
	NoSpace,
	NotLeader,
	SessionError,
	SessionExpired,
	Stopped,
	TooLarge,
	Unavailable,
} from '../../src/errors.js';
import type { BatchView } from '../../src/format/batch-view.js';
import type { PackedEntries } from '../../src/format/batch-writer.js';
import type { Clock } from '../../src/io.js';
import type { StateMachine } from '../../src/replica/types.js';
import type { ClientHistory } from './client-history.js';
import type { SimulatedRandom } from './random.js';
import { type Answer, type Query, readQuery, Store, writeAnswer, writeResult } from './store.js';
import { demand, Violation } from './violation.js';

/** Errors that promise that nothing was appended: such an entry must never be applied. */
const REFUSALS = [
	NotLeader,
	Busy,
	TooLarge,
	NoSpace,
	Stopped,
	SessionError,
	SessionExpired,
	Unavailable,
];

/** Whether it promises that nothing was appended. */
export function isRefusal(error: unknown): boolean {
	return REFUSALS.some((refusal) => error instanceof refusal);
}

const NUMBER_BYTES = 4;

/** Which entry it is; 0 for one without bytes. */
export function numberOf(entry: Uint8Array): number {
	if (entry.length === 0) return 0;
	let number = 0;
	for (let i = 0; i < NUMBER_BYTES; i++) number = number * 256 + entry[i]!;
	return number;
}

export function pack(entries: readonly Uint8Array[]): PackedEntries {
	const ends = new Uint32Array(entries.length);
	let end = 0;
	entries.forEach((entry, i) => {
		end += entry.length;
		ends[i] = end;
	});
	return { payload: new Uint8Array(Buffer.concat(entries)), ends };
}

/**
 * Every entry that any client ever proposed, by its number, and what became of it. Each number is proposed once, so
 * that it must be applied at most once; an entry without bytes has no number.
 */
export class Ledger {
	readonly history: ClientHistory;
	readonly #random: SimulatedRandom;
	readonly #bytesMax: number;
	/** By number. */
	readonly #lengths: number[] = [0];
	readonly #refused = new Set<number>();
	/** By number: the index it was applied at. */
	readonly #indexOf: (number | undefined)[] = [];
	/** By index: the number of the entry that was applied there; undefined where nothing is known. */
	readonly #applied: (number | undefined)[] = [];
	/** The first violation seen where nobody could throw it. */
	violation: Error | null = null;
	/** The highest index that anybody was told is applied. */
	acknowledged = 0;
	readonly seen = {
		proposed: 0,
		acknowledged: 0,
		refused: 0,
		unknown: 0,
		reads: 0,
		tailed: 0,
		snapshots: 0,
		restored: 0,
		/** Of remote callers that lost an answer and were told what their entries came to all the same; or were not. */
		resultsAgain: 0,
		resultsLost: 0,
		/** Calls that failed because their session had. */
		sessionsEnded: 0,
	};

	constructor(random: SimulatedRandom, bytesMax: number, history: ClientHistory) {
		this.#random = random;
		this.#bytesMax = bytesMax;
		this.history = history;
	}

	/** A new entry, which is about to be proposed. */
	entry(): Uint8Array {
		this.seen.proposed += 1;
		const { next } = this.#draw();
		const bytes = new Uint8Array(next);
		if (next === 0) return bytes;
		const number = this.#lengths.push(next) - 1;
		bytes.fill(number & 0xff);
		for (let i = 0; i < NUMBER_BYTES; i++) bytes[i] = number >>> (24 - 8 * i);
		this.history.begin(number);
		return bytes;
	}

	#draw(): { next: number } {
		const kind = this.#random.next();
		if (kind < 0.02) return { next: 0 };
		if (kind < 0.04) return { next: this.#bytesMax };
		const most = kind < 0.2 ? this.#bytesMax / 4 : 300;
		return { next: NUMBER_BYTES + this.#random.below(Math.max(1, most - NUMBER_BYTES)) };
	}

	/** Some replica applies this entry at this index. */
	apply(index: number, entry: Uint8Array): number {
		const number = this.#read(entry);
		const before = this.#applied[index];
		demand(
			before === undefined || before === number,
			() => `index ${index} holds ${before} and ${number}`,
		);
		demand(
			!this.#refused.has(number),
			() => `entry ${number} was refused, and is applied at ${index}`,
		);
		if (before !== undefined) return number;
		this.#applied[index] = number;
		if (number === 0) return number;
		const other = this.#indexOf[number];
		demand(other === undefined, () => `entry ${number} is applied at ${other} and at ${index}`);
		this.#indexOf[number] = index;
		return number;
	}

	/** The store after everything up to `index`. */
	modelAt(index: number): Store {
		const model = new Store();
		for (let i = 1; i <= index; i++) {
			const number = this.#applied[i];
			if (number !== undefined) model.apply(number, this.history.commands.get(number));
		}
		return model;
	}

	/** A tail that was asked for entries from `from` on brings this one next. */
	tailed(from: number, index: number, entry: Uint8Array): void {
		this.seen.tailed += 1;
		demand(index >= from, 'a tail does not go back');
		for (let i = from; i < index; i++)
			demand(this.#applied[i] === undefined, () => `a tail leaves out ${i}`);
		const number = this.#read(entry);
		const known = this.#applied[index];
		demand(
			known === undefined || known === number,
			() => `a tail has ${number} at ${index}, not ${known}`,
		);
	}

	#read(entry: Uint8Array): number {
		if (entry.length === 0) return 0;
		const number = numberOf(entry);
		demand(entry.length === this.#lengths[number], () => `entry ${number} has another length`);
		const last = entry.length === NUMBER_BYTES ? number & 0xff : entry[entry.length - 1];
		demand(last === (number & 0xff), () => `entry ${number} has other bytes`);
		return number;
	}

	/** A proposer was told that its entry is applied at this index; 0: somewhere. */
	acknowledge(index: number, entry: Uint8Array): number {
		this.seen.acknowledged += 1;
		const number = this.#read(entry);
		const at = index === 0 ? (this.#indexOf[number] ?? 0) : index;
		if (number !== 0 || index !== 0)
			demand(
				this.#applied[at] === number,
				() => `entry ${number} is acknowledged, and not applied`,
			);
		this.acknowledged = Math.max(this.acknowledged, at);
		return number;
	}

	/** A proposal has failed. */
	failed(error: unknown, entries: readonly Uint8Array[]): void {
		// Who comes with a signal that is aborted already proposes nothing.
		const isAborted = error instanceof Error && error.name === 'AbortError';
		demand(isAborted || error instanceof MillraceError, () => `an operating error, not ${error}`);
		const hasEnded = [error, (error as Error).cause].some((one) => one instanceof SessionExpired);
		if (hasEnded) this.seen.sessionsEnded += 1;
		if (!isAborted && !isRefusal(error)) {
			this.seen.unknown += entries.length;
			for (const entry of entries) this.history.unknown(numberOf(entry));
			return;
		}
		this.seen.refused += entries.length;
		for (const entry of entries) {
			const number = this.#read(entry);
			if (number === 0) continue;
			const index = this.#indexOf[number];
			demand(
				index === undefined,
				() => `entry ${number} is refused (${error.name}), and applied at ${index}`,
			);
			this.#refused.add(number);
			this.history.refused(number);
		}
	}

	readonly violated = (what: string): void => {
		this.violation ??= new Violation(what);
	};

	readonly guardError = (error: unknown): void => {
		this.violation ??= error as Error;
	};

	/** For what is called where nobody can catch it. */
	guard(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.violation ??= error as Error;
		}
	}
}

/** What a state machine keeps on disk. */
export interface Kept {
	index: number;
	store?: Store;
}

/**
 * The state machine of one life of a replica: it compares what it is given with what the others were given. One that
 * keeps its state has it on disk, as far as `apply` has come back.
 */
export class Recorder implements StateMachine {
	readonly snapshot: StateMachine['snapshot'];
	readonly restore: StateMachine['restore'];
	readonly #ledger: Ledger;
	readonly #clock: Clock;
	readonly #random: SimulatedRandom;
	readonly #kept: Kept | null;
	readonly #slowChance: number;
	#isApplying = false;
	#isRestoring = false;
	#isClosed = false;
	/** The index of the last entry applied. */
	#applied = 0;
	#store = new Store();

	constructor(
		ledger: Ledger,
		clock: Clock,
		random: SimulatedRandom,
		kept: Kept | null,
		slowChance: number,
		slowSnapshotChance: number | null,
	) {
		const chance = slowSnapshotChance ?? 0;
		if (slowSnapshotChance !== null) {
			this.snapshot = () => this.#snapshot(chance);
			this.restore = (chunks, index) => this.#restore(chunks, index, chance);
		}
		this.#ledger = ledger;
		this.#clock = clock;
		this.#random = random;
		this.#kept = kept;
		this.#slowChance = slowChance;
	}

	open(): number | undefined {
		this.#applied = this.#kept?.index ?? 0;
		if (this.#kept !== null) this.#store = this.#kept.store ??= this.#store;
		return this.#kept?.index;
	}

	apply(batch: BatchView): readonly unknown[] | Promise<readonly unknown[]> {
		return this.#guarded(() => {
			demand(!this.#isApplying && !this.#isRestoring, 'one batch is applied at a time');
			demand(!this.#isClosed, 'nothing is applied after the end');
			if (!this.#random.chance(this.#slowChance)) return this.#record(batch);
			this.#isApplying = true;
			return new Promise((resolve, reject) => {
				this.#clock.after(this.#random.next() * 20, () => {
					this.#isApplying = false;
					try {
						resolve(this.#guarded(() => this.#record(batch)));
					} catch (error) {
						reject(error);
					}
				});
			});
		});
	}

	/** In a few chunks, some of them empty, each of which may take its time. */
	#snapshot(slowChance: number): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
		const bytes = new TextEncoder().encode(`${this.#applied} ${this.#store.dump()}`);
		this.#ledger.seen.snapshots += 1;
		const chunks = this.#chunksOf(bytes);
		return slowChance === 0 ? chunks : this.#slowly(chunks, slowChance);
	}

	#chunksOf(bytes: Uint8Array): Uint8Array[] {
		const chunks: Uint8Array[] = [];
		for (let start = 0; start < bytes.length; ) {
			const end = start + this.#random.below(Math.ceil(bytes.length / 3) + 2);
			chunks.push(bytes.slice(start, end));
			start = end;
		}
		return chunks;
	}

	async *#slowly(chunks: readonly Uint8Array[], chance: number): AsyncGenerator<Uint8Array> {
		for (const chunk of chunks) {
			await this.#pause(chance);
			yield chunk;
		}
	}

	#pause(chance: number): Promise<void> | undefined {
		if (!this.#random.chance(chance)) return undefined;
		return new Promise((resolve) => {
			this.#clock.after(this.#random.next() * 100, resolve);
		});
	}

	/** It was one that some replica had at that index, and takes its place at one blow. */
	async #restore(
		chunks: AsyncIterable<Uint8Array>,
		index: number,
		slowChance: number,
	): Promise<void> {
		this.#guarded(() => {
			demand(!this.#isApplying && !this.#isRestoring, 'nothing else is done while it is restored');
			demand(!this.#isClosed, 'nothing is restored after the end');
			demand(index > this.#applied, 'a snapshot that is restored is ahead');
		});
		this.#isRestoring = true;
		const parts: Uint8Array[] = [];
		for await (const chunk of chunks) {
			await this.#pause(slowChance);
			parts.push(chunk);
		}
		this.#isRestoring = false;
		this.#guarded(() => {
			const text = new TextDecoder().decode(Buffer.concat(parts));
			const space = text.indexOf(' ');
			const dump = text.slice(space + 1);
			demand(Number(text.slice(0, space)) <= index, 'a snapshot ends where it says');
			const isTrue = dump === this.#ledger.modelAt(index).dump();
			demand(isTrue, () => `a snapshot up to ${index} is not what was applied up to there`);
			this.#store = Store.from(dump);
			this.#applied = index;
			this.#ledger.seen.restored += 1;
			if (this.#kept !== null) Object.assign(this.#kept, { index, store: this.#store });
		});
	}

	#record(batch: BatchView): readonly Uint8Array[] {
		const { index, count } = batch;
		demand(index > this.#applied, 'nothing is applied twice in one life');
		const results: Uint8Array[] = [];
		const { commands } = this.#ledger.history;
		for (let i = 0; i < count; i++) {
			const number = this.#ledger.apply(index + i, batch.entry(i));
			results.push(writeResult(this.#store.apply(number, commands.get(number))));
		}
		this.#applied = index + count - 1;
		if (this.#kept !== null) this.#kept.index = this.#applied;
		return results;
	}

	/** Remote queries are bytes, and so are their answers. */
	query(query: unknown): Answer | Uint8Array {
		const isRemote = query instanceof Uint8Array;
		const value = this.#store.ask(isRemote ? readQuery(query) : (query as Query));
		const answer = { applied: this.#applied, value };
		return isRemote ? writeAnswer(answer) : answer;
	}

	close(): void {
		this.#ledger.guard(() => demand(!this.#isApplying, 'it is closed while it applies'));
		this.#isClosed = true;
	}

	/** What goes wrong here would only stop the replica; it shall stop the run. */
	#guarded<T>(work: () => T): T {
		try {
			return work();
		} catch (error) {
			if (error instanceof Violation) this.#ledger.violation ??= error;
			throw error;
		}
	}
}
