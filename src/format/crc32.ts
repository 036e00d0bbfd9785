/** Where there is Node; not imported, for browsers have this file too. */
const zlibCrc32 = globalThis.process?.getBuiltinModule?.('node:zlib')?.crc32 ?? null;

/** Eight tables for slicing-by-8, in one array: table t, byte b at t * 256 + b. Polynomial of zlib. */
const TABLES = makeTables();
/** From here on zlib's vector code beats the tables, the call included. */
const ZLIB_FROM_BYTES = 160;

function makeTables(): Uint32Array {
	const tables = new Uint32Array(8 * 256);
	for (let byte = 0; byte < 256; byte++) {
		let value = byte;
		for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
		tables[byte] = value;
	}
	for (let table = 1; table < 8; table++) {
		for (let byte = 0; byte < 256; byte++) {
			const before = tables[(table - 1) * 256 + byte]!;
			tables[table * 256 + byte] = (before >>> 8) ^ tables[before & 0xff]!;
		}
	}
	return tables;
}

/** CRC-32 (the polynomial of zlib and Ethernet) of `bytes[start .. end)`. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
	if (end - start >= ZLIB_FROM_BYTES && zlibCrc32 !== null) {
		return zlibCrc32(bytes.subarray(start, end));
	}
	return pureCrc32(bytes, start, end);
}

/** The same by the tables alone, whatever the length. */
export function pureCrc32(bytes: Uint8Array, start: number, end: number): number {
	let crc = 0xffffffff;
	let position = start;
	for (; position + 8 <= end; position += 8) crc = fold(crc, bytes, position);
	for (; position < end; position++) {
		crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[position]!) & 0xff]!;
	}
	return (crc ^ 0xffffffff) >>> 0;
}

/** Eight bytes at once. */
function fold(crc: number, bytes: Uint8Array, at: number): number {
	return (
		TABLES[1792 + ((crc ^ bytes[at]!) & 0xff)]! ^
		TABLES[1536 + (((crc >>> 8) ^ bytes[at + 1]!) & 0xff)]! ^
		TABLES[1280 + (((crc >>> 16) ^ bytes[at + 2]!) & 0xff)]! ^
		TABLES[1024 + ((crc >>> 24) ^ bytes[at + 3]!)]! ^
		TABLES[768 + bytes[at + 4]!]! ^
		TABLES[512 + bytes[at + 5]!]! ^
		TABLES[256 + bytes[at + 6]!]! ^
		TABLES[bytes[at + 7]!]!
	);
}

/** The CRC-32 is linear: flipping one bit of `length` bytes changes it by an amount that depends on nothing but how far
 * from the end the bit is.
 * @returns the bit (from 0, eight to a byte, the lowest first) whose flip changes it by `difference`, or -1 */
export function crc32BitOf(difference: number, length: number): number {
	let change = 1;
	for (let bit = 8 * length - 1; bit >= 0; bit--) {
		change = change & 1 ? (change >>> 1) ^ 0xedb88320 : change >>> 1;
		if (change >>> 0 === difference) return bit;
	}
	return -1;
}
