import { BadOption, Compacted, Forbidden, ProtocolError, Stopped, Unavailable } from '../errors.js';
import { BatchKind, batchIndex, batchKind, batchLastIndex } from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
} from '../format/message.js';
import type { Timer } from '../io.js';
import type { Entry } from '../replica/types.js';
import { askAll, confirmedEnd, readStatus } from './ask-status.js';
import { backoffMs, type Environment, nextReplica } from './environment.js';
import { Link } from './link.js';
import { TailBatch } from './tail-batch.js';
import { TurnedAway } from './turned-away.js';
import type { ClientTailOptions } from './types.js';

/** What has come and isn't consumed yet; beyond that the replica is no longer read from. */
const QUEUE_BYTES_MAX = 1024 * 1024;
const TICK_MS = 500;
/** A replica that is silent for so long is asked whether it is alive and has a leader. */
const QUIET_MS = 1_000;
const SILENCE_MS = 3_000;

/** The committed entries. `closing`: the client is closed. */
export async function* tailEntries(
	environment: Environment,
	options: ClientTailOptions,
	closing: AbortSignal,
): AsyncGenerator<Entry, void, undefined> {
	const { from, signal } = options;
	if (from !== undefined && (!Number.isSafeInteger(from) || from < 1)) {
		throw new BadOption(`from is a whole number from 1 on, not ${from}`);
	}
	if (closing.aborted) throw new Stopped('the client is closed');
	if (signal?.aborted) return;
	const tail = new Tail(environment, from ?? null, options.follow ?? true);
	const end = (): void => tail.close();
	const stop = (): void => tail.fail(new Stopped('the client is closed'));
	signal?.addEventListener('abort', end);
	closing.addEventListener('abort', stop);
	try {
		let next = 1;
		for (let batch = await tail.take(); batch !== null; batch = await tail.take()) {
			for (const entry of batch.entriesFrom(Math.max(next, from ?? 1))) {
				if (signal?.aborted) return;
				yield entry;
			}
			next = batch.index + batch.count;
		}
	} finally {
		tail.close();
		signal?.removeEventListener('abort', end);
		closing.removeEventListener('abort', stop);
	}
}

/**
 * Follows the committed log on one replica after the other, and knows what it has had.
 *
 * The wire always follows. A tail that shall end asks the replicas for an index behind everything acknowledged, and
 * ends there: what one replica knows to be committed may be less.
 */
class Tail {
	readonly #environment: Environment;
	readonly #follow: boolean;
	/** Without an index to begin at, the first that is kept will do. */
	#isAnyStart: boolean;
	/** The next index that is wanted from the wire. */
	#next: number;
	/** Last index of a tail that ends, once it is known. */
	#end: number | null = null;
	#isEndAsked = false;
	#endTimer: Timer | null = null;
	/** This connection has brought everything that its replica knows to be committed. */
	#isCaughtUp = false;
	#queue: TailBatch[] = [];
	#queuedBytes = 0;
	#isHeldBack = false;
	#waiter: { resolve(batch: TailBatch | null): void; reject(error: Error): void } | null = null;
	#error: Error | null = null;
	#isClosed = false;
	#link: Link | null = null;
	#isReady = false;
	#replica: number;
	#failures = 0;
	#pause: Timer | null = null;
	#tick: Timer | null = null;
	#progressAt: number;
	#lastFailure: Error = new Unavailable('no replica has answered');
	readonly #turnedAway = new TurnedAway();

	constructor(environment: Environment, from: number | null, follow: boolean) {
		this.#environment = environment;
		this.#follow = follow;
		this.#isAnyStart = from === null;
		this.#next = from ?? 1;
		const ids = [...environment.addresses.keys()];
		this.#replica = ids[Math.floor(environment.random.next() * ids.length)]!;
		this.#progressAt = environment.clock.now();
		this.#dial();
		this.#armTick();
		if (!follow) this.#askEnd();
	}

