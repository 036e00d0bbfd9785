/** Hostile bytes: whatever happens to a stream, the scanner neither throws, nor looks outside the frame, nor
 * takes a frame for valid that was not written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { frameLength, isPlausibleLength } from '../../src/format/frame.js';
import { FrameKind, FrameScanner } from '../../src/format/frame-stream.js';
import type { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	messageBatches,
	messageBody,
	messageVersion,
	readMessage,
} from '../../src/format/message.js';
import { readFlushMark, readSegmentHeader } from '../../src/format/segment-frames.js';
import {
	batchFrame,
	concatenate,
	flushMarkFrame,
	LENGTH_MAX,
	memoryOf,
	messageFrame,
	NUMBER_MAX,
	readStream,
	reseal,
	segmentHeaderFrame,
	WatchedMemory,
} from './frames.js';

const RUNS = 1500;
const START = 8;

const number = fc.oneof(fc.constantFrom(0, 1, 2 ** 32, NUMBER_MAX), fc.nat({ max: NUMBER_MAX }));
const word = fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat({ max: 0xffff_ffff }));
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

const batch = fc
	.record({
		entries: fc.array(bytes(40), { minLength: 1, maxLength: 6 }),
		numbers: fc.record({
			group: word,
			session: number,
			sequence: number,
			kind: fc.constant(BatchKind.entries),
			term: number,
			index: number,
			parent: word,
			time: number,
		}),
	})
	.map(({ entries, numbers }) => batchFrame(entries, numbers));

const message = fc
	.record({
		kind: fc.constantFrom(1, 2, 3, 4, 5, 6, ...Object.values(MessageFrameKind)),
		numbers: fc.record({
			rejected: fc.boolean(),
			group: word,
			from: word,
			to: word,
			term: number,
			index: number,
			logTerm: number,
			commit: number,
			context: number,
			hintIndex: number,
			hintTerm: number,
		}),
		body: bytes(60),
		batches: word,
		version: fc.nat({ max: 0xffff }),
	})
	.map(({ kind, numbers, body, batches, version }) =>
		messageFrame(
			{ ...numbers, kind },
			kind > MessageFrameKind.hello ? body : null,
			kind === MessageFrameKind.append ? batches : 0,
			kind === MessageFrameKind.hello ? version : 0,
		),
	);

const mark = fc
	.record({
		group: word,
		sequence: number,
		term: number,
		vote: word,
		index: number,
		indexTerm: number,
		parent: word,
		committed: number,
		bytes: word,
		salt: word,
	})
	.map(flushMarkFrame);

const header = fc
	.record({
		group: word,
		cluster: number,
		replica: word,
		baseChecksum: word,
		baseIndex: number,
		baseTerm: number,
		segment: number,
		sequence: number,
		bytes: word,
		salt: word,
	})
	.map(segmentHeaderFrame);

const frame = fc.oneof(batch, batch, message, message, mark, header);
const frames = fc.array(frame, { minLength: 1, maxLength: 5 });

/** Where and what, still free of the stream's length: positions are fractions of it. */
const where = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const mutation = fc.oneof(
	fc.record({ how: fc.constant('flip' as const), where, value: fc.nat({ max: 7 }) }),
	fc.record({ how: fc.constant('byte' as const), where, value: fc.nat({ max: 255 }) }),
	fc.record({ how: fc.constant('word' as const), where, value: word }),
	fc.record({ how: fc.constant('length' as const), where, value: word }),
	fc.record({ how: fc.constant('vector' as const), where, value: word }),
	fc.record({ how: fc.constant('truncate' as const), where, value: fc.constant(0) }),
	fc.record({ how: fc.constant('insert' as const), where, value: fc.integer({ min: 1, max: 24 }) }),
	fc.record({ how: fc.constant('remove' as const), where, value: fc.integer({ min: 1, max: 24 }) }),
	fc.record({
		how: fc.constant('double' as const),
		where,
		value: fc.integer({ min: 1, max: 200 }),
	}),
	fc.record({ how: fc.constant('swap' as const), where, value: fc.nat({ max: 4 }) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(parts: readonly Uint8Array[], { how, where: at, value }: Mutation): Uint8Array {
	const stream = concatenate(parts);
	if (stream.length < 4) return stream;
	const position = Math.floor(at * stream.length);
	const chosen = Math.floor(at * parts.length);
	const frameAt = concatenate(parts.slice(0, chosen)).length;
	const view = new DataView(stream.buffer);
	switch (how) {
		case 'flip':
			stream[position]! ^= 1 << value;
			return stream;
		case 'byte':
			stream[position] = value;
			return stream;
		case 'word':
			view.setUint32(Math.min(position & ~3, stream.length - 4), value, true);
			return stream;
		case 'length':
			view.setUint32(frameAt, value, true);
			return stream;
		case 'vector':
			// A batch's payload length lies at 108, a message's body length at 116.
			view.setUint32(Math.min(frameAt + (value & 1 ? 108 : 116), stream.length - 4), value, true);
			return stream;
		case 'truncate':
			return stream.slice(0, position);
		case 'insert':
			return concatenate([
				stream.slice(0, position),
				new Uint8Array(value).fill(value),
				stream.slice(position),
			]);
		case 'remove':
			return concatenate([stream.slice(0, position), stream.slice(position + value)]);
		case 'double':
			return concatenate([stream.slice(0, position + value), stream.slice(position)]);
		case 'swap': {
			const swapped = [...parts];
			const other = value % parts.length;
			[swapped[chosen], swapped[other]] = [swapped[other]!, swapped[chosen]!];
			return concatenate(swapped);
		}
	}
}

const key = (data: Uint8Array) => Buffer.from(data).toString('latin1');

/** Scans as `readStream` does, but through memory that throws on a look outside the frame. */
function readWatched(memory: Memory, start: number, end: number): FrameKind[] {
	const watched = new WatchedMemory(memory);
	const scanner = new FrameScanner();
	const verdicts: FrameKind[] = [];
	for (let offset = start; ; offset += scanner.length) {
		const claimed = end - offset >= 4 ? frameLength(memory, offset) : 0;
		watched.from = offset;
		watched.to = Math.min(
			end,
			offset + (isPlausibleLength(claimed, LENGTH_MAX) ? claimed : Math.min(4, end - offset)),
		);
		const kind = scanner.scan(watched, offset, end, LENGTH_MAX);
		verdicts.push(kind);
		if (kind === FrameKind.incomplete || kind === FrameKind.broken) return verdicts;
	}
}

describe('a stream of frames', () => {
	it('is read back frame by frame', () => {
		fc.assert(
			fc.property(frames, (parts) => {
				const stream = concatenate(parts);
				const { accepted, verdict } = readStream(
					memoryOf(stream, START),
					START,
					START + stream.length,
				);
				expect(verdict).toBe(FrameKind.incomplete);
				expect(accepted.map(({ bytes: taken }) => key(taken))).toEqual(parts.map(key));
			}),
			{ numRuns: 300 },
		);
	});

	it('never yields a frame that was not written, whatever one to three mutations did', () => {
		fc.assert(
			fc.property(frames, fc.array(mutation, { minLength: 1, maxLength: 3 }), (parts, changes) => {
				const written = new Set(parts.map(key));
				let stream = mutate(parts, changes[0]!);
				for (const change of changes.slice(1)) stream = mutate([stream], change);
				const end = START + stream.length;
				const seen = readStream(memoryOf(stream, START), START, end);
				for (const { bytes: taken } of seen.accepted) expect(written.has(key(taken))).toBe(true);
				expect(seen.fault === null).toBe(seen.verdict === FrameKind.incomplete);

				// What lies around the stream plays no part.
				for (const guard of [0, 0xff]) {
					const guarded = readStream(memoryOf(stream, START + 8, guard), START + 8, end + 8);
					expect(guarded).toEqual(seen);
				}
			}),
			{ numRuns: RUNS },
		);
	});

	it('is never read outside the frame at hand', () => {
		fc.assert(
			fc.property(frames, mutation, (parts, change) => {
				const stream = mutate(parts, change);
				readWatched(memoryOf(stream, START), START, START + stream.length);
			}),
			{ numRuns: RUNS / 3 },
		);
	});

	it('of random words is refused without a throw', () => {
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 4, maxLength: 300 }), (noise) => {
				const { accepted } = readStream(memoryOf(noise, START), START, START + noise.length);
				expect(accepted).toEqual([]);
			}),
			{ numRuns: 500 },
		);
	});
});

