import { expect, it } from 'vitest';
import { decodeResults, encodeResults } from '../../src/format/results.js';

const bytes = (...values: readonly number[]) => Uint8Array.of(...values);

it('results are what they were, those that are no bytes are none', () => {
	const results = [bytes(1, 2, 3), 7, bytes(), undefined, bytes(9)];
	const encoded = encodeResults(results, 0, 5)!;
	expect(decodeResults(encoded, 5)).toEqual([
		bytes(1, 2, 3),
		undefined,
		bytes(),
		undefined,
		bytes(9),
	]);
	expect(decodeResults(encodeResults(results, 2, 2)!, 2)).toEqual([bytes(), undefined]);
	// Wherever they lie.
	const apart = new Uint8Array(encoded.length + 3);
	apart.set(encoded, 3);
	expect(decodeResults(apart.subarray(3), 5)).toEqual(decodeResults(encoded, 5));
});

it('where nothing is bytes, nothing is said', () => {
	expect(encodeResults([1, 'two', undefined, null], 0, 4)).toBeNull();
});

it('what makes no sense is no result', () => {
	const encoded = encodeResults([bytes(1, 2, 3)], 0, 1)!;
	expect(decodeResults(encoded.subarray(0, 6), 1)).toBeNull();
	expect(decodeResults(new Uint8Array([...encoded, 0]), 1)).toBeNull();
	expect(decodeResults(encoded, 2)).toBeNull();
	expect(decodeResults(bytes(1), 1)).toBeNull();
});
