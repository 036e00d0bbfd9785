/** Batches: made, stamped, validated, read. */
import * as zlib from 'node:zlib';
import { Builder, ByteBuffer } from 'flatbuffers';
import { Batch, BatchHeader } from '../../schema/generated/batch-frame.js';
import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	batchCount,
	batchFault,
	batchHeaderChecksum,
	batchIndex,
	batchPayloadChecksum,
	batchPayloadLength,
	batchSequence,
	batchTerm,
	batchTime,
	finishBatch,
	stampBatch,
} from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { crc32 } from '../../src/format/crc32.js';
import { FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import { payloadChecksum } from '../../src/format/payload-checksum.js';
import type { Pair } from './pair.js';

const MIB = 1024 * 1024;
const LABEL = { group: 1, session: 5, sequence: 7, kind: BatchKind.entries };
const TIME = 1_700_000_000_000;

export interface MadeBatch {
	readonly memory: Memory;
	readonly length: number;
	readonly ends: Uint32Array;
}

/** A finished and stamped batch at 0. */
export function batchOf(count: number, bytes: number): MadeBatch {
	const memory = new Memory(MIB);
	const ends = Uint32Array.from({ length: count }, (_, i) => (i + 1) * bytes);
	memory.bytes.fill(7, BATCH_PAYLOAD_OFFSET, BATCH_PAYLOAD_OFFSET + count * bytes);
	const length = finishBatch(memory, 0, count * bytes, ends, count, LABEL);
	stampBatch(memory, 0, 3, 1000, 1, TIME);
	return { memory, length, ends };
}

/** What a frame says, as flatc's own accessors read it. */
function contentOf(frame: Uint8Array): unknown {
	const batch = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame));
	const header = batch.header()!;
	return {
		label: [header.group(), header.session(), header.sequence(), header.kind()],
		stamp: [header.term(), header.index(), header.parent(), header.time()],
		ends: batch.endsArray()!.slice(),
		payload: batch.payloadArray()!.slice(),
	};
}

function buildByBuilder(builder: Builder, payload: Uint8Array, entryEnds: Uint32Array): Uint8Array {
	builder.clear();
	const ends = Batch.createEndsVector(builder, entryEnds);
	const bytes = builder.createByteVector(payload);
	Batch.startBatch(builder);
	const numbers = [3n, 1000n, 1, 1, 5n, 7n, BigInt(TIME), entryEnds.length, 0, 0, 0] as const;
	const header = BatchHeader.createBatchHeader(builder, 0, 0, ...numbers);
	Batch.addHeader(builder, header);
	Batch.addEnds(builder, ends);
	Batch.addPayload(builder, bytes);
	Batch.finishSizePrefixedBatchBuffer(builder, Batch.endBatch(builder));
	return builder.asUint8Array();
}

function makePair(count: number, bytes: number): Pair {
	const { memory, ends } = batchOf(count, bytes);
	const payload = new Uint8Array(count * bytes).fill(7);
	const builder = new Builder(MIB);
	let length = 0;
	let frame: Uint8Array = payload;
	return {
		name: `make a batch of ${count} x ${bytes} B`,
		ours: {
			how: 'finishBatch, stampBatch',
			call: () => {
				length = finishBatch(memory, 0, payload.length, ends, count, LABEL);
				return stampBatch(memory, 0, 3, 1000, 1, TIME);
			},
			made: () => contentOf(memory.slice(0, length)),
		},
		naive: {
			how: 'Builder reused, checksums of as many bytes',
			call: () => {
				frame = buildByBuilder(builder, payload, ends);
				return payloadChecksum(frame, 96, frame.length) + zlib.crc32(frame.subarray(36, 96));
			},
			made: () => contentOf(frame),
		},
	};
}

function gatherPair(count: number, bytes: number): Pair {
	const memory = new Memory(MIB);
	const writer = new BatchWriter(65_536);
	const entries = Array.from({ length: count }, (_, i) => new Uint8Array(bytes).fill(i));
	let joined = Buffer.alloc(0);
	return {
		name: `gather ${count} x ${bytes} B into a batch`,
		ours: {
			how: 'BatchWriter: the whole frame, with checksums',
			call: () => {
				writer.begin(memory, 0, MIB);
				for (let i = 0; i < count; i++) writer.add(entries[i]!);
				return writer.finish(LABEL);
			},
			made: () => Buffer.from(memory.slice(BATCH_PAYLOAD_OFFSET, batchPayloadLength(memory, 0))),
		},
		naive: {
			how: 'Buffer.concat: no frame, no checksum',
			call: () => {
				joined = Buffer.concat(entries);
				return joined.length;
			},
			made: () => joined,
		},
	};
}

