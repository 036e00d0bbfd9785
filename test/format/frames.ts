/** Sample frames of every kind, and what tests of untrusted bytes need. */
import * as zlib from 'node:zlib';
import { BatchKind, stampBatch } from '../../src/format/batch.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { FrameKind, FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	writeMessage,
} from '../../src/format/message.js';
import { registrationEntry } from '../../src/format/registration.js';
import {
	FLUSH_MARK_BYTES,
	type FlushMarkNumbers,
	SEGMENT_HEADER_BYTES,
	type SegmentHeaderNumbers,
	writeFlushMark,
	writeSegmentHeader,
} from '../../src/format/segment-frames.js';

export const LENGTH_MAX = 64 * 1024;
/** The largest number a frame may carry. */
export const NUMBER_MAX = 2 ** 52 - 1;

export interface BatchNumbers {
	group: number;
	session: number;
	sequence: number;
	kind: BatchKind;
	term: number;
	index: number;
	parent: number;
	time: number;
	/** Of a session that was registered. */
	waits?: number;
}

export const text = (value: string) => new TextEncoder().encode(value);

export function batchFrame(entries: readonly Uint8Array[], numbers: BatchNumbers): Uint8Array {
	const memory = dirtyMemory(LENGTH_MAX);
	const writer = new BatchWriter(entries.length);
	writer.begin(memory, 8, LENGTH_MAX - 8);
	for (const entry of entries) writer.add(entry);
	const length = writer.finish(numbers);
	stampBatch(memory, 8, numbers.term, numbers.index, numbers.parent, numbers.time);
	return memory.slice(8, length).slice();
}

export function messageFrame(
	numbers: Partial<MessageNumbers> & { kind: number },
	body: Uint8Array | null = null,
	batches = 0,
	version = 0,
): Uint8Array {
	const memory = dirtyMemory(LENGTH_MAX);
	const message = { ...emptyMessage(0), ...numbers };
	const length = writeMessage(memory, 16, message, batches, body, version);
	return memory.slice(16, length).slice();
}

export function segmentHeaderFrame(numbers: SegmentHeaderNumbers): Uint8Array {
	const memory = dirtyMemory(128);
	writeSegmentHeader(memory, 8, numbers);
	return memory.slice(8, SEGMENT_HEADER_BYTES).slice();
}

export function flushMarkFrame(numbers: FlushMarkNumbers): Uint8Array {
	const memory = dirtyMemory(128);
	writeFlushMark(memory, 8, numbers);
	return memory.slice(8, FLUSH_MARK_BYTES).slice();
}

/** Memory full of leftovers, as a slab from the pool is: a writer that leaves a hole shows it. */
export function dirtyMemory(size: number): Memory {
	const memory = new Memory(size);
	memory.bytes.fill(0xa5);
	return memory;
}

/** Memory with `bytes` at `offset` and leftovers around. */
export function memoryOf(bytes: Uint8Array, offset = 0, guard = 0xa5): Memory {
	const memory = new Memory(offset + Math.ceil(bytes.length / 8) * 8 + 64);
	memory.bytes.fill(guard);
	memory.bytes.set(bytes, offset);
	return memory;
}

export const HEADER: SegmentHeaderNumbers = {
	group: 0x01020304,
	cluster: 0x0_1112_1314_1516,
	replica: 0x21222324,
	baseChecksum: 0x31323334,
	baseIndex: 0x0_4142_4344_4546,
	baseTerm: 0x0_5152_5354_5556,
	segment: 0x0_6162_6364_6566,
	sequence: 0x0_7172_7374_7576,
	bytes: 64 * 1024 * 1024,
	salt: 0xa1a2a3a4,
};

export const MARK: FlushMarkNumbers = {
	group: 0x01020304,
	sequence: 0x0_7172_7374_7576,
	term: 0x0_5152_5354_5557,
	vote: 0x81828384,
	index: 0x0_4142_4344_4547,
	indexTerm: 0x0_5152_5354_5555,
	parent: 0xf1f2f3f4,
	committed: 0x0_4142_4344_4540,
	bytes: 0x91929394,
	salt: 0xa1a2a3a4,
};

export const BATCH: BatchNumbers = {
	group: 0x01020304,
	session: NUMBER_MAX,
	sequence: 0x0_a1a2_a3a4_a5a6,
	kind: BatchKind.entries,
	term: 0x0_5152_5354_5557,
	index: 0x0_4142_4344_4548,
	parent: 0xf1f2f3f4,
	time: 1_764_000_000_123,
};

export const MESSAGE: MessageNumbers = {
	kind: MessageFrameKind.append,
	rejected: false,
	group: 0x01020304,
	from: 0x21222324,
	to: 0xf1f2f3f4,
	term: 0x0_5152_5354_5557,
	index: 0x0_4142_4344_4547,
	logTerm: NUMBER_MAX,
	commit: 0x0_4142_4344_4540,
	context: 0x0_b1b2_b3b4_b5b6,
	hintIndex: 0x0_c1c2_c3c4_c5c6,
	hintTerm: 0x0_d1d2_d3d4_d5d6,
};

/** One frame of every kind and shape, by name: what the golden files hold. */
/** Of a cluster that was recovered once, with everything that a configuration can say. */
export const MEMBERS = {
	voters: [
		{ id: 1, address: 'a:7001', priority: 2 },
		{ id: 5, address: '[::1]:7001' },
	],
	outgoing: [{ id: 1, address: 'a:7001', priority: 2 }],
	learners: [{ id: 4, address: 'd:7001', promote: true, replaces: 1 }],
	removed: [2, 3],
	recovered: {
		numbers: [2 ** 44 + 77],
		index: 12,
		time: 1_795_000_000_000,
		by: 'root@host',
		lost: [2, 3],
	},
} as const;

