import { isSafeUint64, readUint64, writeUint64 } from './memory.js';

/**
 * What the entry says with which a session begins: two whole numbers of 8 bytes, the lowest byte first.
 *
 *     0  the session's duration   8  how many sessions there may be from here on; 0 in a proposal
 */
export interface Registration {
	/** Unused for longer than this, by the log's time, the session is forgotten. At least 1. */
	readonly durationMs: number;
	/** The leader's limit: all replicas forget the same sessions, whatever their own limits are. */
	readonly sessionsMax: number;
}

export const REGISTRATION_BYTES = 16;

/** The longest duration that a leader grants: a week. */
export const SESSION_MS_MAX = 7 * 24 * 3600 * 1000;

export function registrationEntry({ durationMs, sessionsMax }: Registration): Uint8Array {
	const words = new Uint32Array(REGISTRATION_BYTES / 4);
	writeUint64(words, 0, durationMs);
	writeUint64(words, 2, sessionsMax);
	return new Uint8Array(words.buffer);
}

/** Reads the entry of a batch that has passed the door. */
export function readRegistration(entry: Uint8Array): Registration {
	const words = new Uint32Array(entry.slice().buffer);
	return { durationMs: readUint64(words, 0), sessionsMax: readUint64(words, 2) };
}

/** Is anything wrong with the entry at a word index? */
export function registrationFault(words: Uint32Array, word: number): boolean {
	const isSafe = isSafeUint64(words, word) && isSafeUint64(words, word + 2);
	return !isSafe || readUint64(words, word) === 0;
}
