import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultOf, SAMPLES } from './frames.js';

const DIRECTORY = join(import.meta.dirname, 'golden');
const { UPDATE_GOLDEN } = process.env;

/** Sixteen bytes a line, the offset in front: for eyes, and for the diff of a change. */
function hexListing(frame: Uint8Array): string {
	const lines: string[] = [];
	for (let at = 0; at < frame.length; at += 16) {
		const row = [...frame.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, '0'));
		lines.push(`${at.toString().padStart(4)}  ${row.join(' ')}`);
	}
	return lines.join('\n');
}

const listing = `${Object.entries(SAMPLES)
	.map(([name, frame]) => `${name}, ${frame.length} bytes\n${hexListing(frame)}`)
	.join('\n\n')}\n`;

if (UPDATE_GOLDEN === '1') {
	for (const [name, frame] of Object.entries(SAMPLES)) {
		writeFileSync(join(DIRECTORY, `${name}.bin`), frame);
	}
	writeFileSync(join(DIRECTORY, 'frames.txt'), listing);
}

// Format version 1 as it was first written. If one of these fails, old logs can't be read: either undo
// the change, or give it new identifiers and keep reading these.
describe('format version 1', () => {
	it.each(Object.entries(SAMPLES))('writes %s byte for byte', (name, frame) => {
		expect(Buffer.from(frame).equals(readFileSync(join(DIRECTORY, `${name}.bin`)))).toBe(true);
	});

	it('is listed in hex', () => {
		expect(readFileSync(join(DIRECTORY, 'frames.txt'), 'utf8')).toBe(listing);
	});

	it('has no golden file without a sample, and every one passes its door', () => {
		const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.bin'));
		expect(files).toEqual(
			Object.keys(SAMPLES)
				.map((name) => `${name}.bin`)
				.sort(),
		);
		for (const file of files) expect(faultOf(readFileSync(join(DIRECTORY, file)))).toBeNull();
	});
});
