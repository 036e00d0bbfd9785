import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	batchCount,
	batchEndsWord,
	batchIndex,
	batchKind,
	batchPayloadLength,
} from '../src/format/batch.js';
import type { Memory } from '../src/format/memory.js';
import { KeptLog } from './kept-log.js';
import { EntryChecker } from './load.js';
import type { Driven } from './messages.js';

export interface Evidence extends Driven {
	/** Directories of the replicas, by their names. */
	readonly replicas: readonly { readonly name: string; readonly dir: string }[];
	/** What the leader had committed when it was closed. */
	readonly committed: number;
	readonly payloadBytes: number;
}

export interface Verdict {
	readonly verified: boolean;
	/** What is wrong; null if nothing. */
	readonly reason: string | null;
	/** Entries that are still kept on all replicas, and were compared. */
	readonly entriesCompared: number;
}

/** What the logs have in common turned out to be something else than it must be. */
class Refuted extends Error {}

/**
 * Reads the logs that closed replicas left and checks that
 * - every frame that is kept is whole: its layout, both its checksums, and its place in the parent chain;
 * - all logs end at the committed index, and are the same bytes where they are kept in common;
 * - exactly the acknowledged entries are there: entry `n` of the load, byte by byte, at `firstIndex + n`, nothing
 *   between them, nothing behind the last, and before the first only the no-op with which a leader begins.
 */
export async function verify(evidence: Evidence): Promise<Verdict> {
	const logs: KeptLog[] = [];
	try {
		for (const { name, dir } of evidence.replicas) logs.push(await KeptLog.open(name, dir));
		checkEnds(evidence, logs);
		await compare(evidence, logs);
		const base = Math.max(...logs.map((log) => log.base));
		return { verified: true, reason: null, entriesCompared: evidence.committed - base };
	} catch (error) {
		// Whatever prevents the check leaves the logs unverified; an error of the disk is a reason, too.
		return { verified: false, reason: (error as Error).message, entriesCompared: 0 };
	} finally {
		await Promise.all(logs.map((log) => log.close()));
	}
}

function checkEnds(evidence: Evidence, logs: readonly KeptLog[]): void {
	const { firstIndex, acknowledged, committed } = evidence;
	if (acknowledged > 0 && committed !== firstIndex + acknowledged - 1) {
		throw new Refuted(
			`${acknowledged} entries were acknowledged from index ${firstIndex} on, but ${committed} is committed`,
		);
	}
	for (const log of logs) {
		if (log.damage !== null) throw new Refuted(log.damage);
		if (log.end !== committed) {
			throw new Refuted(`${log.name}: the log ends at ${log.end}, but ${committed} is committed`);
		}
	}
}

/** Walks the longest log, checks each entry, and compares each batch with the other logs that keep it. */
async function compare(evidence: Evidence, logs: readonly KeptLog[]): Promise<void> {
	const [longest, ...others] = [...logs].sort((a, b) => a.base - b.base);
	const content = new ContentChecker(evidence);
	const batch = { offset: 0, length: 0 };
	while (longest!.nextFirst <= longest!.end) {
		const first = longest!.nextFirst;
		Object.assign(batch, await longest!.read());
		content.check(longest!, batch.offset);
		for (const other of others) {
			if (other.base >= first) continue;
			await compareBatch(longest!, batch.offset, batch.length, other);
		}
	}
}

async function compareBatch(
	one: KeptLog,
	offset: number,
	length: number,
	other: KeptLog,
): Promise<void> {
	const there = await other.read();
	const bytes = one.memory.slice(offset, length);
	if (Buffer.compare(bytes, other.memory.slice(there.offset, there.length)) !== 0) {
		const first = batchIndex(one.memory, offset);
		throw new Refuted(`${one.name} and ${other.name} differ in the batch at index ${first}`);
	}
}

/** Knows from the index of a batch which entries must be in it. */
class ContentChecker {
	readonly #firstIndex: number;
	readonly #checker: EntryChecker;

	constructor(evidence: Evidence) {
		this.#firstIndex = evidence.acknowledged > 0 ? evidence.firstIndex : Number.POSITIVE_INFINITY;
		this.#checker = new EntryChecker(evidence.payloadBytes);
	}

	check(log: KeptLog, at: number): void {
		const m = log.memory;
		const index = batchIndex(m, at);
		if (index < this.#firstIndex) {
			if (batchKind(m, at) !== BatchKind.entries) return;
			throw new Refuted(
				`${log.name}: entries at index ${index}, before the first acknowledged one`,
			);
		}
		if (batchKind(m, at) !== BatchKind.entries) {
			throw new Refuted(`${log.name}: a no-op at index ${index}, among the acknowledged entries`);
		}
		this.#checkEntries(log.name, m, at, index - this.#firstIndex);
	}

	#checkEntries(name: string, m: Memory, at: number, number: number): void {
		const { entryBytes } = this.#checker;
		const count = batchCount(m, at);
		const endsWord = batchEndsWord(m, at);
		const payload = at + BATCH_PAYLOAD_OFFSET;
		let wrong = batchPayloadLength(m, at) === count * entryBytes ? -1 : 0;
		for (let i = 0; i < count && wrong < 0; i++) {
			const isInPlace = m.words[endsWord + i] === (i + 1) * entryBytes;
			if (!isInPlace || !this.#checker.matches(m.bytes, payload + i * entryBytes, number + i)) {
				wrong = i;
			}
		}
		if (wrong < 0) return;
		const index = number + wrong + this.#firstIndex;
		throw new Refuted(`${name}: index ${index} does not hold entry ${number + wrong} of the load`);
	}
}
