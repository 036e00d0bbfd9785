import {
	Busy,
	Forbidden,
	MillraceError,
	NoSpace,
	NotLeader,
	ReadFailed,
	SessionError,
	SessionExpired,
	Stopped,
	TooLarge,
	UnknownOutcome,
} from '../errors.js';
import {
	BatchKind,
	batchCount,
	batchGroup,
	batchIsRegistered,
	batchKind,
	batchSequence,
	batchSession,
} from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
	readMessage,
} from '../format/message.js';
import { encodeResults } from '../format/results.js';
import { SlabPool } from '../format/slab.js';
import type { Limits } from '../limits.js';
import type { HeldSnapshot } from '../log/snapshot-store.js';
import type { Outbound } from '../transport/outbound.js';
import { Rejection } from '../transport/rejection.js';
import { SESSIONS_PROTOCOL } from '../transport/versions.js';
import type { Guest, Incoming } from './acceptor.js';
import { BACKUP_RANGE_BYTES, BackupService } from './backup-service.js';
import type { BatchRun } from './log-cursor.js';
import type { Waiter } from './proposals.js';
import { readTermsOf } from './read-request.js';
import type { ReadPlace } from './reader.js';
import type { AdminReply, Consistency, ReplicaStatus } from './types.js';

/** What remote clients may ask of a replica. */
export interface ClientBackend {
	readonly group: number;
	readonly limits: Limits;
	/** Takes a finished frame. `'later'`: there is no room, or this leader isn't ready; call again after `whenRoom`.
	 * Errors: those of a proposal. */
	proposeFrame(memory: Memory, offset: number, length: number, waiter: Waiter): 'taken' | 'later';
	whenRoom(callback: () => void): void;
	/** Errors: `NotLeader` where `place` is 'leader'; those of a read. */
	readAt(query: Uint8Array, consistency: Consistency, place: ReadPlace): Promise<unknown>;
	status(): ReplicaStatus;
	/** Whether this client is to be told the status when another leader, or other members, are known. */
	subscribe(client: ClientService, isWanted: boolean): void;
	/** Never rejects. */
	administer(request: Uint8Array): Promise<AdminReply>;
	readonly committed: number;
	readonly firstIndex: number;
	/** Why the replica has stopped; null while it runs. */
	readonly stopped: Error | null;
	/** Calls back once, when the commit index has grown or never will. */
	whenCommitted(callback: () => void): void;
	committedRun(index: number, bytesMax: number): Promise<BatchRun>;
	/** A snapshot of now, whose file stays readable until it is released. */
	holdSnapshot(): Promise<HeldSnapshot>;
	/** At the end of this turn, call `flush`. */
	wakeClient(client: ClientService): void;
}

/** What one client's tail may have on its way, about. */
const TAIL_BYTES = 256 * 1024;
/** What is told of the results of one batch. */
const RESULTS_BYTES_MAX = 1024 * 1024;
/** What a pending read takes beside its query, about. */
const READ_BYTES = 512;

const encoder = new TextEncoder();
/** What is being read, and what is being said: of no call but the one under way, so all clients share them. */
const REQUEST = emptyMessage(0);
const REPLY = emptyMessage(0);

function codeOf(error: Error): number {
	if (error instanceof NotLeader) return Rejection.notLeader;
	if (error instanceof SessionError) return Rejection.session;
	if (error instanceof SessionExpired) return Rejection.sessionExpired;
	if (error instanceof NoSpace) return Rejection.noSpace;
	if (error instanceof TooLarge) return Rejection.tooLarge;
	if (error instanceof UnknownOutcome) return Rejection.unknownOutcome;
	if (error instanceof Stopped) return Rejection.stopped;
	if (error instanceof ReadFailed) return Rejection.readFailed;
	if (error instanceof Forbidden) return Rejection.forbidden;
	return Rejection.other;
}

