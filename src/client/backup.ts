import { MillraceError, ProtocolError, Unavailable } from '../errors.js';
import type { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
} from '../format/message.js';
import type { Address, Timer } from '../io.js';
import type { Environment } from './environment.js';
import { Link } from './link.js';
import { TurnedAway } from './turned-away.js';
import type { PeerReport } from './types.js';

/** What a replica gives at once. */
const RANGE_BYTES = 256 * 1024;
/** Asked for, and not yet there. */
const WINDOW = 8;
/** A snapshot is taken before the first range comes. */
const FIRST_TIMEOUT_MS = 10 * 60 * 1000;

export interface BackupRange {
	readonly offset: number;
	readonly bytes: Uint8Array;
	/** Length of the whole. */
	readonly total: number;
}

export interface FetchedBackup {
	readonly replica: number;
	/** The last entry that is in it. */
	readonly index: number;
	readonly bytes: number;
}

/** Takes the ranges, in order; each call is awaited before the next. What it throws ends the backup. */
export type TakeRange = (range: BackupRange) => void | Promise<void>;

/** Has one replica take a snapshot, and fetches its file. Errors: `Unavailable`, `ProtocolError`, the replica's own words, what
 * `take` throws, the signal's reason. */
function fetchBackup(
	environment: Environment,
	replica: number,
	take: TakeRange,
	signal: AbortSignal | undefined,
): Promise<FetchedBackup> {
	let giveUp = () => {};
	const fetched = new Promise<FetchedBackup>((resolve, reject) => {
		signal?.throwIfAborted();
		const fetch = new Fetch(environment, replica, take, resolve, reject);
		giveUp = () => fetch.fail(signal!.reason as Error);
		signal?.addEventListener('abort', giveUp);
	});
	return fetched.finally(() => signal?.removeEventListener('abort', giveUp));
}

/** Followers first, those that have most before the others. Once bytes have come, no other is tried. */
export async function backupFromAny(
	environment: Environment,
	reports: readonly PeerReport[],
	take: TakeRange,
	signal: AbortSignal,
): Promise<FetchedBackup> {
	const rank = ({ status }: PeerReport) =>
		status === null || status.stopped !== null ? 2 : status.role === 'leader' ? 1 : 0;
	const applied = ({ status }: PeerReport) => status?.applied ?? 0;
	const candidates = [...reports].sort((a, b) => rank(a) - rank(b) || applied(b) - applied(a));
	let hasBegun = false;
	let failure = whyNobody(reports);
	for (const report of candidates.filter((candidate) => rank(candidate) < 2)) {
		try {
			const begin: TakeRange = (range) => {
				hasBegun = true;
				return take(range);
			};
			return await fetchBackup(environment, report.id, begin, signal);
		} catch (error) {
			if (hasBegun || signal.aborted) throw error;
			failure = error as Error;
		}
	}
	throw failure;
}

/** Where no replica has said how it is. */
function whyNobody(reports: readonly PeerReport[]): Error {
	const turnedAway = new TurnedAway();
	for (const { id, error } of reports) {
		if (error === null) turnedAway.welcomed();
		else turnedAway.heard(id, error);
	}
	return turnedAway.inTheEnd(new Unavailable('there is no replica to ask'));
}

/** From the replica at this address, whichever it is. */
export function backupFrom(
	environment: Environment,
	address: Address,
	take: TakeRange,
	signal?: AbortSignal,
): Promise<FetchedBackup> {
	return fetchBackup({ ...environment, addressOf: () => address }, 0, take, signal);
}

class Fetch {
	readonly #environment: Environment;
	readonly #replica: number;
	readonly #take: TakeRange;
	readonly #resolve: (fetched: FetchedBackup) => void;
	readonly #reject: (error: Error) => void;
	readonly #link: Link;
	#timer: Timer | null = null;
	/** Of the snapshot; 0 = not known yet. */
	#identity = 0;
	#index = 0;
	#total = 0;
	#asked = 0;
	#received = 0;
	#taken = 0;
	#taking: Promise<void> = Promise.resolve();
	#isOver = false;

	constructor(
		environment: Environment,
		replica: number,
		take: TakeRange,
		resolve: (fetched: FetchedBackup) => void,
		reject: (error: Error) => void,
	) {
		this.#environment = environment;
		this.#replica = replica;
		this.#take = take;
		this.#resolve = resolve;
		this.#reject = reject;
		this.#link = new Link(environment, replica, {
			ready: () => this.#ask(0),
			message: (message, memory, offset) => this.#onMessage(message, memory, offset),
			batch: () => true,
			written: () => {},
			lost: (reason) => this.fail(reason),
		});
	}

	#ask(offset: number): void {
		const request = emptyMessage(MessageFrameKind.backupRequest);
		request.group = this.#environment.group;
		request.index = offset;
		request.hintIndex = this.#identity;
		this.#asked = offset + RANGE_BYTES;
		this.#link.outbound.message(request);
		this.#link.outbound.flush();
		this.#expect(this.#identity === 0 ? FIRST_TIMEOUT_MS : this.#environment.timeoutMs);
	}

	#expect(milliseconds: number): void {
		this.#timer?.cancel();
		this.#timer = this.#environment.clock.after(milliseconds, () => {
			this.fail(new Unavailable(`replica ${this.#replica} did not answer in time`));
		});
	}

	#onMessage(message: MessageNumbers, memory: Memory, at: number): void {
		if (message.kind !== MessageFrameKind.backupChunk || this.#isOver) return;
		const body = messageBody(memory, at);
		if (message.rejected) {
			const words = new TextDecoder().decode(body);
			return this.fail(new MillraceError('BACKUP_REFUSED', words));
		}
		if (this.#identity === 0) {
			this.#identity = message.commit;
			this.#index = message.index;
			this.#total = message.hintTerm;
		}
		const expected = Math.min(RANGE_BYTES, this.#total - this.#received);
		const isNext =
			message.commit === this.#identity &&
			message.hintIndex === this.#received &&
			message.hintTerm === this.#total &&
			body.length === expected &&
			expected > 0;
		if (!isNext) return this.fail(new ProtocolError('a range of the backup is out of place'));
		this.#received += expected;
		this.#expect(this.#environment.timeoutMs);
		this.#hand({ offset: message.hintIndex, bytes: body.slice(), total: this.#total });
		this.#more();
	}

	/** Asks for as much as may be on its way or wait to be taken. */
	#more(): void {
		if (this.#isOver) return;
		while (this.#asked < this.#total && this.#asked < this.#taken + WINDOW * RANGE_BYTES) {
			this.#ask(this.#asked);
		}
		if (this.#received >= this.#asked || this.#received === this.#total) this.#timer?.cancel();
	}

	#hand(range: BackupRange): void {
		this.#taking = this.#taking
			.then(async () => {
				if (this.#isOver) return;
				await this.#take(range);
				this.#taken += range.bytes.length;
				if (this.#taken === this.#total) this.#succeed();
				else this.#more();
			})
			.catch((error: Error) => this.fail(error));
	}

	#succeed(): void {
		if (!this.#end()) return;
		this.#resolve({ replica: this.#link.replica, index: this.#index, bytes: this.#total });
	}

	/** Ends it; nothing happens if it is over. */
	fail(error: Error): void {
		if (this.#end()) this.#reject(error);
	}

	/** @returns whether it wasn't over before */
	#end(): boolean {
		if (this.#isOver) return false;
		this.#isOver = true;
		this.#timer?.cancel();
		this.#link.close();
		return true;
	}
}
