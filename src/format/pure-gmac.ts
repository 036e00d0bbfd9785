/**
 * AES-128-GMAC (NIST SP 800-38D) with key and nonce of zeros, without Node: for browsers, whose own one is asynchronous.
 *
 * With that key and nonce no AES is needed: the two blocks that it would give are constants. What is left is GHASH, a sum over
 * GF(2^128), by a table for each of the sixteen bytes of a block.
 */

/** AES of a block of zeros: what GHASH multiplies by. Four words, the first byte in the highest. */
const H = [0x66e94bd4, 0xef8a2c3b, 0x884cfa59, 0xca342b2e] as const;
/** AES of the first counter block: what the sum is hidden by. Its first word. */
const MASK = 0x58e2fcce;

/** Words of the table of one byte: 256 products, of four words each. */
const TABLE_WORDS = 256 * 4;

/** 64 KiB, made on first use. */
let tables: Int32Array | null = null;

/** For byte b at place p of a block: the product of b * x^(8p) and H, at (p * 256 + b) * 4. In a field, products of single bits
 * add up to those of bytes. */
function makeTables(): Int32Array {
	const made = new Int32Array(16 * TABLE_WORDS);
	let [a, b, c, d]: readonly number[] = H;
	for (let bit = 0; bit < 128; bit++) {
		// The highest bit of a byte comes first.
		const byte = 0x80 >>> (bit & 7);
		const at = (bit >>> 3) * TABLE_WORDS + byte * 4;
		made.set([a!, b!, c!, d!], at);
		const carry: number = d! & 1;
		d = (d! >>> 1) | (c! << 31);
		c = (c! >>> 1) | (b! << 31);
		b = (b! >>> 1) | (a! << 31);
		a = (a! >>> 1) ^ (carry === 1 ? 0xe1000000 : 0);
	}
	for (let table = 0; table < 16; table++) fillSums(made, table * TABLE_WORDS);
	return made;
}

function fillSums(made: Int32Array, at: number): void {
	for (let byte = 1; byte < 256; byte++) {
		const highest = 1 << (31 - Math.clz32(byte));
		const rest = byte ^ highest;
		if (rest === 0) continue;
		for (let word = 0; word < 4; word++) {
			made[at + byte * 4 + word] = made[at + highest * 4 + word]! ^ made[at + rest * 4 + word]!;
		}
	}
}

/** The first four bytes, little-endian, of the tag of `bytes[start .. end)`. */
export function pureGmac(bytes: Uint8Array, start: number, end: number): number {
	tables ??= makeTables();
	const sum = new Int32Array(4);
	const wholeEnd = end - ((end - start) % 16);
	addBlocks(tables, sum, bytes, start, wholeEnd);
	if (wholeEnd < end) {
		const last = new Uint8Array(16);
		last.set(bytes.subarray(wholeEnd, end));
		addBlocks(tables, sum, last, 0, 16);
	}
	addBlocks(tables, sum, lengthBlock(end - start), 0, 16);
	const tag = (sum[0]! ^ MASK) >>> 0;
	return (
		((tag >>> 24) | ((tag >>> 8) & 0xff00) | ((tag & 0xff00) << 8) | ((tag & 0xff) << 24)) >>> 0
	);
}

/** The lengths in bits of what is authenticated, and of what is encrypted: nothing. */
function lengthBlock(bytes: number): Uint8Array {
	const block = new Uint8Array(16);
	const view = new DataView(block.buffer);
	view.setUint32(0, Math.floor(bytes / 0x2000_0000));
	view.setUint32(4, (bytes * 8) >>> 0);
	return block;
}

/** sum = (sum + block) * H, for each block of `bytes[start .. end)`. */
function addBlocks(
	table: Int32Array,
	sum: Int32Array,
	bytes: Uint8Array,
	start: number,
	end: number,
): void {
	let a = sum[0]!;
	let b = sum[1]!;
	let c = sum[2]!;
	let d = sum[3]!;
	for (let block = start; block < end; block += 16) {
		let nextA = 0;
		let nextB = 0;
		let nextC = 0;
		let nextD = 0;
		for (let word = 0; word < 4; word++) {
			const own = word === 0 ? a : word === 1 ? b : word === 2 ? c : d;
			for (let place = 0; place < 4; place++) {
				const p = word * 4 + place;
				const byte = ((own >>> (24 - 8 * place)) & 0xff) ^ bytes[block + p]!;
				const at = p * TABLE_WORDS + byte * 4;
				nextA ^= table[at]!;
				nextB ^= table[at + 1]!;
				nextC ^= table[at + 2]!;
				nextD ^= table[at + 3]!;
			}
		}
		a = nextA;
		b = nextB;
		c = nextC;
		d = nextD;
	}
	sum[0] = a;
	sum[1] = b;
	sum[2] = c;
	sum[3] = d;
}