describe('a frame whose checksums an attacker made right again', () => {
	it('is taken only if it is, byte for byte, what our writer makes of its content', () => {
		let taken = 0;
		const place = fc.nat({ max: 400 });
		const value = fc.oneof(
			word,
			fc.nat({ max: 64 }),
			fc.constant(0xf_ffff),
			fc.constant(0x10_0000),
		);
		fc.assert(
			fc.property(
				frame,
				fc.array(fc.tuple(place, value, fc.boolean()), { minLength: 1, maxLength: 3 }),
				(original, changes) => {
					const forged = original.slice();
					const view = new DataView(forged.buffer);
					for (const [at, put, wide] of changes) {
						if (wide) view.setUint32((at % (forged.length >> 2)) * 4, put, true);
						else forged[at % forged.length] = put;
					}
					reseal(forged);
					const memory = memoryOf(forged, START);
					const end = START + forged.length;
					readWatched(memory, START, end);
					for (const accepted of readStream(memory, START, end).accepted) {
						taken += 1;
						expect(key(rewritten(accepted.kind, accepted.bytes))).toBe(key(accepted.bytes));
					}
				},
			),
			{ numRuns: RUNS },
		);
		// Else the test tests nothing: most numbers may have any value.
		expect(taken).toBeGreaterThan(RUNS / 10);
	});
});

/** Decodes a frame by our readers and writes it anew by our writers. */
function rewritten(kind: FrameKind, data: Uint8Array): Uint8Array {
	const memory = memoryOf(data, START);
	switch (kind) {
		case FrameKind.batch: {
			const view = new BatchView().moveTo(memory, START, data.length);
			const entries = Array.from({ length: view.count }, (_, i) => view.entry(i));
			expect(concatenate(entries)).toEqual(view.payload());
			return batchFrame(entries, {
				group: memory.words[(START + 60) >>> 2]!,
				session: view.session,
				sequence: view.sequence,
				kind: view.kind,
				...(view.isRegistered && { waits: view.waits }),
				term: view.term,
				index: view.index,
				parent: memory.words[(START + 56) >>> 2]!,
				time: view.time,
			});
		}
		case FrameKind.message: {
			const numbers = emptyMessage(0);
			readMessage(memory, START, numbers);
			return messageFrame(
				numbers,
				messageBody(memory, START),
				messageBatches(memory, START),
				messageVersion(memory, START),
			);
		}
		case FrameKind.flushMark:
			return flushMarkFrame(readFlushMark(memory, START));
		default:
			return segmentHeaderFrame(readSegmentHeader(memory, START));
	}
}
