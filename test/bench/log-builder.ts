import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LoadBatch } from '../../bench/load.js';
import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	finishBatch,
	stampBatch,
} from '../../src/format/batch.js';
import { Memory } from '../../src/format/memory.js';
import {
	FLUSH_MARK_BYTES,
	SEGMENT_HEADER_BYTES,
	writeFlushMark,
	writeSegmentHeader,
} from '../../src/format/segment-frames.js';
import { segmentName } from '../../src/log/segment-store.js';

const SEGMENT_BYTES = 64 * 1024;
const TERM = 3;

/** Writes segment files as a replica would, one flush for each batch. */
export class LogBuilder {
	readonly directory: string;
	/** Positions of the batches in the segment they are in. */
	readonly positions: number[] = [];
	#memory = new Memory(SEGMENT_BYTES);
	#segment = 0;
	#position = 0;
	#sequence = 1;
	#index = 0;
	#parent = 0;
	#term = 0;

	constructor(replicaDirectory: string) {
		this.directory = join(replicaDirectory, 'log');
		mkdirSync(this.directory, { recursive: true });
		this.beginSegment();
	}

	get index(): number {
		return this.#index;
	}

	path(segment: number): string {
		return join(this.directory, segmentName(segment));
	}

	/** Ends the segment; the log goes on in the next. */
	beginSegment(): void {
		this.#save();
		this.#segment += 1;
		this.#memory.bytes.fill(0);
		writeSegmentHeader(this.#memory, 0, {
			group: 1,
			cluster: 1,
			replica: 1,
			baseChecksum: this.#parent,
			baseIndex: this.#index,
			baseTerm: this.#term,
			segment: this.#segment,
			sequence: this.#sequence,
			bytes: SEGMENT_BYTES,
			salt: 5,
		});
		this.#position = SEGMENT_HEADER_BYTES;
	}

	noOp(): this {
		return this.#append(new Uint8Array(0), Uint32Array.of(0), BatchKind.noOp);
	}

	/** Entries `first` to `first + count - 1` of a load. */
	entries(payloadBytes: number, first: number, count: number): this {
		const batch = new LoadBatch(payloadBytes, count, () => {});
		batch.fill(first, count);
		return this.#append(batch.payload, batch.ends, BatchKind.entries);
	}

	/** The last `count` entries never were: the next flush cuts them off. */
	truncate(index: number, parent: number): this {
		this.#index = index;
		this.#parent = parent;
		return this;
	}

	get parent(): number {
		return this.#parent;
	}

	/** Writes the files. @returns the directory of the replica */
	save(): string {
		this.#save();
		return join(this.directory, '..');
	}

	#append(payload: Uint8Array, ends: Uint32Array, kind: BatchKind): this {
		const m = this.#memory;
		const at = this.#position + FLUSH_MARK_BYTES;
		m.bytes.set(payload, at + BATCH_PAYLOAD_OFFSET);
		const label = { group: 1, session: 0, sequence: 0, kind };
		const bytes = finishBatch(m, at, payload.length, ends, ends.length, label);
		const parent = stampBatch(m, at, TERM, this.#index + 1, this.#parent, 1_700_000_000_000);
		writeFlushMark(m, this.#position, {
			group: 1,
			sequence: this.#sequence,
			term: TERM,
			vote: 1,
			index: this.#index,
			indexTerm: this.#term,
			parent: this.#parent,
			committed: 0,
			bytes,
			salt: 5,
		});
		this.positions.push(at);
		this.#position = at + bytes;
		this.#sequence += 1;
		this.#index += ends.length;
		this.#parent = parent;
		this.#term = TERM;
		return this;
	}

	#save(): void {
		if (this.#segment > 0) writeFileSync(this.path(this.#segment), this.#memory.bytes);
	}
}
