/** flatc's own accessors are the reference: what we write they must read, number by number, and back. */
import { Builder, ByteBuffer } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { Batch, BatchHeader } from '../../schema/generated/batch-frame.js';
import { Message, MessageHead } from '../../schema/generated/message-frame.js';
import {
	FlushHead,
	FlushMark,
	SegmentHead,
	SegmentHeader,
} from '../../schema/generated/segment-frames.js';
import {
	BatchKind,
	batchCount,
	batchGroup,
	batchHeaderChecksum,
	batchIndex,
	batchKind,
	batchLastIndex,
	batchParent,
	batchSequence,
	batchSession,
	batchTerm,
	batchTime,
} from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import type { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	messageBatches,
	messageBody,
	messageVersion,
	readMessage,
} from '../../src/format/message.js';
import { readFlushMark, readSegmentHeader } from '../../src/format/segment-frames.js';
import {
	BATCH,
	batchFrame,
	faultOf,
	flushMarkFrame,
	HEADER,
	MARK,
	MESSAGE,
	memoryOf,
	messageFrame,
	NUMBER_MAX,
	reseal,
	segmentHeaderFrame,
	text,
} from './frames.js';

const crcAt = (frame: Uint8Array, at: number) =>
	new DataView(frame.buffer, frame.byteOffset).getUint32(at, true);

/** What flatc's accessors make of a size-prefixed frame, after its identifier was checked. */
function rootOf<T>(
	frame: Uint8Array,
	hasIdentifier: (buffer: ByteBuffer) => boolean,
	root: (buffer: ByteBuffer) => T,
): T {
	expect(crcAt(frame, 0)).toBe(frame.length - 4);
	expect(hasIdentifier(new ByteBuffer(frame.subarray(4)))).toBe(true);
	return root(new ByteBuffer(frame));
}

describe('a batch', () => {
	const entries = [text('first'), text(''), text('the third entry'), new Uint8Array(500).fill(7)];

	it.each([1, 2, 3, 4])('of %i entries is read by flatc', (count) => {
		const frame = batchFrame(entries.slice(0, count), BATCH);
		const batch = rootOf(frame, Batch.bufferHasIdentifier, (b) =>
			Batch.getSizePrefixedRootAsBatch(b),
		);
		const header = batch.header()!;
		expect({
			headerChecksum: header.headerChecksum(),
			payloadChecksum: header.payloadChecksum(),
			term: header.term(),
			index: header.index(),
			parent: header.parent(),
			group: header.group(),
			session: header.session(),
			sequence: header.sequence(),
			time: header.time(),
			count: header.count(),
			kind: header.kind(),
			flags: header.flags(),
			reserved: header.reserved(),
		}).toEqual({
			headerChecksum: crcAt(reseal(frame.slice()), 32),
			payloadChecksum: crcAt(reseal(frame.slice()), 36),
			term: BigInt(BATCH.term),
			index: BigInt(BATCH.index),
			parent: BATCH.parent,
			group: BATCH.group,
			session: BigInt(BATCH.session),
			sequence: BigInt(BATCH.sequence),
			time: BigInt(BATCH.time),
			count,
			kind: BATCH.kind,
			flags: 0,
			reserved: 0,
		});
		expect(batch.endsLength()).toBe(count);
		let start = 0;
		for (let i = 0; i < count; i++) {
			const end = batch.ends(i)!;
			expect(batch.payloadArray()!.slice(start, end)).toEqual(entries[i]);
			start = end;
		}
		expect(start).toBe(batch.payloadLength());
		// Vectors may be read in place as typed arrays: they are aligned.
		expect([...batch.endsArray()!]).toHaveLength(count);
	});

	it('whose header flatc wrote is read by us', () => {
		const frame = batchFrame(entries, BATCH);
		const at = (n: number) => BigInt(NUMBER_MAX - n);
		putStruct(frame, 64, (builder) => {
			BatchHeader.createBatchHeader(
				builder,
				...([0, 0, at(1), at(2), 0xfffffffe, 0xfffffffd, at(3), at(4), at(5)] as const),
				...([4, BatchKind.entries, 0, 0] as const),
			);
		});
		expect(faultOf(frame)).toBeNull();
		const memory = memoryOf(frame, 8);
		expect([
			batchTerm(memory, 8),
			batchIndex(memory, 8),
			batchParent(memory, 8),
			batchGroup(memory, 8),
			batchSession(memory, 8),
			batchSequence(memory, 8),
			batchTime(memory, 8),
			batchCount(memory, 8),
			batchKind(memory, 8),
			batchLastIndex(memory, 8),
			batchHeaderChecksum(memory, 8),
		]).toEqual([
			NUMBER_MAX - 1,
			NUMBER_MAX - 2,
			0xfffffffe,
			0xfffffffd,
			NUMBER_MAX - 3,
			NUMBER_MAX - 4,
			NUMBER_MAX - 5,
			4,
			BatchKind.entries,
			NUMBER_MAX + 1,
			crcAt(frame, 32),
		]);
		const view = new BatchView().moveTo(memory, 8, frame.length);
		expect(entries.map((_, i) => view.entry(i))).toEqual(entries);
	});

	it('of a registered session says in its flags for how many it waits', () => {
		const frame = batchFrame([text('x')], { ...BATCH, waits: 0xfedc });
		const header = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame)).header()!;
		expect([header.kind(), header.flags(), header.reserved()]).toEqual([0, 1, 0xfedc]);
		const view = new BatchView().moveTo(memoryOf(frame, 8), 8, frame.length);
		expect([view.isRegistered, view.waits]).toEqual([true, 0xfedc]);
	});

	it('in another layout than the canonical one is refused, though flatc could read it', () => {
		const builder = new Builder(256);
		const ends = Batch.createEndsVector(builder, [3]);
		const payload = Batch.createPayloadVector(builder, Uint8Array.of(1, 2, 3));
		Batch.startBatch(builder);
		const header = [0, 0, 1n, 1n, 0, 1, 0n, 0n, 0n, 1, 0, 0, 0] as const;
		Batch.addHeader(builder, BatchHeader.createBatchHeader(builder, ...header));
		Batch.addEnds(builder, ends);
		Batch.addPayload(builder, payload);
		Batch.finishSizePrefixedBatchBuffer(builder, Batch.endBatch(builder));
		const frame = builder.asUint8Array();
		expect(Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame)).header()!.count()).toBe(1);
		expect(faultOf(frame.slice())).toMatch(/prologue|bytes long/);
	});
});

