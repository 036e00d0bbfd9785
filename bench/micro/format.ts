/**
 * What the format costs, beside the obvious way to do the same.
 *
 *     npm run build && node dist/bench/micro/format.js [rounds]
 *
 * Each pair runs in turns, and the ratio is taken within a turn: on a shared machine times wander, ratios stay.
 */
import * as zlib from 'node:zlib';
import { Builder, ByteBuffer } from 'flatbuffers';
import { Bench } from 'tinybench';
import { Batch, BatchHeader } from '../../schema/generated/batch-frame.js';
import { Message, MessageHead } from '../../schema/generated/message-frame.js';
import {
	BatchKind,
	batchCount,
	batchFault,
	batchIndex,
	batchSequence,
	batchTerm,
	finishBatch,
	stampBatch,
} from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { crc32 } from '../../src/format/crc32.js';
import { FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import { emptyMessage, readMessage, writeMessage } from '../../src/format/message.js';
import { payloadChecksum } from '../../src/format/payload-checksum.js';

const MIB = 1024 * 1024;
const LABEL = { group: 1, session: 5, sequence: 7, kind: BatchKind.entries };
/** Calls within one sample, so that reading the clock doesn't count. */
const CALLS = 64;

interface Pair {
	readonly what: string;
	readonly ours: () => void;
	readonly other: () => void;
	readonly otherWay: string;
}

/** Keeps results alive, so that the compiler can't leave the work out. */
const sink = new Float64Array(1);

function entriesOf(count: number, bytes: number): Uint8Array[] {
	return Array.from({ length: count }, (_, i) => new Uint8Array(bytes).fill(i));
}

/** A finished batch at 0. */
function batchOf(
	count: number,
	bytes: number,
): { memory: Memory; length: number; ends: Uint32Array } {
	const memory = new Memory(MIB);
	const ends = Uint32Array.from({ length: count }, (_, i) => (i + 1) * bytes);
	memory.bytes.fill(7, 112, 112 + count * bytes);
	const length = finishBatch(memory, 0, count * bytes, ends, count, LABEL);
	stampBatch(memory, 0, 3, 1000, 1, 1_700_000_000_000);
	return { memory, length, ends };
}

function buildByBuilder(builder: Builder, payload: Uint8Array, entryEnds: Uint32Array): Uint8Array {
	builder.clear();
	const ends = Batch.createEndsVector(builder, entryEnds);
	const bytes = builder.createByteVector(payload);
	Batch.startBatch(builder);
	const header = BatchHeader.createBatchHeader(
		builder,
		...([0, 0, 3n, 1000n, 1, 1, 5n, 7n, 1_700_000_000_000n, entryEnds.length, 0, 0, 0] as const),
	);
	Batch.addHeader(builder, header);
	Batch.addEnds(builder, ends);
	Batch.addPayload(builder, bytes);
	Batch.finishSizePrefixedBatchBuffer(builder, Batch.endBatch(builder));
	return builder.asUint8Array();
}

function buildPair(count: number, bytes: number): Pair {
	const { memory, ends } = batchOf(count, bytes);
	const payload = new Uint8Array(count * bytes).fill(7);
	const builder = new Builder(MIB);
	return {
		what: `make and stamp a batch of ${count} x ${bytes} B`,
		ours: () => {
			sink[0]! += finishBatch(memory, 0, payload.length, ends, count, LABEL);
			sink[0]! += stampBatch(memory, 0, 3, 1000, 1, 1_700_000_000_000);
		},
		otherWay: 'Builder reused, the same checksums',
		other: () => {
			const frame = buildByBuilder(builder, payload, ends);
			sink[0]! += payloadChecksum(frame, 96, frame.length) + zlib.crc32(frame.subarray(36, 96));
		},
	};
}

function addPair(count: number, bytes: number): Pair {
	const memory = new Memory(MIB);
	const writer = new BatchWriter(65_536);
	const entries = entriesOf(count, bytes);
	return {
		what: `gather ${count} x ${bytes} B into a batch`,
		ours: () => {
			writer.begin(memory, 0, MIB);
			for (let i = 0; i < count; i++) writer.add(entries[i]!);
			sink[0]! += writer.finish(LABEL);
		},
		otherWay: 'Buffer.concat: no frame, no checksum',
		other: () => {
			sink[0]! += Buffer.concat(entries).length;
		},
	};
}

function validatePair(count: number, bytes: number): Pair {
	const { memory, length } = batchOf(count, bytes);
	const scanner = new FrameScanner();
	const frame = memory.slice(0, length);
	return {
		what: `validate a batch of ${count} x ${bytes} B`,
		ours: () => {
			sink[0]! += scanner.scan(memory, 0, length, MIB);
		},
		otherWay: 'generated accessors, entry by entry',
		other: () => {
			const batch = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame));
			const header = batch.header()!;
			if (header.headerChecksum() !== zlib.crc32(frame.subarray(36, 96))) throw new Error();
			if (header.payloadChecksum() !== payloadChecksum(frame, 96, length)) throw new Error();
			let before = 0;
			for (let i = 0; i < batch.endsLength(); i++) {
				const end = batch.ends(i)!;
				if (end < before) throw new Error();
				before = end;
			}
			sink[0]! += before;
		},
	};
}

