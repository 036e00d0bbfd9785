import { expect, test } from 'vitest';
import { MUX_HEAD_BYTES, type MuxHead, MuxKind, readMuxHead } from '../../src/host/mux-frames.js';
import { MuxPieces, MuxWrite } from '../../src/host/mux-write.js';
import { pattern } from '../contract/bytes.js';

function equals(bytes: Buffer, slices: readonly Uint8Array[]): boolean {
	return bytes.equals(Buffer.concat(slices));
}

/** Heads and slices of all sizes, and what they are on the wire. */
function filled(pieces: MuxPieces, seed: number): { write: MuxWrite; slices: Uint8Array[] } {
	const write = new MuxWrite(pieces);
	const slices: Uint8Array[] = [];
	for (const [i, bytes] of [0, 1, 96, 511, 512, 513, 16_384, 3, 500, 500, 70_000].entries()) {
		for (let n = 0; n < 8; n++) {
			const slice = pattern(bytes, seed + i + n);
			write.add(slice);
			slices.push(slice);
		}
	}
	return { write, slices };
}

test('what is written is what was added, in that order, and small slices are one', () => {
	const { write, slices } = filled(new MuxPieces(), 1);
	const out = write.slices();
	expect(equals(Buffer.concat(out), slices)).toBe(true);
	expect(write.bytes).toBe(Buffer.concat(slices).length);
	// Those of more than 512 bytes go as they are; what lies between them is one slice, or two where its memory ends.
	expect(out.filter((slice) => slices.includes(slice))).toHaveLength(24);
	expect(out.length).toBeLessThanOrEqual(24 + 3 + 1);
});

test('heads are as they are read, up to the highest number', () => {
	const write = new MuxWrite(new MuxPieces());
	write.head(MuxKind.credit, 0xffff_ffff, 0x8000_0001);
	const [bytes] = write.slices();
	expect(bytes).toHaveLength(MUX_HEAD_BYTES);
	const head: MuxHead = { kind: 0, stream: 0, value: 0 };
	expect(readMuxHead(bytes!, 0, head)).toBe(true);
	expect(head).toEqual({ kind: MuxKind.credit, stream: 0xffff_ffff, value: 0x8000_0001 });
});

test('memory is used again once its write is done, and not before', () => {
	const pieces = new MuxPieces();
	const memoryOf = ({ write, slices }: ReturnType<typeof filled>) => {
		const own = write.slices().filter((slice) => !slices.includes(slice));
		return new Set(own.map(({ buffer }) => buffer));
	};
	const first = filled(pieces, 1);
	const second = filled(pieces, 2);
	expect([...memoryOf(second)].filter((memory) => memoryOf(first).has(memory))).toEqual([]);
	expect(equals(Buffer.concat(first.write.slices()), first.slices)).toBe(true);
	first.write.done();
	const third = filled(pieces, 3);
	expect(memoryOf(third)).toEqual(memoryOf(first));
	expect(equals(Buffer.concat(second.write.slices()), second.slices)).toBe(true);
});