describe('a message', () => {
	const cases: [string, Uint8Array | null, number, number, Partial<typeof MESSAGE>][] = [
		['append', null, 7, 0, { kind: 1 }],
		['rejected append response', null, 0, 0, { kind: 2, rejected: true }],
		['pre-vote', null, 0, 0, { kind: 3 }],
		['vote response', null, 0, 0, { kind: 6 }],
		['hello', null, 0, 0xfffe, { kind: 16 }],
		['goodbye', text('shutting down'), 0, 0, { kind: 17 }],
		['propose reply', text('no'), 0, 0, { kind: 32, rejected: true }],
		['read request', new Uint8Array(1000).fill(3), 0, 0, { kind: 33 }],
		['read reply with an empty body', new Uint8Array(0), 0, 0, { kind: 34 }],
		['status reply', text('{}'), 0, 0, { kind: 38 }],
	];

	it.each(cases)('%s is read by flatc', (_name, body, batches, version, changes) => {
		const numbers = { ...MESSAGE, ...changes };
		const frame = messageFrame(numbers, body, batches, version);
		const message = rootOf(frame, Message.bufferHasIdentifier, (b) =>
			Message.getSizePrefixedRootAsMessage(b),
		);
		const head = message.head()!;
		expect({
			checksum: head.checksum(),
			kind: head.kind(),
			flags: head.flags(),
			version: head.version(),
			group: head.group(),
			from: head.from(),
			to: head.to(),
			batches: head.batches(),
			term: head.term(),
			index: head.index(),
			logTerm: head.logTerm(),
			commit: head.commit(),
			context: head.context(),
			hintIndex: head.hintIndex(),
			hintTerm: head.hintTerm(),
		}).toEqual({
			checksum: crcAt(reseal(frame.slice()), 32),
			kind: numbers.kind,
			flags: numbers.rejected ? 1 : 0,
			version,
			group: numbers.group,
			from: numbers.from,
			to: numbers.to,
			batches,
			term: BigInt(numbers.term),
			index: BigInt(numbers.index),
			logTerm: BigInt(numbers.logTerm),
			commit: BigInt(numbers.commit),
			context: BigInt(numbers.context),
			hintIndex: BigInt(numbers.hintIndex),
			hintTerm: BigInt(numbers.hintTerm),
		});
		expect(message.bodyLength()).toBe(body?.length ?? 0);
		expect(message.bodyArray()).toEqual(body ?? new Uint8Array(0));

		expect(faultOf(frame)).toBeNull();
		const read = emptyMessage(0);
		const memory = memoryOf(frame, 8);
		readMessage(memory, 8, read);
		expect(read).toEqual(numbers);
		expect(messageBatches(memory, 8)).toBe(batches);
		expect(messageVersion(memory, 8)).toBe(version);
		expect(messageBody(memory, 8)).toEqual(body ?? new Uint8Array(0));
	});

	it('whose head flatc wrote is read by us', () => {
		const frame = messageFrame({ kind: 1 }, null, 1);
		const at = (n: number) => BigInt(NUMBER_MAX - n);
		putStruct(frame, 80, (builder) => {
			MessageHead.createMessageHead(
				builder,
				...([0, 2, 1, 0, 0xffffffff, 0xfffffffe, 0xfffffffd, 0] as const),
				...([at(0), at(1), at(2), at(3), at(4), at(5), at(6)] as const),
			);
		});
		expect(faultOf(frame)).toBeNull();
		const read = emptyMessage(0);
		readMessage(memoryOf(frame, 8), 8, read);
		expect(read).toEqual({
			kind: 2,
			rejected: true,
			group: 0xffffffff,
			from: 0xfffffffe,
			to: 0xfffffffd,
			term: NUMBER_MAX,
			index: NUMBER_MAX - 1,
			logTerm: NUMBER_MAX - 2,
			commit: NUMBER_MAX - 3,
			context: NUMBER_MAX - 4,
			hintIndex: NUMBER_MAX - 5,
			hintTerm: NUMBER_MAX - 6,
		});
	});
});

