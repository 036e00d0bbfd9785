/**
 * docs/FORMAT.md once more, as plainly as it can be said, and with nothing of `src`: what the fast readers are
 * compared with. It accepts exactly the frames that the page allows.
 */
import { createCipheriv } from 'node:crypto';
import { crc32 } from 'node:zlib';

export type Verdict = 'incomplete' | 'broken' | 'batch' | 'message' | 'mark' | 'header';

export interface Judged {
	readonly verdict: Verdict;
	/** Of the frame; 0 if there is none. */
	readonly length: number;
}

const INCOMPLETE: Judged = { verdict: 'incomplete', length: 0 };
const BROKEN: Judged = { verdict: 'broken', length: 0 };

const PROLOGUES = {
	MRB1: prologue('MRB1', [10, 76, 4, 68, 72], 10),
	MRM1: prologue('MRM1', [8, 88, 4, 84], 8),
	MRS1: prologue('MRS1', [6, 68, 4], 6),
	MRF1: prologue('MRF1', [6, 68, 4], 6),
};

/** Bytes 4 to 31: they never differ between frames of a kind. */
function prologue(identifier: string, vtable: readonly number[], distance: number): Uint8Array {
	const bytes = new Uint8Array(32);
	const view = new DataView(bytes.buffer);
	view.setUint32(4, 24, true);
	bytes.set(Buffer.from(identifier, 'latin1'), 8);
	vtable.forEach((value, i) => {
		view.setUint16(28 - 2 * vtable.length + 2 * i, value, true);
	});
	view.setInt32(28, distance, true);
	return bytes.subarray(4);
}

export function viewOf(bytes: Uint8Array): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What lies at the front of a stream of which these bytes are all that has arrived. */
export function judge(bytes: Uint8Array, lengthMax: number): Judged {
	if (bytes.length < 4) return INCOMPLETE;
	const length = viewOf(bytes).getUint32(0, true) + 4;
	if (length < 96 || length > lengthMax || length % 8 !== 0) return BROKEN;
	if (bytes.length < 12) return INCOMPLETE;
	const identifier = Buffer.from(bytes.buffer, bytes.byteOffset, 12).toString('latin1', 8, 12);
	if (!Object.hasOwn(PROLOGUES, identifier)) return BROKEN;
	const isLocal = identifier === 'MRS1' || identifier === 'MRF1';
	if (isLocal && length !== 96) return BROKEN;
	// A local frame is never streamed: it is judged as a whole.
	const hasPrologue = bytes.length >= 32 && (!isLocal || bytes.length >= length);
	const expected = PROLOGUES[identifier as keyof typeof PROLOGUES];
	if (hasPrologue && Buffer.compare(bytes.subarray(4, 32), expected) !== 0) return BROKEN;
	if (bytes.length < length) return INCOMPLETE;
	const frame = bytes.subarray(0, length);
	const view = viewOf(frame);
	switch (identifier) {
		case 'MRB1':
			return isBatch(frame, view) ? { verdict: 'batch', length } : BROKEN;
		case 'MRM1':
			return isMessage(frame, view) ? { verdict: 'message', length } : BROKEN;
		case 'MRS1':
			if (!isSummed(frame, view) || !areSafe(view, [40, 56, 64, 72, 80])) return BROKEN;
			return { verdict: 'header', length };
		default:
			if (!isSummed(frame, view) || !areSafe(view, [40, 48, 56, 64, 72])) return BROKEN;
			return { verdict: 'mark', length };
	}
}

/** The checksum over everything behind it in the struct, which is all of a local frame. */
function isSummed(frame: Uint8Array, view: DataView): boolean {
	return view.getUint32(32, true) === crc32(frame.subarray(36, 96));
}

/** Each uint64 at these places is below 2^52. */
function areSafe(view: DataView, places: readonly number[]): boolean {
	return places.every((at) => view.getUint32(at + 4, true) < 2 ** 20);
}

function isZero(frame: Uint8Array, from: number, to: number): boolean {
	for (let at = from; at < to; at++) if (frame[at] !== 0) return false;
	return true;
}

