import type { MessageNumbers } from '../format/message.js';
import type { HeldSnapshot } from '../log/snapshot-store.js';

/** One range of the file. */
export const BACKUP_RANGE_BYTES = 256 * 1024;

/** Whom the ranges go to. */
export interface BackupAnswers {
	answer(numbers: Partial<MessageNumbers>, context: number, body: Uint8Array): void;
	reject(context: number, error: Error): void;
}

/**
 * Gives one client the file of a snapshot, range by range, as it asks for them. The first request has a snapshot taken, unless
 * nothing was applied since the latest; its file stays readable until the connection ends or another one is asked for.
 */
export class BackupService {
	readonly #hold: () => Promise<HeldSnapshot>;
	readonly #answers: BackupAnswers;
	#held: HeldSnapshot | null = null;
	/** One request after the other. */
	#work: Promise<void> = Promise.resolve();
	#isClosed = false;

	constructor(hold: () => Promise<HeldSnapshot>, answers: BackupAnswers) {
		this.#hold = hold;
		this.#answers = answers;
	}

	/** `identity`: of the snapshot that the range is of; 0 = a new one. Resolves when it is answered. */
	request(context: number, identity: number, offset: number): Promise<void> {
		this.#work = this.#work.then(async () => {
			try {
				if (!this.#isClosed) await this.#answer(context, identity, offset);
			} catch (error) {
				this.#answers.reject(context, error as Error);
			}
		});
		return this.#work;
	}

	async #answer(context: number, identity: number, offset: number): Promise<void> {
		if (identity === 0) await this.#begin();
		const held = this.#held;
		if (held === null || (identity !== 0 && held.snapshot.identity !== identity)) {
			throw new Error('that snapshot is not being read here');
		}
		const { index, term, bytes, identity: its } = held.snapshot;
		const range = new Uint8Array(Math.max(0, Math.min(BACKUP_RANGE_BYTES, bytes - offset)));
		const there = await held.read(offset, range);
		if (there < range.length) throw new Error('the snapshot ends early');
		const numbers = { index, logTerm: term, commit: its, hintIndex: offset, hintTerm: bytes };
		this.#answers.answer(numbers, context, range);
	}

	async #begin(): Promise<void> {
		await this.#release();
		const held = await this.#hold();
		if (this.#isClosed) await held.release();
		else this.#held = held;
	}

	async #release(): Promise<void> {
		const held = this.#held;
		this.#held = null;
		await held?.release();
	}

	close(): void {
		this.#isClosed = true;
		this.#work = this.#work.then(() => this.#release()).catch(() => {});
	}
}
