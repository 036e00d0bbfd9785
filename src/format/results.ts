/**
 * What a state machine returned for the entries of a batch, as a remote proposer is told it:
 *
 *     a u32 for each entry: the length of its result, or 2^32 - 1 if that was no bytes; then the results one behind the other
 */

/** Of one entry: what the state machine returned, if that was bytes. */
export type EntryResult = Uint8Array | undefined;

const NONE = 0xffff_ffff;

/** Bytes for the results of entries `from` to `from + count`; null if none of them is bytes. */
export function encodeResults(
	results: readonly unknown[],
	from: number,
	count: number,
): Uint8Array | null {
	let bytes = 0;
	let isAny = false;
	for (let i = from; i < from + count; i++) {
		const result = results[i];
		if (!(result instanceof Uint8Array)) continue;
		bytes += result.length;
		isAny = true;
	}
	if (!isAny) return null;
	const encoded = new Uint8Array(4 * count + bytes);
	const lengths = new Uint32Array(encoded.buffer, 0, count);
	let at = 4 * count;
	for (let i = 0; i < count; i++) {
		const result = results[from + i];
		if (!(result instanceof Uint8Array)) {
			lengths[i] = NONE;
			continue;
		}
		lengths[i] = result.length;
		encoded.set(result, at);
		at += result.length;
	}
	return encoded;
}

/** Reads them for `count` entries, as copies; null if the bytes make no sense. */
export function decodeResults(encoded: Uint8Array, count: number): readonly EntryResult[] | null {
	if (encoded.length < 4 * count) return null;
	const bytes = encoded.slice();
	const lengths = new Uint32Array(bytes.buffer, 0, count);
	const results: EntryResult[] = [];
	let at = 4 * count;
	for (const length of lengths) {
		if (length !== NONE && at + length > bytes.length) return null;
		results.push(length === NONE ? undefined : bytes.subarray(at, at + length));
		if (length !== NONE) at += length;
	}
	return at === bytes.length ? results : null;
}