export const SAMPLES: Readonly<Record<string, Uint8Array>> = {
	'batch-entries': batchFrame([text('first'), text(''), text('the third entry')], BATCH),
	'batch-configuration': batchFrame([text(JSON.stringify(MEMBERS))], {
		...BATCH,
		kind: BatchKind.configuration,
		session: 0,
		sequence: 0,
	}),
	'batch-no-op': batchFrame([text('')], {
		...BATCH,
		kind: BatchKind.noOp,
		session: 0,
		sequence: 0,
	}),
	'batch-of-session': batchFrame([text('of a session')], { ...BATCH, waits: 0xfffe }),
	'batch-registration': batchFrame(
		[registrationEntry({ durationMs: 600_000, sessionsMax: 10_000 })],
		{ ...BATCH, kind: BatchKind.session, session: 0 },
	),
	'batch-proposal': batchFrame([text('seven b')], {
		...BATCH,
		term: 0,
		index: 0,
		parent: 0,
		time: 0,
	}),
	'message-append': messageFrame(MESSAGE, null, 3),
	'message-append-rejected': messageFrame({ ...MESSAGE, kind: 2, rejected: true }),
	'message-hello': messageFrame(
		{ kind: MessageFrameKind.hello, group: 1, from: 2, to: 3, context: 0xc1c2c3c4c5, hintIndex: 1 },
		null,
		0,
		1,
	),
	'message-goodbye': messageFrame({ kind: MessageFrameKind.goodbye }, text('wrong cluster')),
	'message-read-request': messageFrame(
		{ kind: MessageFrameKind.readRequest, context: 9 },
		text('?'),
	),
	'message-status-reply': messageFrame({ kind: MessageFrameKind.statusReply }, text('{"term":1}')),
	'segment-header': segmentHeaderFrame(HEADER),
	'flush-mark': flushMarkFrame(MARK),
};

/** Makes both checksums (or the one) right again, as an attacker would: independent of our code. */
export function reseal(frame: Uint8Array): Uint8Array {
	const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
	switch (String.fromCharCode(...frame.subarray(8, 12))) {
		case 'MRB1':
			view.setUint32(36, zlib.crc32(frame.subarray(96)), true);
			view.setUint32(32, zlib.crc32(frame.subarray(36, 96)), true);
			break;
		case 'MRM1':
			view.setUint32(32, zlib.crc32(frame.subarray(36)), true);
			break;
		default:
			view.setUint32(32, zlib.crc32(frame.subarray(36, 96)), true);
	}
	return frame;
}

export interface Accepted {
	readonly kind: FrameKind;
	readonly bytes: Uint8Array;
}

/** Cuts a stream into frames as a receiver does, until it ends or breaks. */
export function readStream(
	memory: Memory,
	start: number,
	end: number,
): { accepted: Accepted[]; verdict: FrameKind; fault: string | null } {
	const scanner = new FrameScanner();
	const accepted: Accepted[] = [];
	let offset = start;
	for (;;) {
		const kind = scanner.scan(memory, offset, end, LENGTH_MAX);
		if (kind === FrameKind.incomplete || kind === FrameKind.broken) {
			return { accepted, verdict: kind, fault: scanner.fault };
		}
		if (offset + scanner.length > end) throw new Error('a frame beyond the end');
		accepted.push({ kind, bytes: memory.slice(offset, scanner.length).slice() });
		offset += scanner.length;
	}
}

/** What the scanner says of one frame, guarded by leftovers. */
export function faultOf(frame: Uint8Array): string | null {
	const scanner = new FrameScanner();
	const kind = scanner.scan(memoryOf(frame, 8), 8, 8 + frame.length, LENGTH_MAX);
	return kind === FrameKind.incomplete ? 'incomplete' : scanner.fault;
}

/** Memory that throws on any look outside `[from, to)`. */
export class WatchedMemory {
	from = 0;
	to = 0;
	readonly bytes: Uint8Array;
	readonly words: Uint32Array;
	readonly size: number;

	constructor(memory: Memory) {
		this.size = memory.size;
		const touch = (first: number, last: number) => {
			if (first < this.from || last > this.to) {
				throw new Error(`looked at [${first}, ${last}) outside [${this.from}, ${this.to})`);
			}
		};
		this.bytes = watched(memory.bytes, touch);
		this.words = watched(memory.words, touch);
	}

	slice(offset: number, length: number): Uint8Array {
		return this.bytes.subarray(offset, offset + length);
	}
}

function watched<T extends Uint8Array | Uint32Array>(
	array: T,
	touch: (first: number, last: number) => void,
): T {
	const width = array.BYTES_PER_ELEMENT;
	return new Proxy(array, {
		get(target, property) {
			if (property === 'subarray') {
				return (first: number, last: number) => {
					touch(first * width, last * width);
					return target.subarray(first, last);
				};
			}
			const index = typeof property === 'string' ? Number(property) : Number.NaN;
			if (!Number.isNaN(index)) touch(index * width, (index + 1) * width);
			return Reflect.get(target, property, target) as unknown;
		},
	});
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
	const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let position = 0;
	for (const part of parts) {
		all.set(part, position);
		position += part.length;
	}
	return all;
}
