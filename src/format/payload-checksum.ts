import { crc32 } from './crc32.js';
import { pureGmac } from './pure-gmac.js';

/** Where there is Node; not imported, for browsers have this file too. */
const createCipheriv =
	globalThis.process?.getBuiltinModule?.('node:crypto')?.createCipheriv ?? null;

/**
 * From this length on, a payload is summed by GMAC: Node's CRC-32 is a table walk of 4.4 GB/s, its GMAC runs on the
 * processor's carry-less multiplication at 9.5 GB/s, but takes 4 us to begin. Three sums of each batch (its maker,
 * two followers) were a fifth of all the CPU time of a replicated byte.
 */
export const GMAC_FROM_BYTES = 32 * 1024;
/** All zeros: it shall detect damage, not malice. */
const KEY = new Uint8Array(16);
const NONCE = new Uint8Array(12);

/**
 * The payload checksum of `bytes[start .. end)`: below `GMAC_FROM_BYTES` the CRC-32, from there on the first four bytes,
 * little-endian, of the AES-128-GMAC (NIST SP 800-38D) with key and nonce of zeros. Either misses a random
 * damage once in 2^32.
 */
export function payloadChecksum(bytes: Uint8Array, start: number, end: number): number {
	if (end - start < GMAC_FROM_BYTES) return crc32(bytes, start, end);
	if (createCipheriv === null) return pureGmac(bytes, start, end);
	const mac = createCipheriv('aes-128-gcm', KEY, NONCE);
	mac.setAAD(bytes.subarray(start, end));
	mac.final();
	return mac.getAuthTag().readUInt32LE(0);
}
