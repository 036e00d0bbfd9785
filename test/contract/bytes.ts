import { expect } from 'vitest';

/** Bytes that differ with the seed and along the way. */
export function pattern(length: number, seed: number): Uint8Array {
	const bytes = new Uint8Array(length);
	for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 101 + 1) & 0xff;
	return bytes;
}

export function joined(slices: readonly Uint8Array[]): Uint8Array {
	return new Uint8Array(Buffer.concat(slices));
}

/** `toEqual` looks at each byte as an object would deserve it: seconds for a megabyte. */
export function expectBytes(actual: Uint8Array | null, expected: Uint8Array): void {
	expect(actual?.byteLength).toBe(expected.byteLength);
	if (Buffer.compare(actual!, expected) === 0) return;
	const at = expected.findIndex((byte, i) => byte !== actual![i]);
	expect.fail(`bytes differ from ${at} on: ${actual![at]} instead of ${expected[at]}`);
}
