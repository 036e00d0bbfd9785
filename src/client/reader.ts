import { Busy, ReadFailed, Stopped, TooLarge } from '../errors.js';
import type { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
} from '../format/message.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { Rejection } from '../transport/rejection.js';
import type { Environment } from './environment.js';
import type { LeaderFinder, LeaderUser } from './leader-finder.js';
import type { ReadTerms } from './read-terms.js';
import { timedOut } from './turned-away.js';

interface Read {
	readonly query: Uint8Array;
	readonly terms: ReadTerms;
	readonly since: number;
	resolve(answer: Uint8Array): void;
	reject(error: Error): void;
}

/** Reads under way. They change nothing, so whenever the connection is lost they are simply asked again. */
export class Reader implements LeaderUser {
	readonly #environment: Environment;
	readonly #finder: LeaderFinder;
	/** By context, in the order they came. */
	readonly #reads = new Map<number, Read>();
	/** Those of them that are not on their way, in the same order: nobody walks over the others. */
	#unsent = new Map<number, Read>();
	readonly #request: MessageNumbers;
	#nextContext = 1;
	/** Bytes of all queries. */
	#bytes = 0;
	#isTurnArmed = false;
	#isClosed = false;

	/** `place`: answered by the leader alone, or wherever the finder leads. */
	constructor(environment: Environment, finder: LeaderFinder, place: 'leader' | 'here') {
		this.#environment = environment;
		this.#finder = finder;
		this.#request = emptyMessage(MessageFrameKind.readRequest);
		this.#request.group = environment.group;
		this.#request.hintIndex = place === 'here' ? 1 : 0;
	}

	get isWaiting(): boolean {
		return this.#reads.size > 0;
	}

	read(query: Uint8Array, terms: ReadTerms): Promise<Uint8Array> {
		const { windowBytes, clock } = this.#environment;
		const { entryBytesMax, readsMax } = DEFAULT_LIMITS;
		return new Promise((resolve, reject) => {
			if (this.#isClosed) throw new Stopped('the client is closed');
			if (query.length > entryBytesMax) throw new TooLarge('a query', query.length, entryBytesMax);
			if (this.#reads.size >= readsMax || this.#bytes + query.length > windowBytes) {
				throw new Busy('reads under way', windowBytes);
			}
			const read: Read = { query, terms, since: clock.now(), resolve, reject };
			this.#reads.set(this.#nextContext, read);
			this.#unsent.set(this.#nextContext, read);
			this.#nextContext += 1;
			this.#bytes += query.length;
			this.#armTurn();
		});
	}

	#armTurn(): void {
		if (this.#isTurnArmed) return;
		this.#isTurnArmed = true;
		this.#environment.clock.endOfTurn(() => {
			this.#isTurnArmed = false;
			this.#pump();
		});
	}

	#pump(): void {
		if (this.isWaiting) this.#finder.need();
		const outbound = this.#finder.link?.outbound;
		if (outbound === undefined) return;
		for (const [context, read] of this.#unsent) {
			this.#request.context = context;
			this.#request.index = read.terms.code;
			this.#request.hintTerm = read.terms.maxLagMs;
			// Without room it is sent when something has left.
			if (!outbound.message(this.#request, 0, read.query)) break;
			this.#unsent.delete(context);
		}
		outbound.flush();
	}

	connected(): void {
		this.#pump();
	}

	written(): void {
		if (this.isWaiting) this.#pump();
	}

	lost(): void {
		this.#unsent = new Map(this.#reads);
	}

	message(message: MessageNumbers, memory: Memory, offset: number): void {
		if (message.kind !== MessageFrameKind.readReply) return;
		const read = this.#reads.get(message.context);
		// It may have waited for too long.
		if (read === undefined) return;
		if (!message.rejected) {
			this.#finder.proved();
			this.#forget(message.context, read);
			read.resolve(messageBody(memory, offset).slice());
			return;
		}
		const reason = new TextDecoder().decode(messageBody(memory, offset));
		switch (message.hintIndex) {
			case Rejection.notLeader:
			case Rejection.unknownOutcome:
			case Rejection.stopped:
			case Rejection.readFailed:
				this.#finder.redirect(message.hintTerm, reason);
				return;
			default:
				this.#forget(message.context, read);
				read.reject(new ReadFailed(reason));
		}
	}

	expire(now: number, failure: Error): void {
		const { timeoutMs } = this.#environment;
		for (const [context, read] of this.#reads) {
			if (now - read.since < timeoutMs) return;
			this.#forget(context, read);
			read.reject(timedOut(timeoutMs, failure));
		}
	}

	close(): void {
		this.#isClosed = true;
		for (const read of this.#reads.values()) read.reject(new Stopped('the client is closed'));
		this.#reads.clear();
		this.#unsent.clear();
	}

	#forget(context: number, read: Read): void {
		this.#reads.delete(context);
		this.#unsent.delete(context);
		this.#bytes -= read.query.length;
	}
}
