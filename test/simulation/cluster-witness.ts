import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	batchHeaderChecksum,
	batchIndex,
	batchKind,
	batchLastIndex,
	batchParent,
	batchPayloadLength,
	batchTerm,
	batchTime,
	isBatch,
} from '../../src/format/batch.js';
import { frameLength } from '../../src/format/frame.js';
import { Memory } from '../../src/format/memory.js';
import {
	FLUSH_MARK_BYTES,
	isFlushMark,
	isSegmentHeader,
	readFlushMark,
	SEGMENT_HEADER_BYTES,
} from '../../src/format/segment-frames.js';
import type { LogPosition, Recovered } from '../../src/log/types.js';

/** One batch as it lies in a log. The checksum covers the parent's, so it stands for all that is before it. */
export interface SeenBatch {
	readonly first: number;
	readonly last: number;
	readonly term: number;
	readonly checksum: number;
	readonly parent: number;
	readonly time: number;
	/** Who belongs to the group from here on, if this says so. */
	readonly members: SeenMembers | null;
}

/** A configuration entry, read by no code of `src`. */
export interface SeenMembers {
	readonly voters: readonly { readonly id: number; readonly address: string }[];
	readonly outgoing: readonly { readonly id: number; readonly address: string }[];
	readonly learners: readonly { readonly id: number; readonly promote?: true }[];
	readonly removed: readonly number[];
}

export function seenBatch(memory: Memory, offset: number): SeenBatch {
	return {
		first: batchIndex(memory, offset),
		last: batchLastIndex(memory, offset),
		term: batchTerm(memory, offset),
		checksum: batchHeaderChecksum(memory, offset),
		parent: batchParent(memory, offset),
		time: batchTime(memory, offset),
		members:
			batchKind(memory, offset) === BatchKind.configuration ? seenMembers(memory, offset) : null,
	};
}

export function seenMembers(memory: Memory, offset: number): SeenMembers {
	const json = memory.slice(offset + BATCH_PAYLOAD_OFFSET, batchPayloadLength(memory, offset));
	return JSON.parse(new TextDecoder().decode(json)) as SeenMembers;
}

/** What one flush says, read by no code of `src/log`. */
interface Flush {
	readonly term: number;
	readonly vote: number;
	/** The log's end before the batches, and its checksum: what lay behind it is cut. */
	readonly index: number;
	readonly parent: number;
	readonly batches: readonly SeenBatch[];
}

/** Grows to the longest flush seen, and is used again for each. */
let scratch = new Memory(65_536);

export function readFlush(bytes: Uint8Array): Flush | null {
	if (scratch.size < bytes.length) scratch = new Memory(bytes.length);
	const memory = scratch;
	memory.bytes.set(bytes);
	const at = isSegmentHeader(memory, 0) ? SEGMENT_HEADER_BYTES : 0;
	if (!isFlushMark(memory, at)) return null;
	const { term, vote, index, parent } = readFlushMark(memory, at);
	const batches: SeenBatch[] = [];
	let offset = at + FLUSH_MARK_BYTES;
	while (offset < bytes.length && isBatch(memory, offset)) {
		batches.push(seenBatch(memory, offset));
		offset += frameLength(memory, offset);
	}
	return { term, vote, index, parent, batches };
}

/**
 * What one machine's disk holds for certain, from the writes that have passed its door. It survives crashes, and what
 * a replica recovers, acknowledges or votes is measured against it.
 */
export class DiskWitness {
	/** The log, without what was cut. Nothing is dropped from the front, whatever the replica compacts. */
	batches: SeenBatch[] = [];
	term = 0;
	vote = 0;
	/** All that was written, from the beginning or from what was left when something was lost. */
	#flushes: Flush[] = [];
	/** Checksums of the batches that were durable and were lost, while their replica isn't a voter again. It may have
	 * acknowledged them before. */
	readonly #lost = new Set<number>();
	/** A flush that was under way when the power failed: nobody knows whether it is there as a whole. */
	#torn: Flush | null = null;

	/** `committedUpTo`: what is committed everywhere, up to an index, as the judge knows it. */
	constructor(committedUpTo: (index: number) => readonly SeenBatch[] = () => []) {
		this.#committedUpTo = committedUpTo;
	}
	readonly #committedUpTo: (index: number) => readonly SeenBatch[];

	get last(): SeenBatch | undefined {
		return this.batches.at(-1);
	}

	/** A durable write to a segment. @returns what is wrong with it */
	written(bytes: Uint8Array): string | null {
		const flush = readFlush(bytes);
		if (flush === null) return 'a flush begins with its mark';
		if (flush.term < this.term) return 'a durable term goes back';
		const { length } = flush.batches;
		this.#add(flush);
		const before = this.batches.at(-1 - length);
		const isChild = (before?.last ?? 0) === flush.index && (before?.checksum ?? 0) === flush.parent;
		return isChild ? null : `a log goes on behind ${flush.index}, where it never was`;
	}

	/** Whether a configuration was in the last write. */
	get wroteMembers(): boolean {
		return this.#flushes.at(-1)?.batches.some(({ members }) => members !== null) === true;
	}