/** Serves one remote client: proposals as frames, reads, the committed log, status. */
export class ClientService implements Guest {
	readonly #backend: ClientBackend;
	readonly #outbound: Outbound;
	readonly #incoming: Incoming;
	/** It registers its sessions: a number that it has drawn is none. */
	readonly #registers: boolean;
	/** Replies that found no room; the client is not read from meanwhile. */
	#backlog: { message: MessageNumbers; body: Uint8Array | null }[] = [];
	/** Of the status request that is answered again when there is news. */
	#statusContext = 0;
	/** Counts the tails asked for: a new one ends the one before. */
	#tail = 0;
	#onDrained: (() => void) | null = null;
	#backup: BackupService | null = null;
	/** Of reads that have no answer yet. */
	#readBytes = 0;
	#isClosed = false;

	/** `protocol`: the version that is spoken with it. */
	constructor(
		backend: ClientBackend,
		outbound: Outbound,
		incoming: Incoming,
		protocol = SESSIONS_PROTOCOL,
	) {
		this.#registers = protocol >= SESSIONS_PROTOCOL;
		this.#backend = backend;
		this.#outbound = outbound;
		this.#incoming = incoming;
		outbound.onDone = () => this.#written();
	}

	/** A client that takes no answers, or asks for too many at once, is not read from meanwhile. */
	#hasRoom(): boolean {
		const { clientBytesMax } = this.#backend.limits;
		return (
			this.#backlog.length === 0 &&
			this.#readBytes < clientBytesMax &&
			this.#outbound.pendingBytes < clientBytesMax
		);
	}

	batch(memory: Memory, offset: number, length: number): boolean {
		const label = batchSequence(memory, offset);
		if (!this.#hasRoom()) return false;
		if (!this.#isForHere(memory, offset)) {
			this.#incoming.close('a batch that is not for this group');
			return true;
		}
		const waiter = new RemoteWaiter(this, label, batchCount(memory, offset));
		if (this.#isUnregistered(memory, offset)) {
			waiter.failed(new SessionError('the session was never registered'));
			return true;
		}
		try {
			if (this.#backend.proposeFrame(memory, offset, length, waiter) === 'taken') return true;
		} catch (error) {
			if (!(error instanceof Busy)) {
				waiter.failed(error as Error);
				return true;
			}
		}
		this.#backend.whenRoom(() => {
			if (!this.#isClosed) this.#incoming.resume();
		});
		return false;
	}

	#isForHere(memory: Memory, offset: number): boolean {
		const kind = batchKind(memory, offset);
		const isKnown = kind === BatchKind.entries || kind === BatchKind.session;
		return isKnown && batchGroup(memory, offset) === this.#backend.group;
	}

	#isUnregistered(memory: Memory, offset: number): boolean {
		const hasSession = batchSession(memory, offset) !== 0;
		return this.#registers && hasSession && !batchIsRegistered(memory, offset);
	}

	message(memory: Memory, offset: number): boolean {
		const request = REQUEST;
		if (!this.#hasRoom()) return false;
		readMessage(memory, offset, request);
		const { context } = request;
		switch (request.kind) {
			case MessageFrameKind.readRequest:
				this.#read(request, messageBody(memory, offset).slice());
				return true;
			case MessageFrameKind.tailRequest:
				this.#tail += 1;
				this.#sendTail(this.#tail, context, request.index, request.hintIndex === 1).catch(
					(error: Error) => this.#rejectTail(context, error),
				);
				return true;
			case MessageFrameKind.backupRequest:
				this.#giveBackup(context, request.hintIndex, request.index);
				return true;
			case MessageFrameKind.statusRequest:
				if (request.hintIndex === 1) this.#subscribe(context);
				this.#answer(
					MessageFrameKind.statusReply,
					context,
					encoder.encode(JSON.stringify(this.#backend.status())),
				);
				return true;
			case MessageFrameKind.adminRequest:
				this.#administer(context, messageBody(memory, offset).slice());
				return true;
			default:
				this.#incoming.close(`message kind ${request.kind} is not for a client`);
				return true;
		}
	}

	readDone(): void {}

	closed(): void {
		this.#isClosed = true;
		this.#backend.subscribe(this, false);
		this.#backlog = [];
		this.#backup?.close();
	}

	/** Sends what this turn has gathered. */
	flush(): void {
		this.#outbound.flush();
	}

	/** There is news. Who doesn't take what it was told asks again. */
	tellStatus(status: Uint8Array): void {
		if (this.#backlog.length > 0) return;
		this.#answer(MessageFrameKind.statusReply, this.#statusContext, status);
	}

	#subscribe(context: number): void {
		this.#statusContext = context;
		this.#backend.subscribe(this, true);
	}

	/** `results`: as they are encoded; null = there are none, 'lost' = nobody knows any more. */
	proposed(label: number, index: number, term: number, results: Uint8Array | null | 'lost'): void {
		const reply = this.#cleared(MessageFrameKind.proposeReply, label);
		reply.index = index;
		reply.term = term;
		const isLost = results === 'lost' || (results !== null && results.length > RESULTS_BYTES_MAX);
		if (isLost) reply.hintIndex = 1;
		this.#send(reply, isLost ? null : results);
	}

	rejected(kind: number, context: number, error: Error): void {
		const reply = this.#cleared(kind, context);
		reply.rejected = true;
		reply.hintIndex = codeOf(error);
		reply.hintTerm = error instanceof NotLeader ? error.leader : 0;
		this.#send(reply, encoder.encode(error.message));
	}

	refuseAdmin(context: number, { code, message }: MillraceError): void {
		const reply = { ok: false, code, message };
		this.#answer(MessageFrameKind.adminReply, context, encoder.encode(JSON.stringify(reply)));
	}

	#cleared(kind: number, context: number): MessageNumbers {
		Object.assign(REPLY, emptyMessage(kind));
		REPLY.group = this.#backend.group;
		REPLY.context = context;
		return REPLY;
	}

	#answer(kind: number, context: number, body: Uint8Array): void {
		this.#send(this.#cleared(kind, context), body);
	}

	/** Gathers a reply. When the client doesn't read what it is told, it isn't listened to either. */
	#send(reply: MessageNumbers, body: Uint8Array | null): void {
		if (this.#isClosed) return;
		if (this.#backlog.length > 0 || !this.#outbound.message(reply, 0, body)) {
			this.#backlog.push({ message: { ...reply }, body });
			this.#incoming.pause();
		}
		this.#backend.wakeClient(this);
	}

	#written(): void {
		while (this.#backlog.length > 0) {
			const { message, body } = this.#backlog[0]!;
			if (!this.#outbound.message(message, 0, body)) break;
			this.#backlog.shift();
		}
		if (this.#hasRoom()) this.#incoming.resume();
		this.#backend.wakeClient(this);
		const callback = this.#onDrained;
		this.#onDrained = null;
		callback?.();
	}

	#read(request: MessageNumbers, query: Uint8Array): void {
		const { context } = request;
		const terms = readTermsOf(request);
		if (terms === null) return this.#incoming.close('a read of no known consistency');
		const bytes = query.length + READ_BYTES;
		this.#readBytes += bytes;
		this.#backend
			.readAt(query, terms.consistency, terms.place)
			.then((answer) => {
				if (answer !== undefined && answer !== null && !(answer instanceof Uint8Array)) {
					throw new MillraceError(
						'NOT_BYTES',
						'the state machine answers remote reads with bytes only',
					);
				}
				this.#answer(MessageFrameKind.readReply, context, answer ?? new Uint8Array(0));
			})
			.catch((error: Error) => this.rejected(MessageFrameKind.readReply, context, error))
			.finally(() => {
				this.#readBytes -= bytes;
				if (this.#hasRoom()) this.#incoming.resume();
			});
	}

	#giveBackup(context: number, identity: number, offset: number): void {
		this.#backup ??= new BackupService(() => this.#backend.holdSnapshot(), {
			answer: (numbers, its, body) => {
				const reply = this.#cleared(MessageFrameKind.backupChunk, its);
				this.#send(Object.assign(reply, numbers), body);
			},
			reject: (its, error) => this.rejected(MessageFrameKind.backupChunk, its, error),
		});
		this.#readBytes += BACKUP_RANGE_BYTES;
		this.#backup.request(context, identity, offset).finally(() => {
			this.#readBytes -= BACKUP_RANGE_BYTES;
			if (this.#hasRoom()) this.#incoming.resume();
		});
	}

	#administer(context: number, request: Uint8Array): void {
		const bytes = request.length + READ_BYTES;
		this.#readBytes += bytes;
		this.#backend.administer(request).then((reply) => {
			const kind = MessageFrameKind.adminReply;
			this.#answer(kind, context, encoder.encode(JSON.stringify(reply)));
			this.#readBytes -= bytes;
			if (this.#hasRoom()) this.#incoming.resume();
		});
	}

	/** Sends the committed log from `from` on, no faster than the client takes it. */
	async #sendTail(tail: number, context: number, from: number, follow: boolean): Promise<void> {
		let next = Math.max(1, from);
		let isMarked = false;
		while (!this.#isClosed && tail === this.#tail) {
			if (next <= this.#backend.committed) {
				const run = await this.#backend.committedRun(next, TAIL_BYTES);
				if (!this.#isClosed && tail === this.#tail) this.#sendCopy(run);
				run.release();
				next = run.lastIndex + 1;
				this.#outbound.flush();
				if (this.#outbound.pendingBytes > TAIL_BYTES) await this.#drained();
				continue;
			}
			if (!isMarked) this.#mark(context, this.#backend.committed);
			isMarked = true;
			if (!follow) return;
			if (this.#backend.stopped !== null) throw this.#backend.stopped;
			await new Promise<void>((resolve) => this.#backend.whenCommitted(resolve));
		}
	}

	/** A client may take its time, or never read at all: it must not hold the slabs that everybody shares. */
	#sendCopy(run: BatchRun): void {
		const copy = new SlabPool(run.bytes, 1).acquire()!;
		let at = 0;
		for (const { offset, length } of run.batches) {
			copy.bytes.set(run.slab.bytes.subarray(offset, offset + length), at);
			at += length;
		}
		this.#outbound.frames(copy, 0, at);
		copy.release();
	}

	#drained(): Promise<void> {
		return new Promise((resolve) => {
			this.#onDrained = resolve;
		});
	}

	#mark(context: number, committed: number): void {
		const mark = this.#cleared(MessageFrameKind.tailMark, context);
		mark.index = committed;
		this.#send(mark, null);
	}

	#rejectTail(context: number, error: Error): void {
		const mark = this.#cleared(MessageFrameKind.tailMark, context);
		mark.rejected = true;
		mark.hintIndex = this.#backend.firstIndex;
		this.#send(mark, encoder.encode(error.message));
	}
}

/** A remote proposal that waits to be applied. */
class RemoteWaiter implements Waiter {
	readonly #client: ClientService;
	readonly #label: number;
	readonly count: number;

	constructor(client: ClientService, label: number, count: number) {
		this.#client = client;
		this.#label = label;
		this.count = count;
	}

	applied(
		index: number,
		term: number,
		results: readonly unknown[] | undefined,
		position: number,
	): void {
		const body = results === undefined ? null : encodeResults(results, position, this.count);
		this.#client.proposed(this.#label, index, term, body);
	}

	repeated(index: number, results: Uint8Array | null | 'lost'): void {
		this.#client.proposed(this.#label, index, 0, results);
	}

	failed(error: Error): void {
		this.#client.rejected(MessageFrameKind.proposeReply, this.#label, error);
	}
}
