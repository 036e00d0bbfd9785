/**
 * The table of sessions as it goes into a snapshot. All are whole numbers of 8 bytes, the lowest byte first.
 *
 *     0  2^51 + 2    8  the last index that the state machine was given
 *     16  the log's time   24  how many sessions there may be   32  how many there are
 *     40  (session, sequence, index, time of last use, duration or 0) of each, in the order of their last use
 *
 * Where no session was ever registered, it is as earlier programs wrote it:
 *
 *     0  how many there are   8  that index   16  (session, sequence, index) of each
 */
import { assert } from '../assert.js';
import { readUint64, writeUint64 } from '../format/memory.js';

/** More than any table has rows. */
const SECOND_FORMAT = 2 ** 51 + 2;

const FIRST = { headNumbers: 2, rowNumbers: 3 } as const;
const SECOND = { headNumbers: 5, rowNumbers: 5 } as const;

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

export interface SessionTable<Row extends SavedSession = SavedSession> {
	/** Was any session ever registered? */
	readonly isBegun: boolean;
	readonly given: number;
	readonly time: number;
	readonly sessionsMax: number;
	/** By number, in the order of their last use. */
	readonly sessions: ReadonlyMap<number, Row>;
}

export function saveSessions(table: SessionTable): Uint8Array {
	const { headNumbers, rowNumbers } = table.isBegun ? SECOND : FIRST;
	const { given, time, sessionsMax, sessions } = table;
	const words = new Uint32Array(2 * (headNumbers + rowNumbers * sessions.size));
	let word = 0;
	const write = (...numbers: readonly number[]) => {
		for (const number of numbers) {
			writeUint64(words, word, number);
			word += 2;
		}
	};
	if (table.isBegun) write(SECOND_FORMAT, given, time, sessionsMax, sessions.size);
	else write(sessions.size, given);
	for (const [session, { sequence, index, usedAt, durationMs }] of sessions) {
		write(session, sequence, index);
		if (table.isBegun) write(usedAt, durationMs === Number.POSITIVE_INFINITY ? 0 : durationMs);
	}
	return new Uint8Array(words.buffer);
}

export function savedSessions(
	bytes: Uint8Array,
): SessionTable<{ -readonly [K in keyof SavedSession]: SavedSession[K] }> {
	const words = wordsOf(bytes);
	const number = (i: number) => readUint64(words, 2 * i);
	const isBegun = number(0) === SECOND_FORMAT;
	const { headNumbers, rowNumbers } = isBegun ? SECOND : FIRST;
	const count = number(isBegun ? 4 : 0);
	const isWhole = words.length === 2 * (headNumbers + rowNumbers * count);
	assert(isWhole, 'a table of sessions is as long as it says');
	const sessions = new Map();
	for (let row = 0; row < count; row++) {
		const at = headNumbers + rowNumbers * row;
		sessions.set(number(at), {
			sequence: number(at + 1),
			index: number(at + 2),
			usedAt: isBegun ? number(at + 3) : 0,
			durationMs: (isBegun && number(at + 4)) || Number.POSITIVE_INFINITY,
		});
	}
	return {
		isBegun,
		given: number(1),
		time: isBegun ? number(2) : 0,
		sessionsMax: isBegun ? number(3) : 0,
		sessions,
	};
}

/** Of a saved table: the last index that the state machine had been given. */
export function givenOf(bytes: Uint8Array): number {
	return readUint64(wordsOf(bytes), 2);
}

/** The bytes as words, whatever place in memory they have. */
function wordsOf(bytes: Uint8Array): Uint32Array {
	return new Uint32Array(bytes.slice().buffer);
}
