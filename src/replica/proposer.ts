import {
	BadOption,
	Busy,
	NoSpace,
	NotLeader,
	SessionError,
	SessionExpired,
	type Stopped,
	Unavailable,
	UnknownOutcome,
} from '../errors.js';
import {
	BATCH_PAYLOAD_OFFSET,
	BatchKind,
	batchIsRegistered,
	batchKind,
	batchSequence,
	batchSession,
} from '../format/batch.js';
import { type PackedEntries, packedFault } from '../format/batch-writer.js';
import type { Memory } from '../format/memory.js';
import {
	REGISTRATION_BYTES,
	readRegistration,
	registrationEntry,
	SESSION_MS_MAX,
} from '../format/registration.js';
import type { ReplicaParts } from './open.js';
import type { Waiter } from './proposals.js';
import { RoomQueue } from './room-queue.js';
import { sessionsFault } from './session-gate.js';
import type { Proposed, ProposedBatch, ProposeOptions } from './types.js';
import { abortable, BatchWaiter, EntryWaiter } from './waiters.js';

const WAITS: ProposeOptions = { whenBusy: 'wait' };

/** The callers' side of proposing: who may, who waits for room, and who has asked before. */
export class Proposer {
	readonly #parts: ReplicaParts;
	readonly #stopped: () => Stopped | null;
	/** This replica doesn't lead, but what is left here will be told soon who does. */
	readonly #mayWait: () => boolean;
	readonly #room = new RoomQueue();
	/** Bytes of callers' entries that wait for room. */
	#waitingBytes = 0;
	/** What many are told at once is one error: with its stack it takes longer to make than all else that is done for them. */
	#notLeader = new NotLeader(0);
	readonly #tooManyWait: Busy;

	constructor(parts: ReplicaParts, stopped: () => Stopped | null, mayWait: () => boolean) {
		this.#parts = parts;
		this.#stopped = stopped;
		this.#mayWait = mayWait;
		this.#tooManyWait = new Busy('what waits for room', parts.settings.limits.waitingBytesMax);
	}