describe('a segment header', () => {
	it('is read by flatc', () => {
		const frame = segmentHeaderFrame(HEADER);
		const head = rootOf(frame, hasIdentifier('MRS1'), (b) =>
			SegmentHeader.getSizePrefixedRootAsSegmentHeader(b),
		).head()!;
		expect(head.checksum()).toBe(crcAt(reseal(frame.slice()), 32));
		expect({
			group: head.group(),
			cluster: Number(head.cluster()),
			replica: head.replica(),
			baseChecksum: head.baseChecksum(),
			baseIndex: Number(head.baseIndex()),
			baseTerm: Number(head.baseTerm()),
			segment: Number(head.segment()),
			sequence: Number(head.sequence()),
			bytes: head.bytes(),
			salt: head.salt(),
		}).toEqual(HEADER);
	});

	it('that flatc wrote is read by us', () => {
		const frame = segmentHeaderFrame(HEADER);
		const at = (n: number) => BigInt(NUMBER_MAX - n);
		const head = [0, 1, at(0), 2, 3, at(1), at(2), at(3), at(4), 4, 5] as const;
		putStruct(frame, 64, (builder) => SegmentHead.createSegmentHead(builder, ...head));
		expect(faultOf(frame)).toBeNull();
		expect(readSegmentHeader(memoryOf(frame, 8), 8)).toEqual({
			group: 1,
			cluster: NUMBER_MAX,
			replica: 2,
			baseChecksum: 3,
			segment: NUMBER_MAX - 1,
			baseIndex: NUMBER_MAX - 2,
			baseTerm: NUMBER_MAX - 3,
			sequence: NUMBER_MAX - 4,
			bytes: 4,
			salt: 5,
		});
	});
});

describe('a flush mark', () => {
	it('is read by flatc', () => {
		const frame = flushMarkFrame(MARK);
		const head = rootOf(frame, hasIdentifier('MRF1'), (b) =>
			FlushMark.getSizePrefixedRootAsFlushMark(b),
		).head()!;
		expect(head.checksum()).toBe(crcAt(reseal(frame.slice()), 32));
		expect({
			group: head.group(),
			sequence: Number(head.sequence()),
			term: Number(head.term()),
			vote: head.vote(),
			index: Number(head.index()),
			indexTerm: Number(head.indexTerm()),
			parent: head.parent(),
			committed: Number(head.committed()),
			bytes: head.bytes(),
			salt: head.salt(),
		}).toEqual(MARK);
	});

	it('that flatc wrote is read by us', () => {
		const frame = flushMarkFrame(MARK);
		const at = (n: number) => BigInt(NUMBER_MAX - n);
		const head = [0, 1, at(0), at(1), at(2), at(3), at(4), 5, 6, 7, 8] as const;
		putStruct(frame, 64, (builder) => FlushHead.createFlushHead(builder, ...head));
		expect(faultOf(frame)).toBeNull();
		expect(readFlushMark(memoryOf(frame, 8), 8)).toEqual({
			group: 1,
			sequence: NUMBER_MAX,
			term: NUMBER_MAX - 1,
			index: NUMBER_MAX - 2,
			indexTerm: NUMBER_MAX - 3,
			committed: NUMBER_MAX - 4,
			vote: 5,
			parent: 6,
			bytes: 7,
			salt: 8,
		});
	});
});

/** A schema file names one identifier at most, and this file has two roots: flatc made no check. */
function hasIdentifier(identifier: string): (buffer: ByteBuffer) => boolean {
	return (buffer) => buffer.__has_identifier(identifier);
}

/** Replaces a frame's struct by one that flatc's writer made, and makes the checksums right. */
function putStruct(frame: Uint8Array, bytes: number, write: (builder: Builder) => void): void {
	const builder = new Builder(256);
	write(builder);
	const made: Pick<Memory, 'bytes'> = { bytes: builder.dataBuffer().bytes() };
	frame.set(made.bytes.subarray(made.bytes.length - bytes), 32);
	reseal(frame);
}