function stampPair(): Pair {
	const { memory } = batchOf(64, 256);
	const { memory: other, length } = batchOf(64, 256);
	const view = new DataView(other.bytes.buffer);
	const stamped = (of: Memory) => () => [batchTerm(of, 0), batchIndex(of, 0), batchTime(of, 0)];
	let index = 1000;
	let otherIndex = 1000;
	return {
		name: 'stamp a batch of 64 x 256 B',
		ours: {
			how: 'stampBatch: a checksum over the header',
			call: () => stampBatch(memory, 0, 4, ++index, 1, TIME),
			made: stamped(memory),
		},
		naive: {
			how: 'BigInts, one checksum over everything',
			call: () => {
				view.setBigUint64(40, 4n, true);
				view.setBigUint64(48, BigInt(++otherIndex), true);
				view.setBigUint64(80, BigInt(TIME), true);
				const checksum = zlib.crc32(other.bytes.subarray(36, length));
				view.setUint32(32, checksum, true);
				return checksum;
			},
			made: stamped(other),
		},
	};
}

function validatePair(count: number, bytes: number): Pair {
	const { memory, length } = batchOf(count, bytes);
	const scanner = new FrameScanner();
	const frame = memory.slice(0, length);
	return {
		name: `validate a batch of ${count} x ${bytes} B`,
		ours: {
			how: 'FrameScanner',
			call: () => {
				scanner.scan(memory, 0, length, MIB);
				return scanner.fault === null ? batchPayloadLength(memory, 0) : -1;
			},
		},
		naive: {
			how: 'generated accessors, entry by entry',
			call: () => {
				const batch = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame));
				const header = batch.header()!;
				if (header.headerChecksum() !== zlib.crc32(frame.subarray(36, 96))) return -1;
				if (header.payloadChecksum() !== payloadChecksum(frame, 96, length)) return -1;
				let before = 0;
				for (let i = 0; i < batch.endsLength(); i++) {
					const end = batch.ends(i)!;
					if (end < before) return -1;
					before = end;
				}
				return before;
			},
		},
	};
}

function doorPair(): Pair {
	const { memory, length } = batchOf(1024, 16);
	return {
		name: 'validate, the checks alone: 1024 x 16 B',
		ours: {
			how: 'batchFault',
			call: () => (batchFault(memory, 0, length) === null ? 1 : 0),
		},
		naive: {
			how: 'its two checksums and nothing else: what they are of it',
			call: () => {
				const header = crc32(memory.bytes, 36, 96) === batchHeaderChecksum(memory, 0);
				const payload = crc32(memory.bytes, 96, length) === batchPayloadChecksum(memory, 0);
				return header && payload ? 1 : 0;
			},
		},
	};
}

function walkPair(count: number, bytes: number): Pair {
	const { memory, length } = batchOf(count, bytes);
	const view = new BatchView();
	const frame = memory.slice(0, length);
	return {
		name: `walk the entries of ${count} x ${bytes} B`,
		ours: {
			how: 'BatchView',
			call: () => {
				view.moveTo(memory, 0, length);
				let sum = 0;
				for (let i = 0; i < view.count; i++) sum += view.entry(i).length;
				return sum;
			},
		},
		naive: {
			how: 'generated accessors, subarray',
			call: () => {
				const batch = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame));
				const payload = batch.payloadArray()!;
				let [start, sum] = [0, 0];
				for (let i = 0; i < batch.endsLength(); i++) {
					const end = batch.ends(i)!;
					sum += payload.subarray(start, end).length;
					start = end;
				}
				return sum;
			},
		},
	};
}

function headerPairs(): Pair[] {
	const { memory, length } = batchOf(16, 256);
	const buffer = new ByteBuffer(memory.slice(0, length));
	const batch = new Batch();
	const header = new BatchHeader();
	const ours = {
		how: 'fixed places, two words each',
		call: () =>
			batchTerm(memory, 0) +
			batchIndex(memory, 0) +
			batchSequence(memory, 0) +
			batchCount(memory, 0),
	};
	const accessors = () => {
		buffer.setPosition(0);
		Batch.getSizePrefixedRootAsBatch(buffer, batch).header(header);
		const numbers = Number(header.term()) + Number(header.index()) + Number(header.sequence());
		return numbers + header.count();
	};
	const dataView = () => {
		const view = new DataView(memory.bytes.buffer, 32, 64);
		const numbers = [8, 16, 40].map((at) => Number(view.getBigUint64(at, true)));
		return numbers[0]! + numbers[1]! + numbers[2]! + view.getUint32(56, true);
	};
	const name = 'read header: four numbers';
	return [
		{ name, ours, naive: { how: 'generated accessors, all reused', call: accessors } },
		{ name, ours, naive: { how: 'new DataView, getBigUint64', call: dataView } },
	];
}

export const batchPairs: readonly Pair[] = [
	makePair(1, 256),
	makePair(64, 256),
	makePair(4096, 16),
	gatherPair(1024, 16),
	gatherPair(256, 256),
	stampPair(),
	validatePair(1, 256),
	validatePair(64, 256),
	validatePair(1024, 16),
	doorPair(),
	walkPair(64, 256),
	...headerPairs(),
];
