import { EventEmitter } from 'node:events';
import {
	BadOption,
	Busy,
	NoSpace,
	NotLeader,
	ReadFailed,
	SessionError,
	Stopped,
	UnknownOutcome,
} from '../errors.js';
import { batchSequence, batchSession } from '../format/batch.js';
import { type PackedEntries, packedFault } from '../format/batch-writer.js';
import type { Memory } from '../format/memory.js';
import { Role } from '../raft/types.js';
import { Admission } from './admission.js';
import type { ClientBackend, ClientService } from './client-service.js';
import type { BatchRun } from './log-cursor.js';
import type { LoopEvents } from './loop.js';
import type { ReplicaParts } from './open.js';
import type { Waiter } from './proposals.js';
import { statusOf } from './status.js';
import { tailOf } from './tail.js';
import type {
	Entry,
	Proposed,
	ProposedBatch,
	ProposeOptions,
	ReadOptions,
	ReplicaEvents,
	ReplicaStatus,
	TailOptions,
} from './types.js';
import { abortable, BatchWaiter, EntryWaiter } from './waiters.js';

const READ_TIMEOUT_MS = 5000;

/** One replica of a group: proposes, reads, tells what is committed. Made by `openReplica`. */
export class Replica extends EventEmitter<ReplicaEvents> implements LoopEvents, ClientBackend {
	readonly id: number;
	readonly group: number;
	readonly #parts: ReplicaParts;
	readonly #clients = new Set<ClientService>();
	/** Null unless it began on probation. */
	readonly #admission: Admission | null;
	#stopped: Stopped | null = null;
	#closing: Promise<void> | null = null;
	#roomWaiters: (() => void)[] = [];
	#commitWaiters: (() => void)[] = [];
	/** Bytes of callers' entries that wait for room. */
	#waitingBytes = 0;

	/** Use `openReplica`. */
	constructor(parts: ReplicaParts) {
		super();
		this.#parts = parts;
		this.id = parts.settings.id;
		this.group = parts.settings.group;
		this.#admission = parts.wasOnProbation ? this.#newAdmission() : null;
	}

