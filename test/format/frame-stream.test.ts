import { describe, expect, it } from 'vitest';
import { finishBatch } from '../../src/format/batch.js';
import { FrameKind, FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import { emptyMessage, writeMessage } from '../../src/format/message.js';
import {
	FLUSH_MARK_BYTES,
	SEGMENT_HEADER_BYTES,
	writeFlushMark,
	writeSegmentHeader,
} from '../../src/format/segment-frames.js';

const LENGTH_MAX = 1024 * 1024;
const LABEL = { group: 1, session: 0, sequence: 7, kind: 0 } as const;

function streamOfAll(): { memory: Memory; end: number; kinds: [FrameKind, number][] } {
	const memory = new Memory(4096);
	const kinds: [FrameKind, number][] = [];
	let end = 0;
	writeSegmentHeader(memory, end, {
		group: 1,
		cluster: 2,
		replica: 3,
		baseChecksum: 4,
		baseIndex: 5,
		baseTerm: 6,
		segment: 7,
		sequence: 8,
		bytes: 65536,
		salt: 9,
	});
	kinds.push([FrameKind.segmentHeader, SEGMENT_HEADER_BYTES]);
	end += SEGMENT_HEADER_BYTES;
	writeFlushMark(memory, end, {
		group: 1,
		sequence: 8,
		term: 6,
		vote: 0,
		index: 5,
		indexTerm: 6,
		parent: 4,
		committed: 5,
		bytes: 120,
		salt: 9,
	});
	kinds.push([FrameKind.flushMark, FLUSH_MARK_BYTES]);
	end += FLUSH_MARK_BYTES;
	const batch = finishBatch(memory, end, 5, Uint32Array.of(2, 5), 2, LABEL);
	kinds.push([FrameKind.batch, batch]);
	end += batch;
	const message = writeMessage(memory, end, emptyMessage(33), 0, Uint8Array.of(1, 2, 3));
	kinds.push([FrameKind.message, message]);
	end += message;
	return { memory, end, kinds };
}

describe('FrameScanner', () => {
	it('tells every kind and length in turn', () => {
		const { memory, end, kinds } = streamOfAll();
		const scanner = new FrameScanner();
		let offset = 0;
		for (const [kind, length] of kinds) {
			expect(scanner.scan(memory, offset, end, LENGTH_MAX)).toBe(kind);
			expect(scanner.kind).toBe(kind);
			expect(scanner.length).toBe(length);
			expect(scanner.fault).toBeNull();
			offset += scanner.length;
		}
		expect(offset).toBe(end);
		expect(scanner.scan(memory, offset, end, LENGTH_MAX)).toBe(FrameKind.incomplete);
		expect(scanner.length).toBe(0);
	});

	it('waits for more at every prefix of a frame, and knows the length after 4 bytes', () => {
		const { memory, kinds } = streamOfAll();
		const scanner = new FrameScanner();
		let offset = 0;
		for (const [, length] of kinds) {
			for (let there = 0; there < length; there++) {
				const verdict = scanner.scan(memory, offset, offset + there, LENGTH_MAX);
				expect(verdict).toBe(FrameKind.incomplete);
				expect(scanner.length).toBe(there < 4 ? 0 : length);
			}
			offset += length;
		}
	});

	it('refuses an implausible length after 4 bytes', () => {
		const memory = new Memory(128);
		const scanner = new FrameScanner();
		for (const length of [0, 8, 88, 97, 100, LENGTH_MAX + 8, 0xffff_fffc, 0x1_0000_0000]) {
			memory.words[0] = length - 4;
			expect(scanner.scan(memory, 0, 3, LENGTH_MAX)).toBe(FrameKind.incomplete);
			expect(scanner.scan(memory, 0, 4, LENGTH_MAX)).toBe(FrameKind.broken);
			expect(scanner.length).toBe(0);
			expect(scanner.fault).toMatch(/bytes long/);
		}
		memory.words[0] = LENGTH_MAX - 4;
		expect(scanner.scan(memory, 0, 4, LENGTH_MAX)).toBe(FrameKind.incomplete);
		expect(scanner.length).toBe(LENGTH_MAX);
	});

	it('refuses an HTTP request at once', () => {
		const memory = new Memory(128);
		memory.bytes.set(new TextEncoder().encode('GET / HTTP/1.1\r\n'));
		expect(new FrameScanner().scan(memory, 0, 4, LENGTH_MAX)).toBe(FrameKind.broken);
	});

	it.each([
		['MRB2', 'format version 2 is not known here'],
		['MRM9', 'format version 9 is not known here'],
		['MRX1', 'this is not a frame of millrace'],
		['ABCD', 'this is not a frame of millrace'],
		['MRB\0', 'this is not a frame of millrace'],
	])('refuses the identifier %s after 12 bytes', (identifier, reason) => {
		const memory = new Memory(128);
		const scanner = new FrameScanner();
		memory.words[0] = 116;
		memory.bytes.set(new TextEncoder().encode(identifier), 8);
		expect(scanner.scan(memory, 0, 11, LENGTH_MAX)).toBe(FrameKind.incomplete);
		expect(scanner.scan(memory, 0, 12, LENGTH_MAX)).toBe(FrameKind.broken);
		expect(scanner.fault).toBe(reason);
	});

	it('refuses a damaged prologue after 32 bytes, before the rest is there', () => {
		const { memory } = streamOfAll();
		const scanner = new FrameScanner();
		const batchAt = SEGMENT_HEADER_BYTES + FLUSH_MARK_BYTES;
		for (let i = 12; i < 32; i++) {
			memory.bytes[batchAt + i]! ^= 1;
			expect(scanner.scan(memory, batchAt, batchAt + 31, LENGTH_MAX)).toBe(FrameKind.incomplete);
			expect(scanner.scan(memory, batchAt, batchAt + 32, LENGTH_MAX)).toBe(FrameKind.broken);
			memory.bytes[batchAt + i]! ^= 1;
		}
	});
});