function isBatch(frame: Uint8Array, view: DataView): boolean {
	if (frame.length < 120) return false;
	const word = (at: number) => view.getUint32(at, true);
	const payloadBytes = word(108);
	if (payloadBytes > frame.length - 120) return false;
	const endsAt = 4 * Math.ceil((112 + payloadBytes) / 4);
	const count = word(88);
	if (count < 1 || word(endsAt) !== count) return false;
	const end = endsAt + 4 + 4 * count;
	if (8 * Math.ceil(end / 8) !== frame.length) return false;
	if (word(96) !== endsAt - 96 || word(100) !== 8 || word(104) !== 0) return false;
	if (word(32) !== crc32(frame.subarray(36, 96))) return false;
	if (word(36) !== payloadSum(frame.subarray(96))) return false;
	if (!areSafe(view, [40, 48, 64, 72, 80])) return false;
	const kind = frame[92]!;
	if (kind > 3 || (kind !== 0 && count !== 1) || (kind === 1 && payloadBytes !== 0)) return false;
	if (word(92) !== kind && !areFlags(frame, view)) return false;
	if (kind === 3 && !isRegistration(view, payloadBytes)) return false;
	let before = 0;
	for (let i = 0; i < count; i++) {
		const entryEnd = word(endsAt + 4 + 4 * i);
		if (entryEnd < before) return false;
		before = entryEnd;
	}
	if (before !== payloadBytes) return false;
	return isZero(frame, 112 + payloadBytes, endsAt) && isZero(frame, end, frame.length);
}

/** Of a batch of entries, in a session that was registered, which waits for no more batches than were before it. */
function areFlags(frame: Uint8Array, view: DataView): boolean {
	const [session, sequence] = [view.getBigUint64(64, true), view.getBigUint64(72, true)];
	const isRegistered = frame[92] === 0 && frame[93] === 1 && session > 0n;
	return isRegistered && BigInt(view.getUint16(94, true)) < sequence;
}

/** Two numbers, the first of them not 0, outside of any session. */
function isRegistration(view: DataView, payloadBytes: number): boolean {
	if (payloadBytes !== 16 || !areSafe(view, [112, 120])) return false;
	return view.getBigUint64(64, true) === 0n && view.getBigUint64(112, true) !== 0n;
}

const KINDS = new Set([
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42,
]);

function isMessage(frame: Uint8Array, view: DataView): boolean {
	if (frame.length < 120) return false;
	const word = (at: number) => view.getUint32(at, true);
	const bodyBytes = word(116);
	if (word(112) !== 4 || 8 * Math.ceil((120 + bodyBytes) / 8) !== frame.length) return false;
	if (word(32) !== crc32(frame.subarray(36))) return false;
	const kind = frame[36]!;
	if (!KINDS.has(kind) || frame[37]! > 1) return false;
	if (kind !== 16 && view.getUint16(38, true) !== 0) return false;
	if (kind !== 1 && word(52) !== 0) return false;
	if (kind < 16 && bodyBytes !== 0) return false;
	return (
		areSafe(view, [56, 64, 72, 80, 88, 96, 104]) && isZero(frame, 120 + bodyBytes, frame.length)
	);
}

/** CRC-32 below 32 KiB, four bytes of GMAC from there on. */
function payloadSum(bytes: Uint8Array): number {
	if (bytes.length < 32_768) return crc32(bytes);
	const mac = createCipheriv('aes-128-gcm', new Uint8Array(16), new Uint8Array(12));
	mac.setAAD(bytes);
	mac.final();
	return mac.getAuthTag().readUInt32LE(0);
}

/** Makes the checksums of whatever calls itself a frame at the front of `bytes` right, as far as it goes. */
export function seal(bytes: Uint8Array): void {
	if (bytes.length < 96) return;
	const view = viewOf(bytes);
	const length = Math.min(bytes.length, Math.max(96, view.getUint32(0, true) + 4));
	const frame = bytes.subarray(0, length);
	switch (Buffer.from(bytes.buffer, bytes.byteOffset, 12).toString('latin1', 8, 12)) {
		case 'MRB1':
			view.setUint32(36, payloadSum(frame.subarray(96)), true);
			view.setUint32(32, crc32(frame.subarray(36, 96)), true);
			break;
		case 'MRM1':
			view.setUint32(32, crc32(frame.subarray(36)), true);
			break;
		case 'MRS1':
		case 'MRF1':
			view.setUint32(32, crc32(frame.subarray(36, 96)), true);
			break;
		default:
	}
}

/** A u64 that was found to be safe. */
export function number64(view: DataView, at: number): number {
	return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