function entriesPair(count: number, bytes: number): Pair {
	const { memory, length } = batchOf(count, bytes);
	const view = new BatchView();
	const frame = memory.slice(0, length);
	return {
		what: `walk the entries of ${count} x ${bytes} B`,
		ours: () => {
			view.moveTo(memory, 0, length);
			for (let i = 0; i < view.count; i++) sink[0]! += view.entry(i).length;
		},
		otherWay: 'generated accessors, subarray',
		other: () => {
			const batch = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame));
			const payload = batch.payloadArray()!;
			let start = 0;
			for (let i = 0; i < batch.endsLength(); i++) {
				const end = batch.ends(i)!;
				sink[0]! += payload.subarray(start, end).length;
				start = end;
			}
		},
	};
}

function headerPair(): Pair {
	const { memory, length } = batchOf(16, 256);
	const buffer = new ByteBuffer(memory.slice(0, length));
	const batch = new Batch();
	const header = new BatchHeader();
	return {
		what: 'read four numbers of a batch header',
		ours: () => {
			sink[0]! += batchTerm(memory, 0) + batchIndex(memory, 0) + batchSequence(memory, 0);
			sink[0]! += batchCount(memory, 0);
		},
		otherWay: 'generated accessors, all reused',
		other: () => {
			buffer.setPosition(0);
			Batch.getSizePrefixedRootAsBatch(buffer, batch).header(header);
			sink[0]! += Number(header.term()) + Number(header.index()) + Number(header.sequence());
			sink[0]! += header.count();
		},
	};
}

function dataViewPair(): Pair {
	const { memory } = batchOf(16, 256);
	return {
		what: 'the same',
		ours: headerPair().ours,
		otherWay: 'new DataView, getBigUint64',
		other: () => {
			const view = new DataView(memory.bytes.buffer, 32, 64);
			sink[0]! += Number(view.getBigUint64(8, true)) + Number(view.getBigUint64(16, true));
			sink[0]! += Number(view.getBigUint64(40, true)) + view.getUint32(56, true);
		},
	};
}

function messagePair(): Pair {
	const memory = new Memory(4096);
	const message = { ...emptyMessage(2), term: 5, index: 2 ** 33, context: 9, from: 2, to: 3 };
	const builder = new Builder(1024);
	return {
		what: 'write a message',
		ours: () => {
			sink[0]! += writeMessage(memory, 0, message);
		},
		otherWay: 'Builder reused, no checksum',
		other: () => {
			builder.clear();
			const body = Message.createBodyVector(builder, []);
			Message.startMessage(builder);
			const numbers = [5n, 8_589_934_592n, 0n, 0n, 9n, 0n, 0n] as const;
			Message.addHead(
				builder,
				MessageHead.createMessageHead(builder, 0, 2, 0, 0, 1, 2, 3, 0, ...numbers),
			);
			Message.addBody(builder, body);
			Message.finishSizePrefixedMessageBuffer(builder, Message.endMessage(builder));
			sink[0]! += builder.asUint8Array().length;
		},
	};
}

function messageReadPair(): Pair {
	const memory = new Memory(4096);
	const into = emptyMessage(0);
	const length = writeMessage(memory, 0, { ...emptyMessage(2), term: 5, index: 2 ** 33 });
	const scanner = new FrameScanner();
	const json = JSON.stringify(into);
	return {
		what: 'validate and read a message',
		ours: () => {
			sink[0]! += scanner.scan(memory, 0, length, MIB);
			readMessage(memory, 0, into);
			sink[0]! += into.term;
		},
		otherWay: 'JSON.parse of the same numbers',
		other: () => {
			sink[0]! += (JSON.parse(json) as typeof into).term;
		},
	};
}