	/** A write to a segment that came to nothing, or to a part, or to all of it. */
	torn(bytes: Uint8Array): void {
		this.#torn = readFlush(bytes);
	}

	/** A replica has read its log, and has this snapshot. @returns what it should have found, if it didn't */
	recovered(recovered: Recovered, snapshot: LogPosition | null): string | null {
		const torn = this.#torn;
		this.#torn = null;
		if (this.#isWhat(recovered, snapshot) || this.#isBehind(recovered, snapshot)) return null;
		// Of a torn flush, recovery keeps the batches before the damage.
		for (let kept = 0; torn !== null && kept <= torn.batches.length; kept++) {
			const part = { ...torn, batches: torn.batches.slice(0, kept) };
			this.#apply(part);
			const isIt = this.#isWhat(recovered, snapshot);
			if (isIt) this.#flushes.push(part);
			if (isIt || this.#isBehind(recovered, snapshot)) return null;
		}
		const { end, term, vote } = recovered;
		return (
			`recovered (${end.index}, checksum ${end.checksum}), term ${term}, vote ${vote}; durable was ` +
			`(${this.last?.last ?? 0}, checksum ${this.last?.checksum ?? 0}), term ${this.term}, vote ${this.vote}`
		);
	}

	/** A part of the disk was damaged, and its replica goes on with what it has of the rest.
	 * @returns what is wrong with that, if it isn't what the log was like at some time */
	forgot(recovered: Recovered, snapshot: LogPosition | null): string | null {
		const flushes = this.#flushes;
		this.wiped();
		for (const flush of flushes) {
			if (this.#isWhat(recovered, snapshot) || this.#isBehind(recovered, snapshot)) return null;
			for (let kept = 0; kept < flush.batches.length; kept++) {
				const part = { ...flush, batches: flush.batches.slice(0, kept) };
				this.#apply(part);
				const isIt = this.#isWhat(recovered, snapshot);
				if (isIt) this.#flushes.push(part);
				if (isIt || this.#isBehind(recovered, snapshot)) return null;
			}
			this.#add(flush);
		}
		const isIt = this.#isWhat(recovered, snapshot) || this.#isBehind(recovered, snapshot);
		const { end, term, vote } = recovered;
		const was = `(${end.index}, checksum ${end.checksum}), term ${term}, vote ${vote}`;
		return isIt ? null : `goes on with what its log never was: ${was}; ${JSON.stringify(snapshot)}`;
	}

	/** Where the log lacks what its snapshot ends with, it is empty behind that. What it is then is what counts. */
	#isBehind({ end, term, vote }: Recovered, snapshot: LogPosition | null): boolean {
		if (snapshot === null || end.index !== snapshot.index) return false;
		if (end.checksum !== snapshot.checksum) return false;
		if (this.find(end.index)?.checksum === end.checksum) return false;
		if (!this.#isHardState(term, vote, snapshot)) return false;
		this.#add({ term, vote, index: end.index, parent: end.checksum, batches: [] });
		return true;
	}

	/** All of the disk is lost. */
	wiped(): void {
		for (const { checksum } of this.batches) this.#lost.add(checksum);
		this.batches = [];
		this.term = 0;
		this.vote = 0;
		this.#flushes = [];
		this.#torn = null;
	}

	/** Its replica says that it has all that it may have promised. */
	admitted(): void {
		this.#lost.clear();
	}

	/** Is this very batch durable, or was it, and lost with its disk? */
	hasHeld({ last, checksum }: SeenBatch): boolean {
		return this.find(last)?.checksum === checksum || this.#lost.has(checksum);
	}

	#add(flush: Flush): void {
		this.#apply(flush);
		this.#flushes.push(flush);
	}

	/** The batch that holds `index`. */
	find(index: number): SeenBatch | undefined {
		let low = 0;
		let high = this.batches.length - 1;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.batches[middle]!.last < index) low = middle + 1;
			else high = middle;
		}
		const batch = this.batches[low];
		return batch !== undefined && batch.first <= index && index <= batch.last ? batch : undefined;
	}

	#isWhat({ end, term, vote }: Recovered, snapshot: LogPosition | null): boolean {
		const isSameEnd =
			(this.last?.last ?? 0) === end.index &&
			(this.last?.checksum ?? end.checksum) === end.checksum;
		return isSameEnd && this.#isHardState(term, vote, snapshot);
	}

	/** A snapshot may be durable before its term is: then nothing was promised in that. */
	#isHardState(term: number, vote: number, snapshot: LogPosition | null): boolean {
		if (term === this.term && vote === this.vote) return true;
		if (snapshot === null || term !== snapshot.term || term < this.term || vote !== 0) return false;
		this.term = term;
		this.vote = 0;
		return true;
	}

	#apply(flush: Flush): void {
		while ((this.last?.last ?? 0) > flush.index) this.batches.pop();
		const isChild =
			(this.last?.last ?? 0) === flush.index && (this.last?.checksum ?? 0) === flush.parent;
		// The log begins anew behind a snapshot, which stands for what is committed.
		if (!isChild) this.batches = [...this.#committedUpTo(flush.index)];
		this.batches.push(...flush.batches);
		this.term = flush.term;
		this.vote = flush.vote;
	}
}
