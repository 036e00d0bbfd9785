/** The frames of a snapshot file: flatc's accessors as the reference, golden bytes, every bit and number refused. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ByteBuffer } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { SnapshotChunk, SnapshotEnd, SnapshotHeader } from '../../schema/generated/snapshot.js';
import { Memory } from '../../src/format/memory.js';
import {
	CHUNK_FRAME_BYTES_MAX,
	CHUNK_PAYLOAD_BYTES_MAX,
	readSnapshotChunk,
	readSnapshotEnd,
	readSnapshotHeader,
	type SnapshotChunkNumbers,
	type SnapshotEndNumbers,
	type SnapshotHeaderNumbers,
	SnapshotSection,
	snapshotChunkFault,
	snapshotChunkLength,
	snapshotChunkPayload,
	snapshotEndFault,
	snapshotFrameChecksum,
	snapshotHeaderFault,
	writeSnapshotChunk,
	writeSnapshotEnd,
	writeSnapshotHeader,
} from '../../src/format/snapshot-frames.js';
import { concatenate, dirtyMemory, memoryOf, NUMBER_MAX, text } from './frames.js';

const HEADER: SnapshotHeaderNumbers = {
	group: 0x01020304,
	cluster: 0x0_1112_1314_1516,
	index: 0x0_2122_2324_2526,
	term: NUMBER_MAX,
	identity: 0x0_4142_4344_4546,
	time: 1_764_000_000_123,
	baseChecksum: 0x51525354,
	isFull: true,
	membersBytes: 7,
	sessionsBytes: 0xfffffffe,
};

const CHUNK: SnapshotChunkNumbers = {
	identity: HEADER.identity,
	index: HEADER.index,
	position: 96,
	number: 0x0_6162_6364_6566,
	offset: 0x0_7172_7374_7576,
	parent: 0x81828384,
	section: SnapshotSection.state,
	isContinued: true,
};

const END: SnapshotEndNumbers = {
	parent: 0x91929394,
	identity: HEADER.identity,
	index: HEADER.index,
	term: HEADER.term,
	position: 0x0_a1a2_a3a4_a5a6,
	chunks: 3,
	stateBytes: 0x0_b1b2_b3b4_b5b6,
};

function frameOf(length: number, write: (memory: Memory, at: number) => void): Uint8Array {
	const memory = dirtyMemory(length + 16);
	write(memory, 8);
	return memory.slice(8, length).slice();
}

const headerFrame = (numbers = HEADER) =>
	frameOf(96, (m, at) => writeSnapshotHeader(m, at, numbers));
const endFrame = (numbers = END) => frameOf(96, (m, at) => writeSnapshotEnd(m, at, numbers));
const chunkFrame = (payload: Uint8Array, numbers = CHUNK) =>
	frameOf(snapshotChunkLength(payload.length), (m, at) =>
		expect(writeSnapshotChunk(m, at, numbers, payload)).toBe(snapshotChunkLength(payload.length)),
	);

const PAYLOAD = text('thirteen byte');
const FRAMES = [headerFrame(), chunkFrame(PAYLOAD), chunkFrame(text('')), endFrame()];
const GOLDEN = join(import.meta.dirname, 'golden', 'snapshot.mrs');

function faultOf(frame: Uint8Array): string | null {
	const memory = memoryOf(frame, 8);
	switch (String.fromCharCode(...frame.subarray(8, 12))) {
		case 'MRH1':
			return snapshotHeaderFault(memory, 8);
		case 'MRC1':
			return snapshotChunkFault(memory, 8, frame.length);
		default:
			return snapshotEndFault(memory, 8);
	}
}

const plain = (value: bigint | number) => Number(value);

describe('the frames of a snapshot', () => {
	if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(GOLDEN, concatenate(FRAMES));

	it('are written byte for byte as in format version 1', () => {
		expect(Buffer.compare(concatenate(FRAMES), readFileSync(GOLDEN))).toBe(0);
	});

	it('are read by flatc: the header', () => {
		const buffer = new ByteBuffer(headerFrame());
		const head = SnapshotHeader.getSizePrefixedRootAsSnapshotHeader(buffer).head()!;
		expect({
			group: head.group(),
			cluster: plain(head.cluster()),
			index: plain(head.index()),
			term: plain(head.term()),
			identity: plain(head.identity()),
			time: plain(head.time()),
			baseChecksum: head.baseChecksum(),
			isFull: head.isFull() === 1,
			membersBytes: head.membersBytes(),
			sessionsBytes: head.sessionsBytes(),
		}).toEqual(HEADER);
		expect([head.flags(), head.reserved()]).toEqual([0, 0]);
		expect(readSnapshotHeader(memoryOf(headerFrame(), 8), 8)).toEqual(HEADER);
		expect(head.checksum()).toBe(snapshotFrameChecksum(memoryOf(headerFrame(), 8), 8));
	});

	it.each([0, 1, 8, 13, 40_000])('are read by flatc: a chunk of %i bytes', (bytes) => {
		const payload = new Uint8Array(bytes).fill(3);
		const frame = chunkFrame(payload);
		const chunk = SnapshotChunk.getSizePrefixedRootAsSnapshotChunk(new ByteBuffer(frame));
		const head = chunk.head()!;
		expect({
			identity: plain(head.identity()),
			index: plain(head.index()),
			position: plain(head.position()),
			number: plain(head.number()),
			offset: plain(head.offset()),
			parent: head.parent(),
			section: head.section(),
			isContinued: head.flags() === 1,
		}).toEqual(CHUNK);
		expect(head.reserved()).toBe(0);
		expect(chunk.payloadArray()).toEqual(payload);
		expect(readSnapshotChunk(memoryOf(frame, 8), 8)).toEqual(CHUNK);
		expect(snapshotChunkPayload(memoryOf(frame, 8), 8)).toEqual(payload);
		expect(faultOf(frame)).toBeNull();
	});

	it('are read by flatc: the end', () => {
		const head = SnapshotEnd.getSizePrefixedRootAsSnapshotEnd(new ByteBuffer(endFrame())).head()!;
		expect({
			parent: head.parent(),
			identity: plain(head.identity()),
			index: plain(head.index()),
			term: plain(head.term()),
			position: plain(head.position()),
			chunks: plain(head.chunks()),
			stateBytes: plain(head.stateBytes()),
		}).toEqual(END);
		expect(readSnapshotEnd(memoryOf(endFrame(), 8), 8)).toEqual(END);
	});

	it('pass their doors as they are, and with no bit changed', () => {
		for (const frame of FRAMES) {
			expect(faultOf(frame)).toBeNull();
			for (let bit = 0; bit < 8 * frame.length; bit++) {
				// What the identifier says decides which door it is.
				if (bit >>> 3 >= 8 && bit >>> 3 < 12) continue;
				const changed = frame.slice();
				changed[bit >>> 3]! ^= 1 << (bit & 7);
				expect(faultOf(changed), `bit ${bit}`).not.toBeNull();
			}
		}
	});

	it.each([0, 4, 255])('are refused with a section that nobody knows: %i', (section) => {
		const frame = chunkFrame(PAYLOAD, { ...CHUNK, section: section as SnapshotSection });
		expect(faultOf(frame)).toBe('unknown section');
	});

	it('have a limit that is of the format', () => {
		expect(snapshotChunkLength(CHUNK_PAYLOAD_BYTES_MAX)).toBe(CHUNK_FRAME_BYTES_MAX);
		const memory = new Memory(2 * CHUNK_FRAME_BYTES_MAX);
		const tooMuch = new Uint8Array(CHUNK_PAYLOAD_BYTES_MAX + 1);
		expect(() => writeSnapshotChunk(memory, 0, CHUNK, tooMuch)).toThrow('holds no more');
	});
});