	#newAdmission(): Admission {
		const { doors, settings, log, raft, loop } = this.#parts;
		return new Admission({
			disk: doors.disk,
			clock: doors.clock,
			directory: settings.directory,
			log,
			missing: () => raft.probation,
			logLine: (line) => this.log(line),
			admitted: () => loop.admitted(),
			fail: (error) => this.fail(error),
		});
	}

	// ---- For callers ----

	/**
	 * Replicates one entry. Resolves once it is committed and applied here. The bytes are copied before this returns.
	 *
	 * Errors: `NotLeader` (names the leader), `Busy`, `TooLarge`, `NoSpace`, `Stopped`: it was not appended.
	 * `UnknownOutcome`: it may be applied or not.
	 */
	propose(entry: Uint8Array, options?: ProposeOptions): Promise<Proposed> {
		if (options === undefined) return this.#proposeNow(entry);
		let bytes = entry;
		const keep = () => {
			bytes = entry.slice();
		};
		return this.#submit(entry.length, options, keep, (resolve, reject) => {
			this.#parts.proposals.add(bytes, new EntryWaiter(resolve, reject));
		});
	}

	/** The usual call, with no more garbage than a promise makes. */
	#proposeNow(entry: Uint8Array): Promise<Proposed> {
		return new Promise((resolve, reject) => {
			this.#requireLeader();
			this.#requireSpace();
			this.#parts.proposals.add(entry, new EntryWaiter(resolve, reject));
			this.#parts.loop.wake();
		});
	}

	/**
	 * Replicates several entries as neighbours, all or none: one batch, at most `limits.entryBytesMax` long. As
	 * `PackedEntries` they cost one copy altogether. Errors: as `propose`.
	 */
	proposeBatch(
		entries: readonly Uint8Array[] | PackedEntries,
		options?: ProposeOptions,
	): Promise<ProposedBatch> {
		if ('payload' in entries) return this.#proposePacked(entries, options);
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

	#proposePacked(packed: PackedEntries, options?: ProposeOptions): Promise<ProposedBatch> {
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

	/**
	 * Asks the state machine, linearizably: the answer reflects everything that was acknowledged anywhere before the
	 * call. Leader only. Errors: `NotLeader`, `ReadFailed` (try again), `Busy`, `Stopped`, and what `query` throws.
	 */
	read<Answer = unknown>(query: unknown, options: ReadOptions = {}): Promise<Answer> {
		const { signal, timeoutMs = READ_TIMEOUT_MS } = options;
		const answer = new Promise<Answer>((resolve, reject) => {
			signal?.throwIfAborted();
			this.#requireLeader();
			const { doors, machine, reads, loop } = this.#parts;
			const timer = doors.clock.after(timeoutMs, () =>
				reject(new ReadFailed(`the read was not confirmed within ${timeoutMs} ms`)),
			);
			const run = () => {
				timer.cancel();
				// The executor of a promise turns what `query` throws into a rejection.
				resolve(new Promise<Answer>((done) => done(machine.query?.(query) as Answer)));
			};
			const failed = (error: Error) => {
				timer.cancel();
				reject(error);
			};
			try {
				reads.add(run, failed);
			} catch (error) {
				return failed(error as Error);
			}
			loop.wake();
		});
		if (signal === undefined) return answer;
		return abortable(answer, signal, () => new ReadFailed('the caller gave up waiting'));
	}

	/** The committed log as an iterator, from disk or live, on any replica. Entries are copies. Errors: `Compacted`. */
	tail(options: TailOptions = {}): AsyncGenerator<Entry, void, void> {
		return tailOf(this, options);
	}

	/** A snapshot of everything there is to know. */
	status(): ReplicaStatus {
		return statusOf(this.#parts, this.#stopped);
	}

	/** Stops serving, makes durable what is pending, and lets go of everything. Proposals whose outcome isn't known yet
	 * are rejected. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#close(new Stopped('it was closed'));
		return this.#closing;
	}

	// ---- Proposals ----

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
			if (attempt()) return;
			this.#retryWithRoom(bytes, attempt, reject);
			keep();
		});
		if (signal === undefined) return promise;
		return abortable(promise, signal, () => new UnknownOutcome('the caller gave up waiting'));
	}

	/** @returns false if it shall wait for room */
	#attempt(options: ProposeOptions | undefined, add: () => void): boolean {
		options?.signal?.throwIfAborted();
		this.#requireLeader();
		this.#requireSpace();
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
		if (this.#waitingBytes + bytes > waitingBytesMax) {
			throw new Busy('what waits for room', waitingBytesMax);
		}
		this.#waitingBytes += bytes;
		this.whenRoom(() => {
			this.#waitingBytes -= bytes;
			retry();
		});
	}

	#requireLeader(): void {
		if (this.#stopped !== null) throw this.#stopped;
		if (!this.#parts.loop.isLeader) throw new NotLeader(this.#parts.raft.leader);
	}

	#requireSpace(): void {
		if (this.#parts.log.noSpace) throw new NoSpace(this.#parts.settings.directory);
	}

	// ---- For remote clients ----

	proposeFrame(memory: Memory, offset: number, length: number, waiter: Waiter): 'taken' | 'later' {
		this.#requireLeader();
		const { proposals, sessions, loop, applier } = this.#parts;
		const session = batchSession(memory, offset);
		const sequence = batchSequence(memory, offset);
		// What is in the log already needs no space.
		const isKnown = session !== 0 && loop.isReadyLeader;
		// It is being applied now: nobody is told before that is done.
		if (isKnown && sessions.indexOf(session, sequence) > applier.applied) return 'later';
		if (isKnown && this.#isRepeated(session, sequence, waiter)) return 'taken';
		this.#requireSpace();
		if (session !== 0 && !isKnown) return 'later';
		proposals.addFrame(memory, offset, length, waiter);
		if (session !== 0) sessions.accept(session, sequence);
		loop.wake();
		return 'taken';
	}

	/** A batch of a session enters the log once; whoever sends it again waits for that one. */
	#isRepeated(session: number, sequence: number, waiter: Waiter): boolean {
		const { proposals, sessions } = this.#parts;
		switch (sessions.judge(session, sequence)) {
			case 'next':
				return false;
			case 'applied':
				waiter.applied(sessions.indexOf(session, sequence), 0, undefined, 0);
				return true;
			case 'in-flight':
				return proposals.join(session, sequence, waiter);
			default:
				throw new SessionError(
					`batch ${sequence} of session ${session} does not follow the one before, or the session is forgotten`,
				);
		}
	}

	get limits() {
		return this.#parts.settings.limits;
	}

	get committed(): number {
		return this.#parts.raft.committed;
	}

	get firstIndex(): number {
		return this.#parts.log.base.index + 1;
	}

	/** Calls back once, when there may be room for proposals, or none will be wanted here any more. */
	whenRoom(callback: () => void): void {
		this.#roomWaiters.push(callback);
		// Nothing of ours is on its way, so nothing will be applied: memory is with others.
		if (this.#parts.proposals.bytes === 0) {
			const { pool, doors } = this.#parts;
			// Not from within the release that makes room: that may be in the middle of anything.
			pool.whenAvailable(() => doors.clock.endOfTurn(() => this.#callRoomWaiters()));
		}
	}

	/** Calls back once, when the commit index has grown or never will. */
	whenCommitted(callback: () => void): void {
		if (this.#stopped !== null) callback();
		else this.#commitWaiters.push(callback);
	}

	/** Why the replica has stopped; null while it runs. */
	get stopped(): Stopped | null {
		return this.#stopped;
	}

	/** Committed batches from the one that holds `index` on. */
	committedRun(index: number, bytesMax: number): Promise<BatchRun> {
		if (this.#stopped !== null) return Promise.reject(this.#stopped);
		const { cursor, raft } = this.#parts;
		return cursor.next(index, raft.committed, raft.persisted, bytesMax);
	}

	wakeClient(client: ClientService): void {
		if (this.#clients.size === 0) {
			this.#parts.doors.clock.endOfTurn(() => {
				for (const waiting of this.#clients) waiting.flush();
				this.#clients.clear();
			});
		}
		this.#clients.add(client);
	}

	// ---- What the loop tells ----

	roleChanged(): void {
		const { role, term, leader } = this.status();
		this.log(`${role} in term ${term}, leader ${leader === 0 ? 'unknown' : leader}`);
		this.emit('role', { role, term, leader });
	}

	leadershipLost(): void {
		const { proposals, reads, sessions, raft } = this.#parts;
		sessions.forgetAccepted();
		const error = new NotLeader(raft.role === Role.leader ? 0 : raft.leader);
		proposals.fail(error, 'leadership was lost');
		reads.failUnconfirmed(new ReadFailed('leadership was lost'));
		this.#callRoomWaiters();
	}

	commitAdvanced(): void {
		if (this.#commitWaiters.length === 0) return;
		const waiters = this.#commitWaiters;
		this.#commitWaiters = [];
		for (const callback of waiters) callback();
	}

	/** A batch was applied: what it held is free. */
	roomMayBe(): void {
		this.#callRoomWaiters();
	}

	#callRoomWaiters(): void {
		if (this.#roomWaiters.length === 0) return;
		const waiters = this.#roomWaiters;
		this.#roomWaiters = [];
		for (const callback of waiters) callback();
	}

	peerBehind(peer: number): void {
		this.log(`replica ${peer} needs entries that are not kept any more`);
		this.emit('peer-behind', peer);
	}

	probationOver(): void {
		this.#admission?.end();
	}

	log(line: string): void {
		this.#parts.logLine(line);
	}

	/** The replica stops for good: it acknowledges nothing more and leads no more. */
	fail(error: Error): void {
		if (this.#stopped !== null) return;
		this.log(`stopped for good: ${error.message}`);
		this.#stopServing(new Stopped(error.message, error));
		this.emit('stopped', error);
	}

	// ---- The end ----

	#stopServing(why: Stopped): void {
		this.#stopped = why;
		const { loop, applier, proposals, reads, peers, streams, silence } = this.#parts;
		loop.stop();
		applier.stop();
		silence?.close();
		for (const stream of streams) stream.close();
		for (const peer of peers) peer.close();
		proposals.fail(why, 'the replica stopped');
		reads.failAll('the replica stopped');
		this.#callRoomWaiters();
		this.commitAdvanced();
	}

	async #close(why: Stopped): Promise<void> {
		if (this.#stopped === null) this.#stopServing(why);
		const { listener, log, machine, lock, proposals, applier, window } = this.#parts;
		try {
			await listener?.close();
			await this.#admission?.close();
			await log.close();
			proposals.close();
			window.truncate(0);
			await applier.settled();
			await machine.close?.();
		} finally {
			await lock.release();
		}
	}
}
