import { assert } from '../assert.js';
import { readUint64, writeUint64 } from '../format/memory.js';

/** Of a saved table: numbers before its rows, and in each row. */
const HEAD_NUMBERS = 2;
const ROW_NUMBERS = 3;

/** What is remembered of one producer. */
interface Session {
	/** The last batch of it that was applied. */
	sequence: number;
	/** Index of that batch's first entry. */
	index: number;
}

/** What the leader does with a batch of a session. */
export type SessionVerdict = 'next' | 'applied' | 'in-flight' | 'gap';

/**
 * Exactly-once: each session's batches are numbered from 1, and each number enters the log once.
 *
 * The table of what was applied is a function of the log alone, so it is the same on every replica, and a
 * new leader knows it once it has applied the first entry of its own term. The leader adds what it has accepted
 * and not yet applied.
 */
export class Sessions {
	readonly #sessionsMax: number;
	/** In the order of their last use in the log. */
	readonly #applied = new Map<number, Session>();
	/** Leader only: the last sequence accepted in this term. */
	readonly #accepted = new Map<number, number>();

	constructor(sessionsMax: number) {
		this.#sessionsMax = sessionsMax;
	}

	get count(): number {
		return this.#applied.size;
	}

	/** Leader: judges a batch that wants to be appended. */
	judge(session: number, sequence: number): SessionVerdict {
		const applied = this.#applied.get(session)?.sequence ?? 0;
		if (sequence <= applied) return 'applied';
		const accepted = Math.max(applied, this.#accepted.get(session) ?? 0);
		if (sequence <= accepted) return 'in-flight';
		return sequence === accepted + 1 ? 'next' : 'gap';
	}

	/** Leader: the batch was taken. */
	accept(session: number, sequence: number): void {
		this.#accepted.set(session, sequence);
	}

	/** Leadership began or ended: what was accepted and isn't applied may never be. */
	forgetAccepted(): void {
		this.#accepted.clear();
	}

	/** Every replica: a committed batch comes to be applied. @returns false if it was applied before */
	apply(session: number, sequence: number, index: number): boolean {
		const known = this.#applied.get(session);
		if (known !== undefined && sequence <= known.sequence) return false;
		const entry = known ?? { sequence, index };
		entry.sequence = sequence;
		entry.index = index;
		this.#applied.delete(session);
		this.#applied.set(session, entry);
		if (this.#applied.size > this.#sessionsMax) this.#forgetOldest();
		if (this.#accepted.get(session) === sequence) this.#accepted.delete(session);
		return true;
	}

	/** Index of the batch, if it is the session's last one; 0 if that isn't known any more. */
	indexOf(session: number, sequence: number): number {
		const known = this.#applied.get(session);
		return known?.sequence === sequence ? known.index : 0;
	}

	/**
	 * The table as it goes into a snapshot, with the last index that the state machine was given:
	 *
	 *     0  number of sessions   8  that index   16  (session, sequence, index) of each, in the order of their last use
	 *
	 * All are whole numbers of 8 bytes, the lowest byte first.
	 */
	save(given: number): Uint8Array {
		const words = new Uint32Array(2 * (HEAD_NUMBERS + ROW_NUMBERS * this.#applied.size));
		writeUint64(words, 0, this.#applied.size);
		writeUint64(words, 2, given);
		let word = 2 * HEAD_NUMBERS;
		for (const [session, { sequence, index }] of this.#applied) {
			writeUint64(words, word, session);
			writeUint64(words, word + 2, sequence);
			writeUint64(words, word + 4, index);
			word += 2 * ROW_NUMBERS;
		}
		return new Uint8Array(words.buffer);
	}

	/** Takes over the table of a snapshot, in place of what is here. */
	load(bytes: Uint8Array): void {
		const words = wordsOf(bytes);
		this.#applied.clear();
		for (let word = 2 * HEAD_NUMBERS; word < words.length; word += 2 * ROW_NUMBERS) {
			const sequence = readUint64(words, word + 2);
			this.#applied.set(readUint64(words, word), { sequence, index: readUint64(words, word + 4) });
		}
		while (this.#applied.size > this.#sessionsMax) this.#forgetOldest();
	}

	#forgetOldest(): void {
		this.#applied.delete(this.#applied.keys().next().value!);
	}
}

/** Of a saved table: the last index that the state machine had been given. */
export function givenOf(bytes: Uint8Array): number {
	return readUint64(wordsOf(bytes), 2);
}

/** The bytes as words, whatever place in memory they have. */
function wordsOf(bytes: Uint8Array): Uint32Array {
	const words = new Uint32Array(bytes.slice().buffer);
	const isWhole = words.length === 2 * (HEAD_NUMBERS + ROW_NUMBERS * readUint64(words, 0));
	assert(isWhole, 'a table of sessions is as long as it says');
	return words;
}