	/** See `Replica.propose`. */
	one(entry: Uint8Array, options?: ProposeOptions): Promise<Proposed> {
		if (options?.signal === undefined) return this.#oneNow(entry, options?.whenBusy === 'wait');
		let bytes = entry;
		const keep = () => {
			bytes = entry.slice();
		};
		return this.#submit(entry.length, options, keep, (resolve, reject) => {
			this.#parts.proposals.add(bytes, new EntryWaiter(resolve, reject));
		});
	}

	/** See `Replica.proposeBatch`. */
	batch(
		entries: readonly Uint8Array[] | PackedEntries,
		options?: ProposeOptions,
	): Promise<ProposedBatch> {
		if ('payload' in entries) return this.#packed(entries, options);
		if (entries.length === 0) return Promise.reject(new BadOption('a batch has entries'));
		let bytes = 0;
		for (const entry of entries) bytes += entry.length;
		let own = entries;
		const keep = () => {
			own = entries.map((entry) => entry.slice());
		};
		return this.#submit(bytes, options, keep, (resolve, reject) => {
			const waiter = new BatchWaiter(own.length, resolve, reject);
			this.#parts.proposals.addBatch(own, bytes, waiter);
		});
	}

	/** The usual call: with little garbage. */
	#oneNow(entry: Uint8Array, mayWait: boolean): Promise<Proposed> {
		try {
			this.#requireProposer();
			this.#requireSpace();
			// Who waits already comes first.
			if (mayWait && !this.#room.isEmpty) return this.#oneLater(entry);
			const proposed = this.#parts.proposals.join(entry);
			this.#parts.loop.wake();
			return proposed;
		} catch (error) {
			return mayWait && error instanceof Busy ? this.#oneLater(entry) : Promise.reject(error);
		}
	}

	/** Waits for room. What comes next is not the caller's any more: he may change his entry. */
	#oneLater(entry: Uint8Array): Promise<Proposed> {
		const own = entry.slice();
		return new Promise((resolve, reject) => {
			const waiter = new EntryWaiter(resolve, reject);
			const attempt = () => this.#attempt(WAITS, () => this.#parts.proposals.add(own, waiter));
			this.#retryWithRoom(own.length, attempt, reject);
		});
	}

	#packed(packed: PackedEntries, options?: ProposeOptions): Promise<ProposedBatch> {
		const fault = packedFault(packed);
		if (fault !== null) return Promise.reject(new BadOption(fault));
		let own = packed;
		const keep = () => {
			own = { payload: packed.payload.slice(), ends: packed.ends.slice() };
		};
		return this.#submit(packed.payload.length, options, keep, (resolve, reject) => {
			const waiter = new BatchWaiter(own.ends.length, resolve, reject);
			this.#parts.proposals.addPacked(own, waiter);
		});
	}

	/** `keep` copies what the caller may change once this has returned; then `add` is called again later. */
	#submit<T>(
		bytes: number,
		options: ProposeOptions | undefined,
		keep: () => void,
		add: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
	): Promise<T> {
		const signal = options?.signal;
		const promise = new Promise<T>((resolve, reject) => {
			const attempt = () => this.#attempt(options, () => add(resolve, reject));
			if (!this.#isBehindOthers(options) && attempt()) return;
			this.#retryWithRoom(bytes, attempt, reject);
			keep();
		});
		if (signal === undefined) return promise;
		return abortable(promise, signal, () => new UnknownOutcome('the caller gave up waiting'));
	}

	/** Who waits already comes first. What can't be proposed at all doesn't wait for its turn to hear of it. */
	#isBehindOthers(options: ProposeOptions | undefined): boolean {
		if (options?.whenBusy !== 'wait' || this.#room.isEmpty) return false;
		this.#requireNow(options);
		return true;
	}

	#requireNow(options: ProposeOptions | undefined): void {
		options?.signal?.throwIfAborted();
		this.#requireProposer();
		this.#requireSpace();
	}

	/** @returns false if it shall wait for room */
	#attempt(options: ProposeOptions | undefined, add: () => void): boolean {
		this.#requireNow(options);
		try {
			add();
		} catch (error) {
			if (!(error instanceof Busy) || options?.whenBusy !== 'wait') throw error;
			return false;
		}
		this.#parts.loop.wake();
		return true;
	}

	/** However often there is too little room, it waits as one call. */
	#retryWithRoom(bytes: number, attempt: () => boolean, reject: (error: Error) => void): void {
		this.#waitForRoom(bytes, () => {
			try {
				if (!attempt()) this.#retryWithRoom(bytes, attempt, reject);
			} catch (error) {
				reject(error as Error);
			}
		});
	}

	#waitForRoom(bytes: number, retry: () => void): void {
		const { waitingBytesMax } = this.#parts.settings.limits;
		if (this.#waitingBytes + bytes > waitingBytesMax) throw this.#tooManyWait;
		this.#waitingBytes += bytes;
		this.whenRoom(() => {
			this.#waitingBytes -= bytes;
			retry();
		});
	}

	#requireProposer(): void {
		if (this.#stopped() !== null || !this.#mayWait()) this.requireLeader();
	}

	requireLeader(): void {
		const stopped = this.#stopped();
		if (stopped !== null) throw stopped;
		if (this.#parts.loop.isLeader) return;
		const { leader } = this.#parts.raft;
		if (this.#notLeader.leader !== leader) this.#notLeader = new NotLeader(leader);
		throw this.#notLeader;
	}

	#requireSpace(): void {
		if (this.#parts.log.noSpace) throw new NoSpace(this.#parts.settings.directory);
	}

	/** Takes a batch frame of a remote producer. Errors: as `one`; `SessionError`, `SessionExpired`, `Unavailable`.
	 * @returns 'later' if it must be asked again when more is applied */
	frame(memory: Memory, offset: number, length: number, waiter: Waiter): 'taken' | 'later' {
		this.#requireProposer();
		if (batchKind(memory, offset) === BatchKind.session) {
			return this.#register(memory, offset, waiter);
		}
		const { proposals, sessions, loop, applier } = this.#parts;
		const session = batchSession(memory, offset);
		const sequence = batchSequence(memory, offset);
		// What is in the log already needs no space.
		const isKnown = session !== 0 && loop.isReadyLeader;
		// It is being applied now: nobody is told before that is done.
		if (isKnown && sessions.indexOf(session, sequence) > applier.applied) return 'later';
		const isRegistered = batchIsRegistered(memory, offset);
		if (isKnown && this.#isRepeated(session, sequence, isRegistered, waiter)) return 'taken';
		this.#requireSpace();
		if (session !== 0 && !isKnown) return 'later';
		proposals.addFrame(memory, offset, length, waiter);
		if (session !== 0) sessions.accept(session, sequence);
		loop.wake();
		return 'taken';
	}

	#tellAgain(session: number, sequence: number, waiter: Waiter): void {
		const { sessions } = this.#parts;
		const index = sessions.indexOf(session, sequence);
		if (waiter.repeated === undefined) waiter.applied(index, 0, undefined, 0);
		else waiter.repeated(index, sessions.resultsOf(session, sequence));
	}

	/** A session begins: its entry says what this leader allows. */
	#register(memory: Memory, offset: number, waiter: Waiter): 'taken' | 'later' {
		this.#requireSpace();
		const { loop, proposals, settings, sessions, roster } = this.#parts;
		if (!loop.isReadyLeader) return 'later';
		const fault = sessionsFault(settings.versions, sessions, roster.peers);
		if (fault !== null) throw new Unavailable(fault);
		const entry = memory.slice(offset + BATCH_PAYLOAD_OFFSET, REGISTRATION_BYTES);
		const durationMs = Math.min(readRegistration(entry).durationMs, SESSION_MS_MAX);
		const { sessionsMax } = settings.limits;
		const granted = registrationEntry({ durationMs, sessionsMax });
		proposals.addAlone(granted, BatchKind.session, waiter);
		loop.wake();
		return 'taken';
	}

	/** A batch of a session enters the log once; whoever sends it again waits for that one. */
	#isRepeated(session: number, sequence: number, isRegistered: boolean, waiter: Waiter): boolean {
		const { proposals, sessions, applier, doors } = this.#parts;
		switch (sessions.judge(session, sequence, isRegistered, doors.clock.wall())) {
			case 'next':
				return false;
			case 'applied':
				this.#tellAgain(session, sequence, waiter);
				return true;
			case 'in-flight':
				return proposals.joinSession(session, sequence, waiter);
			case 'unknown':
				// It was registered by a later leader: this one only doesn't know yet that it leads no more.
				if (session > applier.applied) throw new NotLeader(0);
				throw new SessionExpired(`session ${session} has ended`);
			default:
				throw new SessionError(
					`batch ${sequence} of session ${session} does not follow the one before, or the session is forgotten`,
				);
		}
	}

	/** Calls back once, when there may be room for proposals, or none will be wanted here any more. Who finds none then, and
	 * waits again from within the callback, keeps its place. */
	whenRoom(callback: () => void): void {
		this.#room.wait(callback);
		// Nothing of ours is on its way, so nothing will be applied: memory is with others.
		if (this.#parts.proposals.bytes === 0) {
			const { pool, doors } = this.#parts;
			// Not from within the release that makes room: that may be in the middle of anything.
			pool.whenAvailable(() => doors.clock.endOfTurn(() => this.roomMayBe()));
		}
	}

	/** Something was applied, or will never be: those who wait for room try again. */
	roomMayBe(): void {
		this.#room.offer();
	}
}