function crcPair(bytes: number): Pair {
	const data = new Uint8Array(bytes).fill(9);
	return {
		what: `crc32 of ${bytes} B`,
		ours: () => {
			sink[0]! += crc32(data, 0, bytes);
		},
		otherWay: 'zlib.crc32(subarray)',
		other: () => {
			sink[0]! += zlib.crc32(data.subarray(0, bytes));
		},
	};
}

function payloadChecksumPair(bytes: number): Pair {
	const data = new Uint8Array(bytes).fill(9);
	return {
		what: `payload checksum of ${bytes} B`,
		ours: () => {
			sink[0]! += payloadChecksum(data, 0, bytes);
		},
		otherWay: 'zlib.crc32(subarray)',
		other: () => {
			sink[0]! += zlib.crc32(data.subarray(0, bytes));
		},
	};
}

function stampPair(): Pair {
	const { memory, length } = batchOf(64, 256);
	return {
		what: 'stamp a batch of 64 x 256 B',
		ours: () => {
			sink[0]! += stampBatch(memory, 0, 3, 1000, 1, 1_700_000_000_000);
		},
		otherWay: 'one checksum over everything',
		other: () => {
			memory.words[10] = 3;
			sink[0]! += zlib.crc32(memory.bytes.subarray(36, length));
		},
	};
}

function doorPair(): Pair {
	const { memory, length } = batchOf(1024, 16);
	return {
		what: 'the door alone, 1024 x 16 B',
		ours: () => {
			sink[0]! += batchFault(memory, 0, length) === null ? 1 : 0;
		},
		otherWay: 'its checksums alone',
		other: () => {
			sink[0]! += crc32(memory.bytes, 36, 96) + crc32(memory.bytes, 96, length);
		},
	};
}

const PAIRS: readonly Pair[] = [
	buildPair(1, 256),
	buildPair(64, 256),
	buildPair(4096, 16),
	addPair(1024, 16),
	addPair(256, 256),
	stampPair(),
	validatePair(1, 256),
	validatePair(64, 256),
	validatePair(1024, 16),
	doorPair(),
	entriesPair(64, 256),
	headerPair(),
	dataViewPair(),
	messagePair(),
	messageReadPair(),
	crcPair(60),
	crcPair(128),
	crcPair(200),
	crcPair(256),
	crcPair(4096),
	payloadChecksumPair(32 * 1024),
	payloadChecksumPair(128 * 1024),
];

/** Nanoseconds per call, the median of one turn. */
async function measure(way: () => void, milliseconds: number): Promise<number> {
	const bench = new Bench({ time: milliseconds, warmup: false, iterations: 8, throws: true });
	bench.add('way', () => {
		for (let i = 0; i < CALLS; i++) way();
	});
	const [task] = await bench.run();
	const result = task!.result;
	if (!('latency' in result)) throw new Error(`no result: ${result.state}`);
	return (result.latency.p50 * 1e6) / CALLS;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >>> 1]!;
const column = (value: string | number, width: number) =>
	(typeof value === 'number' ? value.toFixed(value < 100 ? 1 : 0) : value).padStart(width);

const rounds = Number(process.argv[2] ?? 7);
console.log(
	`${'what'.padEnd(38)}${column('ns', 10)}${column('other ns', 10)}${column('ratio', 8)}  other`,
);
for (const pair of PAIRS) {
	const ours: number[] = [];
	const others: number[] = [];
	const ratios: number[] = [];
	// The first turn warms the compiler up and doesn't count.
	for (let round = 0; round <= rounds; round++) {
		const mine = await measure(pair.ours, 20);
		const other = await measure(pair.other, 20);
		if (round === 0) continue;
		ours.push(mine);
		others.push(other);
		ratios.push(other / mine);
	}
	console.log(
		`${pair.what.padEnd(38)}${column(median(ours), 10)}${column(median(others), 10)}` +
			`${column(`${median(ratios).toFixed(1)}x`, 8)}  ${pair.otherWay}`,
	);
}
if (Number.isNaN(sink[0])) console.log(sink);
