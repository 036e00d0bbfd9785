import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailed } from '../../src/assert.js';
import { BATCH_BYTES_MIN, BatchKind, batchFault, batchLength } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { BatchWriter, type PackedEntries, packedFault } from '../../src/format/batch-writer.js';
import { Memory } from '../../src/format/memory.js';
import { concatenate, dirtyMemory, faultOf } from './frames.js';

const LABEL = { group: 7, session: 8, sequence: 9, kind: BatchKind.entries };
const AT = 16;

function written(entries: readonly Uint8Array[], cut = entries.length): Uint8Array {
	const memory = dirtyMemory(64 * 1024);
	const writer = new BatchWriter(1024);
	writer.begin(memory, AT, 32 * 1024);
	for (const entry of entries.slice(0, cut)) writer.add(entry);
	if (cut < entries.length) writer.addPacked(packed(entries.slice(cut)));
	expect(writer.count).toBe(entries.length);
	const length = writer.finish(LABEL);
	// Nothing was written around the frame.
	expect(memory.bytes.subarray(0, AT).every((byte) => byte === 0xa5)).toBe(true);
	expect(memory.bytes.subarray(AT + length).every((byte) => byte === 0xa5)).toBe(true);
	return memory.slice(AT, length).slice();
}

function packed(entries: readonly Uint8Array[]): PackedEntries {
	const ends = new Uint32Array(entries.length);
	let end = 0;
	entries.forEach((entry, i) => {
		end += entry.length;
		ends[i] = end;
	});
	return { payload: concatenate(entries), ends };
}

function viewOf(frame: Uint8Array): BatchView {
	const memory = new Memory(frame.length);
	memory.bytes.set(frame);
	return new BatchView().moveTo(memory, 0, frame.length);
}

const EMPTY = new Uint8Array(0);
const entriesOf = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 100 });

describe('BatchWriter', () => {
	it('makes a batch of one empty entry, the smallest there is', () => {
		const frame = written([EMPTY]);
		expect(frame.length).toBe(BATCH_BYTES_MIN);
		expect(faultOf(frame)).toBeNull();
		expect([...viewOf(frame).entry(0)]).toEqual([]);
	});

	it('keeps entries without bytes, wherever they are', () => {
		const entries = [EMPTY, EMPTY, Uint8Array.of(1), EMPTY, Uint8Array.of(2, 3), EMPTY];
		const frame = written(entries);
		expect(faultOf(frame)).toBeNull();
		const view = viewOf(frame);
		expect(entries.map((_, i) => view.entry(i))).toEqual(entries);
	});

	it('makes the same bytes of single and of packed entries', () => {
		fc.assert(
			fc.property(entriesOf, fc.nat(), (entries, random) => {
				const cut = random % (entries.length + 1);
				const frame = written(entries);
				expect(faultOf(frame)).toBeNull();
				expect(Buffer.compare(written(entries, cut), frame)).toBe(0);
				const view = viewOf(frame);
				expect(entries.map((_, i) => view.entry(i))).toEqual(entries);
			}),
			{ numRuns: 200 },
		);
	});

	it('makes the same bytes of entries that lie at any alignment, in a Buffer or not', () => {
		for (let length = 0; length <= 100; length++) {
			const source = new Uint8Array(128).map((_, i) => i + length);
			const expected = written([Uint8Array.of(9), source.slice(3, 3 + length)]);
			const entry = source.subarray(3, 3 + length);
			const buffer = Buffer.from(source.buffer, 3, length);
			expect(Buffer.compare(written([Uint8Array.of(9), entry]), expected)).toBe(0);
			expect(Buffer.compare(written([Uint8Array.of(9), buffer]), expected)).toBe(0);
		}
	});

	it('holds as many entries as it was made for', () => {
		const writer = new BatchWriter(3);
		writer.begin(new Memory(1024), 0, 1024);
		for (let i = 0; i < 3; i++) {
			expect(writer.fits(0, 1)).toBe(true);
			writer.add(EMPTY);
		}
		expect(writer.fits(0, 1)).toBe(false);
		expect(() => writer.add(EMPTY)).toThrow(AssertionFailed);
		expect(writer.finish(LABEL)).toBe(batchLength(0, 3));
	});

	it('fits exactly what its frame has room for', () => {
		for (let bytesMax = 120; bytesMax <= 160; bytesMax += 8) {
			for (let bytes = 0; bytes <= 64; bytes++) {
				const memory = new Memory(bytesMax);
				const writer = new BatchWriter(16);
				writer.begin(memory, 0, bytesMax);
				const fits = writer.fits(bytes, 1);
				expect(fits).toBe(batchLength(bytes, 1) <= bytesMax);
				if (!fits) {
					expect(() => writer.add(new Uint8Array(bytes))).toThrow(AssertionFailed);
					continue;
				}
				writer.add(new Uint8Array(bytes));
				const length = writer.finish(LABEL);
				expect(length).toBeLessThanOrEqual(bytesMax);
				expect(batchFault(memory, 0, length)).toBeNull();
			}
		}
	});

	it('fills a large batch to the brim', () => {
		const memory = new Memory(1024 * 1024);
		const writer = new BatchWriter(65_536);
		writer.begin(memory, 0, 1024 * 1024);
		const entry = new Uint8Array(13).fill(1);
		while (writer.fits(13, 1)) writer.add(entry);
		expect(writer.count).toBeGreaterThan(60_000);
		const length = writer.finish(LABEL);
		expect(length).toBeGreaterThan(1024 * 1024 - 24);
		expect(batchFault(memory, 0, length)).toBeNull();
	});

	it('stops when it is misused', () => {
		const writer = new BatchWriter(4);
		expect(writer.fits(0, 1)).toBe(false);
		expect(() => writer.add(EMPTY)).toThrow(AssertionFailed);
		expect(() => writer.finish(LABEL)).toThrow(AssertionFailed);
		expect(() => writer.begin(new Memory(256), 4, 128)).toThrow(AssertionFailed);
		expect(() => writer.begin(new Memory(256), 136, 128)).toThrow(AssertionFailed);
		writer.begin(new Memory(256), 0, 256);
		expect(() => writer.finish(LABEL)).toThrow(AssertionFailed);
		const short = { payload: new Uint8Array(3), ends: Uint32Array.of(2) };
		expect(() => writer.addPacked(short)).toThrow(AssertionFailed);
		expect(() => writer.addPacked({ payload: EMPTY, ends: new Uint32Array(5) })).toThrow(
			AssertionFailed,
		);
		writer.add(Uint8Array.of(1));
		expect(() => writer.finish({ ...LABEL, kind: BatchKind.noOp })).toThrow(AssertionFailed);
	});
});

describe('packedFault', () => {
	const fault = (payloadBytes: number, ends: readonly number[]) =>
		packedFault({ payload: new Uint8Array(payloadBytes), ends: Uint32Array.from(ends) });

	it('lets good entries pass', () => {
		expect(fault(0, [0])).toBeNull();
		expect(fault(5, [0, 0, 2, 2, 5, 5])).toBeNull();
	});

	it('names what every replica would refuse', () => {
		expect(fault(0, [])).toBe('there is no entry');
		expect(fault(5, [3, 2, 5])).toBe('ends go back');
		expect(fault(5, [3])).toBe('ends do not cover the payload');
		expect(fault(5, [3, 6])).toBe('ends do not cover the payload');
	});

	it('is not fooled by an array of another type', () => {
		const ends = [3, Number.NaN, 5] as unknown as Uint32Array;
		expect(packedFault({ payload: new Uint8Array(5), ends })).toBe('ends go back');
	});
});