	/** The next batch, `null` at the end. One call at a time. */
	take(): Promise<TailBatch | null> {
		return new Promise((resolve, reject) => {
			this.#waiter = { resolve, reject };
			this.#serve();
		});
	}

	/** Ends the iteration in order. */
	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#queue = [];
		this.#pause?.cancel();
		this.#tick?.cancel();
		this.#endTimer?.cancel();
		this.#link?.close();
		this.#serve();
	}

	/** Ends the iteration with an error, behind what has come already. */
	fail(error: Error): void {
		if (this.#isClosed || this.#error !== null) return;
		this.#error = error;
		this.#link?.close();
		this.#serve();
	}

	/** Gives who waits what there is. */
	#serve(): void {
		const waiter = this.#waiter;
		if (waiter === null) return;
		const batch = this.#queue.shift();
		if (batch === undefined && !this.#isClosed && this.#error === null && !this.#isAtEnd) return;
		this.#waiter = null;
		if (batch !== undefined) {
			this.#queuedBytes -= batch.bytes;
			waiter.resolve(batch);
			if (this.#isHeldBack && this.#queuedBytes < QUEUE_BYTES_MAX / 2) this.#readOn();
		} else if (this.#error !== null && !this.#isClosed) {
			waiter.reject(this.#error);
		} else {
			waiter.resolve(null);
		}
	}

	get #isAtEnd(): boolean {
		return this.#end !== null && this.#next > this.#end;
	}

	#readOn(): void {
		this.#isHeldBack = false;
		this.#progressAt = this.#environment.clock.now();
		this.#link?.resume();
	}

	#dial(): void {
		this.#pause = null;
		this.#isHeldBack = false;
		this.#isCaughtUp = false;
		this.#isReady = false;
		this.#link = new Link(this.#environment, this.#replica, {
			ready: (link) => this.#ready(link),
			message: (message, memory, offset) => this.#message(message, memory, offset),
			batch: (memory, offset) => this.#batch(memory, offset),
			written: () => {},
			lost: (reason) => this.#lost(reason),
		});
	}

	#ready(link: Link): void {
		this.#isReady = true;
		this.#turnedAway.welcomed();
		if (this.#follow) this.#progressAt = this.#environment.clock.now();
		const request = emptyMessage(MessageFrameKind.tailRequest);
		request.group = this.#environment.group;
		request.index = this.#next;
		request.hintIndex = 1;
		link.outbound.message(request);
		link.outbound.flush();
	}

	#batch(memory: Memory, offset: number): boolean {
		const first = batchIndex(memory, offset);
		const last = batchLastIndex(memory, offset);
		if (last < this.#next) return true;
		if (first > this.#next) {
			this.#lost(new ProtocolError(`replica ${this.#replica} left out index ${this.#next}`));
			return true;
		}
		if (this.#queuedBytes >= QUEUE_BYTES_MAX) {
			this.#isHeldBack = true;
			this.#link!.pause();
			return false;
		}
		this.#progressed();
		this.#isAnyStart = false;
		this.#next = last + 1;
		if (batchKind(memory, offset) === BatchKind.entries) {
			const batch = new TailBatch(memory, offset);
			this.#queue.push(batch);
			this.#queuedBytes += batch.bytes;
		}
		if (this.#isAtEnd) this.#link!.close();
		this.#serve();
		return true;
	}

	#message(message: MessageNumbers, memory: Memory, offset: number): void {
		if (message.kind === MessageFrameKind.statusReply) {
			const status = readStatus(memory, offset);
			if (status !== null) this.#environment.learn(status);
			this.#alive(status?.leader ?? 0);
		} else if (message.kind === MessageFrameKind.tailMark) {
			if (message.rejected) {
				const reason = new TextDecoder().decode(messageBody(memory, offset));
				this.#refused(message.hintIndex, reason);
			} else {
				this.#isCaughtUp = true;
				if (!this.#follow) this.#askEnd();
			}
		}
	}

	#refused(first: number, reason: string): void {
		if (first <= this.#next) {
			this.#lost(new Unavailable(`replica ${this.#replica}: ${reason}`));
		} else if (this.#isAnyStart) {
			this.#next = first;
			this.#link!.close();
			this.#dial();
		} else {
			this.fail(new Compacted(this.#next, first));
		}
	}

	#progressed(): void {
		this.#failures = 0;
		this.#progressAt = this.#environment.clock.now();
	}

	/** A quiet replica has answered. One without a leader may be cut off: another one may know more. */
	#alive(leader: number): void {
		if (leader === 0) {
			this.#lost(new Unavailable(`replica ${this.#replica} knows no leader`));
		} else if (this.#follow) {
			this.#progressed();
		}
	}

	#lost(reason: Error): void {
		this.#link?.close();
		this.#link = null;
		this.#isReady = false;
		this.#lastFailure = reason;
		if (this.#isClosed || this.#error !== null || this.#isAtEnd || this.#pause !== null) return;
		const { addresses, random, clock } = this.#environment;
		this.#turnedAway.heard(this.#replica, reason);
		const refusal = this.#turnedAway.verdict(addresses.keys());
		if (refusal !== null) return this.fail(refusal);
		this.#replica = nextReplica(addresses, this.#replica);
		const rounds = Math.floor(this.#failures / addresses.size);
		this.#failures += 1;
		this.#pause = clock.after(backoffMs(random, rounds), () => this.#dial());
	}

	/** Asks the replicas, until they can tell, where a tail that ends has everything. */
	#askEnd(): void {
		if (this.#isEndAsked || this.#isClosed || this.#error !== null) return;
		this.#isEndAsked = true;
		this.#endTimer?.cancel();
		askAll(this.#environment)
			.then((reports) => {
				const end = confirmedEnd(reports);
				// A later leader may have dropped what was never acknowledged: then its log ends earlier.
				if (end !== null) this.#end = Math.min(this.#end ?? end, end);
				this.#isEndAsked = false;
				this.#serve();
				if (this.#isAtEnd || this.#isClosed || (end !== null && !this.#isCaughtUp)) return;
				const { clock, random } = this.#environment;
				this.#endTimer = clock.after(backoffMs(random, 3), () => this.#askEnd());
			})
			.catch((error: Error) => this.fail(error));
	}

	#armTick(): void {
		const { clock } = this.#environment;
		this.#tick = clock.after(TICK_MS, () => clock.afterPendingIo(() => this.#judge()));
	}

	#judge(): void {
		if (this.#isClosed || this.#error !== null || this.#isAtEnd) return;
		this.#armTick();
		const { timeoutMs, clock } = this.#environment;
		const now = clock.now();
		if (this.#isHeldBack || this.#queue.length > 0) {
			// While the consumer holds things up nobody else can be blamed.
			this.#progressAt = now;
			return;
		}
		if (now - this.#progressAt >= timeoutMs) {
			const failure = this.#turnedAway.inTheEnd(this.#lastFailure);
			const why = this.#follow ? 'no replica serves the tail' : 'its end is not confirmed';
			const late = new Unavailable(`${why}, for ${timeoutMs} ms (${failure.message})`);
			return this.fail(failure instanceof Forbidden ? failure : late);
		}
		if (this.#link === null || !this.#isReady) return;
		if (this.#isCaughtUp && this.#end !== null && now - this.#progressAt >= QUIET_MS) {
			this.#lost(new Unavailable(`replica ${this.#replica} is behind`));
			return;
		}
		const quietMs = now - Math.max(this.#link.heardAt, this.#progressAt);
		if (quietMs >= SILENCE_MS) {
			this.#lost(new Unavailable(`replica ${this.#replica} is silent`));
		} else if (quietMs >= QUIET_MS) {
			const request = emptyMessage(MessageFrameKind.statusRequest);
			request.group = this.#environment.group;
			this.#link.outbound.message(request);
			this.#link.outbound.flush();
		}
	}
}
