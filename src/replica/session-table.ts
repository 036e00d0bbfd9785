/**
 * The table of sessions as it goes into a snapshot. All are whole numbers of 8 bytes, the lowest byte first.
 *
 *     0  2^51 + 2    8  the last index that the state machine was given
 *     16  the log's time   24  how many sessions there may be   32  how many there are
 *     40  of each, in the order of their last use: session, sequence, index, time of last use, duration or 0, twice the number of
 *         results that are kept (and 1, if some were lost); and of each of these: sequence, index, length, and its bytes, padded to 8
 *
 * Where no session was ever registered, it is as earlier programs wrote it:
 *
 *     0  how many there are   8  that index   16  (session, sequence, index) of each
 */
import { assert } from '../assert.js';
import { alignUp8, readUint64, writeUint64 } from '../format/memory.js';
import type { KeptResult, KeptResults } from './session-results.js';

/** More than any table has rows. */
const SECOND_FORMAT = 2 ** 51 + 2;

const FIRST = { headNumbers: 2, rowNumbers: 3 } as const;
const SECOND = { headNumbers: 5, rowNumbers: 6 } as const;
const RESULT_NUMBERS = 3;

export interface SavedSession {
	/** The last batch of it that was applied; 0 = none yet. */
	readonly sequence: number;
	/** Index of that batch's first entry. */
	readonly index: number;
	/** The log's time when that, or the registration, was applied. */
	readonly usedAt: number;
	/** Infinite for one that was never registered. */
	readonly durationMs: number;
}

type MutableSession = { -readonly [K in keyof SavedSession]: SavedSession[K] };

const NO_RESULTS: KeptResults = { bySequence: new Map(), isLossy: false };

export interface SessionTable<Row extends SavedSession = SavedSession> {
	/** Was any session ever registered? */
	readonly isBegun: boolean;
	readonly given: number;
	readonly time: number;
	readonly sessionsMax: number;
	/** By number, in the order of their last use. */
	readonly sessions: ReadonlyMap<number, Row>;
	readonly resultsOf: (session: number) => KeptResults;
}

export function saveSessions(table: SessionTable): Uint8Array {
	const { isBegun, given, time, sessionsMax, sessions, resultsOf } = table;
	const words = new Uint32Array(bytesOf(table) / 4);
	const bytes = new Uint8Array(words.buffer);
	let word = 0;
	const write = (...numbers: readonly number[]) => {
		for (const number of numbers) {
			writeUint64(words, word, number);
			word += 2;
		}
	};
	if (isBegun) write(SECOND_FORMAT, given, time, sessionsMax, sessions.size);
	else write(sessions.size, given);
	for (const [session, { sequence, index, usedAt, durationMs }] of sessions) {
		write(session, sequence, index);
		if (!isBegun) continue;
		const { bySequence, isLossy } = resultsOf(session);
		const duration = durationMs === Number.POSITIVE_INFINITY ? 0 : durationMs;
		write(usedAt, duration, 2 * bySequence.size + (isLossy ? 1 : 0));
		for (const [number, result] of bySequence) {
			write(number, result.index, result.bytes.length);
			bytes.set(result.bytes, 4 * word);
			word += alignUp8(result.bytes.length) / 4;
		}
	}
	return bytes;
}

function bytesOf({ isBegun, sessions, resultsOf }: SessionTable): number {
	const { headNumbers, rowNumbers } = isBegun ? SECOND : FIRST;
	let bytes = 8 * (headNumbers + rowNumbers * sessions.size);
	if (!isBegun) return bytes;
	for (const session of sessions.keys()) {
		for (const result of resultsOf(session).bySequence.values()) {
			bytes += 8 * RESULT_NUMBERS + alignUp8(result.bytes.length);
		}
	}
	return bytes;
}

export function savedSessions(saved: Uint8Array): SessionTable<MutableSession> {
	const words = wordsOf(saved);
	const bytes = new Uint8Array(words.buffer);
	let word = 0;
	const read = () => {
		word += 2;
		assert(word <= words.length, 'a table of sessions is as long as it says');
		return readUint64(words, word - 2);
	};
	const first = read();
	const isBegun = first === SECOND_FORMAT;
	const given = read();
	const [time, sessionsMax, count] = isBegun ? [read(), read(), read()] : [0, 0, first];
	const sessions = new Map<number, MutableSession>();
	const results = new Map<number, KeptResults>();
	for (let row = 0; row < count; row++) {
		const [session, sequence, index] = [read(), read(), read()];
		const [usedAt, duration, kept] = isBegun ? [read(), read(), read()] : [0, 0, 0];
		const durationMs = duration === 0 ? Number.POSITIVE_INFINITY : duration;
		sessions.set(session, { sequence, index, usedAt, durationMs });
		const bySequence = new Map<number, KeptResult>();
		for (let i = 0; i < Math.floor(kept / 2); i++) {
			const [number, at, length] = [read(), read(), read()];
			bySequence.set(number, { index: at, bytes: bytes.slice(4 * word, 4 * word + length) });
			word += alignUp8(length) / 4;
		}
		if (kept > 0) results.set(session, { bySequence, isLossy: kept % 2 === 1 });
	}
	assert(word === words.length, 'a table of sessions is as long as it says');
	const resultsOf = (session: number) => results.get(session) ?? NO_RESULTS;
	return { isBegun, given, time, sessionsMax, sessions, resultsOf };
}

/** Of a saved table: the last index that the state machine had been given. */
export function givenOf(bytes: Uint8Array): number {
	return readUint64(wordsOf(bytes), 2);
}

/** The bytes as words, whatever place in memory they have. */
function wordsOf(bytes: Uint8Array): Uint32Array {
	return new Uint32Array(bytes.slice().buffer);
}
