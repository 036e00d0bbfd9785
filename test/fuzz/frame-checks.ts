/** What must be true of a frame that the engine's readers have taken, kind by kind. */
import { ByteBuffer } from 'flatbuffers';
import { Batch } from '../../schema/generated/batch-frame.js';
import { Message } from '../../schema/generated/message-frame.js';
import { type BatchKind, batchGroup, batchParent, stampBatch } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { FrameKind } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	messageBatches,
	messageBody,
	messageVersion,
	readMessage,
	writeMessage,
} from '../../src/format/message.js';
import {
	readFlushMark,
	readSegmentHeader,
	writeFlushMark,
	writeSegmentHeader,
} from '../../src/format/segment-frames.js';
import { areSame, demand, Finding } from './finding.js';
import { number64, viewOf } from './reference.js';

export const FRAME_BYTES_MAX = 64 * 1024;

const target = new Memory(FRAME_BYTES_MAX + 64);
const writer = new BatchWriter(FRAME_BYTES_MAX / 4);
const view = new BatchView();
const message = emptyMessage(0);

/** Reads the frame by our readers and writes what they say by our writers: it must be the same bytes. */
export function demandCanonical(kind: FrameKind, memory: Memory, at: number, length: number): void {
	// Leftovers: a hole that a writer leaves shows.
	target.bytes.fill(0xa5, 0, length + 8);
	const written = rewrite(kind, memory, at, length);
	demand(written === length, `a frame of ${length} bytes is written as one of ${written}`);
	const same = areSame(target.slice(0, length), memory.slice(at, length));
	demand(same, 'a frame that was taken is not what our writer makes of its content');
}

function rewrite(kind: FrameKind, memory: Memory, at: number, length: number): number {
	switch (kind) {
		case FrameKind.batch:
			return rewriteBatch(memory, at, length);
		case FrameKind.message: {
			readMessage(memory, at, message);
			const body = messageBody(memory, at);
			const version = messageVersion(memory, at);
			return writeMessage(target, 0, message, messageBatches(memory, at), body, version);
		}
		case FrameKind.flushMark:
			writeFlushMark(target, 0, readFlushMark(memory, at));
			return 96;
		default:
			writeSegmentHeader(target, 0, readSegmentHeader(memory, at));
			return 96;
	}
}

function rewriteBatch(memory: Memory, at: number, length: number): number {
	view.moveTo(memory, at, length);
	const { count } = view;
	writer.begin(target, 0, FRAME_BYTES_MAX);
	const payload = view.payload();
	let end = 0;
	for (let i = 0; i < count; i++) {
		const entry = view.entry(i);
		demand(
			entry.byteOffset === payload.byteOffset + end,
			'an entry begins where the last one ends',
		);
		end += entry.length;
		demand(view.entryEnd(i) === end, 'an entry ends where it says');
		writer.add(entry);
	}
	demand(end === payload.length, 'entries cover the payload');
	demandNoEntry(count);
	const { kind, session, sequence, term, index, time } = view;
	const label = { group: batchGroup(memory, at), session, sequence, kind };
	const written = writer.finish(view.isRegistered ? { ...label, waits: view.waits } : label);
	stampBatch(target, 0, term, index, batchParent(memory, at), time);
	return written;
}

/** What lies beside a batch is not shown. */
function demandNoEntry(i: number): void {
	try {
		view.entry(i);
	} catch (error) {
		if (error instanceof RangeError) return;
		throw error;
	}
	throw new Finding(`entry ${i} of a batch that has only so many is shown`);
}

/** Our readers and flatc's accessors read the same numbers. */
export function demandAsFlatc(kind: FrameKind, memory: Memory, at: number, length: number): void {
	const frame = memory.slice(at, length);
	if (kind === FrameKind.batch) batchAsFlatc(memory, at, frame);
	else if (kind === FrameKind.message) messageAsFlatc(memory, at, frame);
	else localAsFlatc(kind, memory, at, frame);
}

function equal(ours: readonly unknown[], theirs: readonly unknown[]): void {
	ours.forEach((value, i) => {
		const other = theirs[i];
		const number = typeof other === 'bigint' ? Number(other) : other;
		demand(value === number, () => `number ${i} is ${String(value)}, for flatc ${String(number)}`);
	});
}

function batchAsFlatc(memory: Memory, at: number, frame: Uint8Array): void {
	const batch = Batch.getSizePrefixedRootAsBatch(new ByteBuffer(frame));
	const header = batch.header()!;
	view.moveTo(memory, at, frame.length);
	equal(
		[view.term, view.index, view.session, view.sequence, view.time, view.count, view.kind],
		[
			...[header.term(), header.index(), header.session(), header.sequence(), header.time()],
			...[header.count(), header.kind() as BatchKind],
		],
	);
	equal([batchGroup(memory, at), batchParent(memory, at)], [header.group(), header.parent()]);
	demand(batch.endsLength() === view.count, 'flatc counts the same entries');
	for (let i = 0; i < view.count; i++) demand(batch.ends(i) === view.entryEnd(i), 'flatc ends');
	const payload = batch.payloadArray() ?? new Uint8Array(0);
	demand(areSame(payload, view.payload()), 'flatc reads the same payload');
}

function messageAsFlatc(memory: Memory, at: number, frame: Uint8Array): void {
	const flat = Message.getSizePrefixedRootAsMessage(new ByteBuffer(frame));
	const head = flat.head()!;
	readMessage(memory, at, message);
	const { kind, group, from, to, term, index, logTerm, commit, context } = message;
	equal(
		[kind, message.rejected ? 1 : 0, messageVersion(memory, at), group, from, to],
		[head.kind(), head.flags(), head.version(), head.group(), head.from(), head.to()],
	);
	equal(
		[messageBatches(memory, at), term, index, logTerm, commit, context],
		[head.batches(), head.term(), head.index(), head.logTerm(), head.commit(), head.context()],
	);
	equal([message.hintIndex, message.hintTerm], [head.hintIndex(), head.hintTerm()]);
	const body = flat.bodyArray() ?? new Uint8Array(0);
	demand(areSame(body, messageBody(memory, at)), 'flatc reads the same body');
}

/** Local frames are read at the places that docs/FORMAT.md gives. */
function localAsFlatc(kind: FrameKind, memory: Memory, at: number, frame: Uint8Array): void {
	const bytes = viewOf(frame);
	const word = (place: number) => bytes.getUint32(place, true);
	const number = (place: number) => number64(bytes, place);
	if (kind === FrameKind.flushMark) {
		const mark = readFlushMark(memory, at);
		const { sequence, term, index, indexTerm, committed } = mark;
		equal([sequence, term, index, indexTerm, committed], [40, 48, 56, 64, 72].map(number));
		equal(
			[mark.group, mark.vote, mark.parent, mark.bytes, mark.salt],
			[36, 80, 84, 88, 92].map(word),
		);
		return;
	}
	const header = readSegmentHeader(memory, at);
	const { cluster, segment, baseIndex, baseTerm, sequence } = header;
	equal([cluster, segment, baseIndex, baseTerm, sequence], [40, 56, 64, 72, 80].map(number));
	const { group, replica, baseChecksum, bytes: size, salt } = header;
	equal([group, replica, baseChecksum, size, salt], [36, 48, 52, 88, 92].map(word));
}
