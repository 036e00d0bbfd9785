import {
	Busy,
	ProtocolError,
	SessionError,
	SessionExpired,
	Stopped,
	UnknownOutcome,
} from '../errors.js';
import { BATCH_WAITS_MAX } from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import { MessageFrameKind, type MessageNumbers, messageBody } from '../format/message.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { Rejection } from '../transport/rejection.js';
import type { Call } from './call.js';
import type { Environment } from './environment.js';
import { type Frame, Gatherer, resultsOf, succeed } from './gatherer.js';
import type { LeaderFinder, LeaderUser } from './leader-finder.js';
import type { Link } from './link.js';
import { checkSize, isFinal, mayBeTaken, refusal } from './refusals.js';
import type { ProducerSession } from './session.js';
import { timedOut } from './turned-away.js';

/** While fewer frames than this are under way, what a turn brought is sent at its end. From then on it is
 * gathered until a batch is worth sending. */
const EAGER_FRAMES = 4;
const WORTH_SENDING_BYTES = DEFAULT_LIMITS.batchBytes / 2;
/** What a call that waits takes beside its own bytes, roughly. */
const CALL_BYTES = 256;

/**
 * The pipeline of proposals.
 *
 *     propose -> (waiting for room) -> open batch -> frames, unacknowledged and in order -> done
 *
 * A session is registered when the first call waits for it. A frame keeps its session and sequence, so sending it again
 * can't apply it twice: whenever the leader or the connection changes, everything unacknowledged is sent again, in order. It
 * gets another session only when no leader can have taken it under the first. Frames without a session are never sent twice.
 */
export class Producer implements LeaderUser {
	readonly #environment: Environment;
	readonly #finder: LeaderFinder;
	readonly #gatherer: Gatherer;
	readonly #session: ProducerSession;
	#nextSequence = 1;
	/** Unacknowledged frames from `#head` on, their sequences without gap. */
	#frames: Frame[] = [];
	#head = 0;
	/** The first that isn't sent on this connection. */
	#next = 0;
	/** Bytes of the unacknowledged frames. */
	#bytes = 0;
	/** Calls for which there is no room yet. */
	#waiting: Call[] = [];
	#waitingHead = 0;
	#waitingBytes = 0;
	#isTurnArmed = false;
	#isMemoryAwaited = false;
	/** When a frame was last acknowledged, or the first one came to wait. */
	#progressAt = 0;
	/** Set once a frame without a session was refused by who doesn't lead: where to go when all are answered. */
	#redirect: { leader: number; reason: string } | null = null;
	#isClosed = false;

	constructor(environment: Environment, finder: LeaderFinder, session: ProducerSession) {
		this.#environment = environment;
		this.#finder = finder;
		this.#session = session;
		this.#gatherer = new Gatherer(environment.group, environment.windowBytes);
	}

	get isWaiting(): boolean {
		return this.#unacknowledged() > 0 || this.#gatherer.openBytes > 0 || this.#waits() > 0;
	}

	#unacknowledged(): number {
		return this.#frames.length - this.#head;
	}

	#waits(): number {
		return this.#waiting.length - this.#waitingHead;
	}

	/** Takes a call; its promise tells the outcome. Errors: `TooLarge`, `Busy`, `Stopped`. */
	propose(call: Call): void {
		if (this.#isClosed) throw new Stopped('the client is closed');
		checkSize(call);
		if (!this.isWaiting) this.#progressAt = this.#environment.clock.now();
		if (this.#waits() > 0 || !this.#take(call)) this.#wait(call);
		this.#armTurn();
	}

	#wait(call: Call): void {
		const bytes = call.bytes + CALL_BYTES;
		if (this.#waitingBytes + bytes > DEFAULT_LIMITS.waitingBytesMax) {
			throw new Busy('what waits to be proposed', DEFAULT_LIMITS.waitingBytesMax);
		}
		this.#waiting.push(call);
		this.#waitingBytes += bytes;
	}

	/** Copies a call into the open batch, if there is room. */
	#take(call: Call): boolean {
		const bytes = this.#bytes + this.#gatherer.openBytes;
		if (bytes > 0 && bytes + call.frameBytes > this.#environment.windowBytes) return false;
		if (!this.#gatherer.fits(call)) {
			if (!this.#seal()) return false;
			if (!this.#gatherer.begin(call)) {
				this.#awaitMemory();
				return false;
			}
		}
		this.#gatherer.add(call);
		return true;
	}

	#awaitMemory(): void {
		if (this.#isMemoryAwaited) return;
		this.#isMemoryAwaited = true;
		this.#gatherer.whenMemory(() => {
			this.#isMemoryAwaited = false;
			this.#armTurn();
		});
	}

	#armTurn(): void {
		if (this.#isTurnArmed) return;
		this.#isTurnArmed = true;
		this.#environment.clock.endOfTurn(() => {
			this.#isTurnArmed = false;
			if (!this.#isClosed) this.#pump();
		});
	}

	/** Brings everything as far as it can go. */
	#pump(): void {
		while (this.#waits() > 0 && this.#take(this.#waiting[this.#waitingHead]!)) this.#taken();
		const isEager = this.#unacknowledged() < EAGER_FRAMES;
		if (isEager || this.#gatherer.openBytes >= WORTH_SENDING_BYTES) this.#seal();
		this.#send();
		if (this.isWaiting) this.#finder.need();
	}

	#taken(): void {
		this.#waitingBytes -= this.#waiting[this.#waitingHead]!.bytes + CALL_BYTES;
		this.#waitingHead += 1;
		if (this.#waitingHead < this.#waiting.length && this.#waitingHead < 1024) return;
		this.#waiting = this.#waiting.slice(this.#waitingHead);
		this.#waitingHead = 0;
	}

	/** Makes a frame of the open batch. @returns false if that must wait: for a session, or until some are acknowledged */
	#seal(): boolean {
		if (this.#gatherer.openBytes === 0) return true;
		const waits = this.#unacknowledged();
		if (waits === 0 && this.#session.isStale) this.#leaveSession();
		if (this.#session.isMissing || waits === BATCH_WAITS_MAX) return false;
		const { number, isWanted } = this.#session;
		const frame = this.#gatherer.finish(number, this.#nextSequence, isWanted ? waits : undefined);
		this.#nextSequence += 1;
		this.#frames.push(frame);
		this.#bytes += frame.length;
		return true;
	}

	#send(): void {
		const link = this.#finder.link;
		if (link === null || this.#redirect !== null) return;
		if (this.#session.isMissing) return this.#askForSession(link);
		while (this.#next < this.#frames.length) {
			// Who may not be the leader gets one frame, not the window.
			if (!this.#finder.isProven && this.#next > this.#head) break;
			const frame = this.#frames[this.#next]!;
			// One that was taken behind others that were refused: who was asked came to lead in between.
			if (frame.isDone) {
				this.#next += 1;
				continue;
			}
			frame.attempts += 1;
			frame.isSent = true;
			link.outbound.frames(frame.slab, frame.offset, frame.length);
			this.#next += 1;
		}
		link.outbound.flush();
	}

	#askForSession(link: Link): void {
		if (!this.isWaiting) return;
		const fault = this.#session.ask(link);
		if (fault === null) link.outbound.flush();
		else this.#finder.redirect(0, fault);
	}

	connected(): void {
		const reason = 'a majority of the cluster was lost, and it was recovered by force';
		if (this.#session.isLostOn(this.#finder.link!)) {
			this.#endSession(new SessionExpired(reason), Number.POSITIVE_INFINITY);
		}
		this.#pump();
	}

	written(): void {}

	/** With a session everything is sent again; without one it isn't known what became of it. */
	lost(): void {
		this.#redirect = null;
		this.#session.linkLost();
		const end = this.#next;
		this.#next = this.#head;
		for (let i = this.#head; i < end; i++) {
			const frame = this.#frames[i]!;
			if (!frame.isSent || frame.isDone) continue;
			frame.isSent = false;
			if (!this.#session.isWanted) this.#fail(frame, new UnknownOutcome('the connection was lost'));
		}
		this.#dropDone();
	}

	message(message: MessageNumbers, memory: Memory, offset: number): void {
		if (message.kind !== MessageFrameKind.proposeReply) return;
		if (this.#session.isAnswer(message)) return this.#askedForSession(message, memory, offset);
		const first = this.#frames[this.#head]?.sequence ?? this.#nextSequence;
		const frame = this.#frames[this.#head + message.context - first];
		if (message.context < first || frame === undefined || !frame.isSent) {
			const reason = `an answer to proposal ${message.context}, which is not under way`;
			this.#finder.reconnect(new ProtocolError(reason));
			return;
		}
		if (message.rejected) {
			const reason = new TextDecoder().decode(messageBody(memory, offset));
			this.#refused(frame, message.hintIndex, message.hintTerm, reason);
		} else {
			this.#answer(frame, message, messageBody(memory, offset));
		}
	}

	#askedForSession(message: MessageNumbers, memory: Memory, offset: number): void {
		if (message.rejected) {
			const { hintIndex: code, hintTerm: leader } = message;
			const reason = new TextDecoder().decode(messageBody(memory, offset));
			if (!isFinal(code)) return this.#finder.redirect(leader, reason);
			const error = refusal(code, reason);
			this.#failAll(() => error);
			return this.#finder.reconnect(error);
		}
		this.#finder.proved();
		this.#progressAt = this.#environment.clock.now();
		this.#session.registered(message.index, this.#finder.link!);
		this.#relabel();
		this.#armTurn();
	}

	/** What waited for another session begins in it. */
	#relabel(): void {
		this.#nextSequence = 1;
		for (const frame of this.#frames.slice(this.#head)) {
			const waits = this.#nextSequence - 1;
			this.#gatherer.relabel(frame, this.#session.number, this.#nextSequence, waits);
			this.#nextSequence += 1;
		}
	}

	/** `body`: what the state machine returned, if that is bytes. */
	#answer(frame: Frame, { index, term, hintIndex }: MessageNumbers, body: Uint8Array): void {
		if (frame.isDone) return;
		const results = hintIndex === 1 ? 'lost' : resultsOf(frame, body);
		if (results === undefined) {
			return this.#finder.reconnect(new ProtocolError('results that make no sense'));
		}
		this.#finder.proved();
		this.#progressAt = this.#environment.clock.now();
		this.#session.used();
		succeed(frame, index, term, results);
		this.#finish(frame);
		this.#answered();
	}

	#refused(frame: Frame, code: number, leader: number, reason: string): void {
		if (frame.isDone) return;
		if (this.#session.isWanted) {
			if (code === Rejection.sessionExpired) this.#sessionExpired(frame, reason);
			else if (isFinal(code)) this.#breakSession(frame, code, reason);
			else this.#finder.redirect(leader, reason);
			return;
		}
		if (code === Rejection.notLeader) {
			// What was sent behind it is refused as well: wait for those answers, so that none is sent twice.
			frame.isSent = false;
			this.#redirect = { leader, reason };
		} else {
			this.#fail(frame, isFinal(code) ? refusal(code, reason) : new UnknownOutcome(reason));
		}
		this.#answered();
	}

	/** Some frame was answered: goes on with what that makes possible. */
	#answered(): void {
		this.#dropDone();
		if (this.#redirect === null) {
			this.#armTurn();
			return;
		}
		for (let i = this.#head; i < this.#next; i++) {
			if (this.#frames[i]!.isSent && !this.#frames[i]!.isDone) return;
		}
		const { leader, reason } = this.#redirect;
		this.#finder.redirect(leader, reason);
	}

	/** A frame of the session is refused for good. Those before it, and those that were sent before, may be in the log
	 * already. Those behind it can't be accepted without it; but if it is there by an earlier attempt, so may they be. */
	#breakSession(refused: Frame, code: number, reason: string): void {
		const behind = new SessionError(`a proposal before it was refused (${reason})`);
		const error = refusal(code, reason);
		this.#failAll((frame) => {
			if (frame !== null && mayBeTaken(frame, refused.sequence)) return new UnknownOutcome(reason);
			return frame === refused || code === Rejection.noSpace ? error : behind;
		});
		this.#finder.reconnect(error);
	}

	#sessionExpired(refused: Frame, reason: string): void {
		const error = new SessionExpired(reason);
		this.#endSession(error, refused.sequence);
		this.#finder.reconnect(error);
	}

	/** Nothing more is taken under the session, of which batch `sequence` was refused. What may be in a log is never sent again under
	 * another one: it fails, and the rest with it. If nothing is, all goes on in the next session. */
	#endSession(error: SessionExpired, sequence: number): void {
		const frames = this.#frames.slice(this.#head);
		if (!frames.some((frame) => mayBeTaken(frame, sequence))) {
			for (const frame of frames) frame.attempts = 0;
			return this.#leaveSession();
		}
		const unknown = new UnknownOutcome(error.message, error);
		this.#failAll((frame) => (frame !== null && mayBeTaken(frame, sequence) ? unknown : error));
	}

	expire(now: number, failure: Error): void {
		const { timeoutMs } = this.#environment;
		if (!this.isWaiting || now - this.#progressAt < timeoutMs) return;
		const error = timedOut(timeoutMs, failure);
		this.#failAll((frame) =>
			frame !== null && frame.attempts > 0 ? new UnknownOutcome(error.message, error) : error,
		);
		this.#finder.reconnect(error);
	}

	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		const why = 'the client is closed';
		const stopped = new Stopped(why);
		this.#failAll((frame) =>
			frame !== null && frame.attempts > 0 ? new UnknownOutcome(why) : stopped,
		);
		this.#gatherer.close();
	}

	/** Fails everything, and goes on with a new session. `errorOf` is asked with null for calls without a frame. */
	#failAll(errorOf: (frame: Frame | null) => Error): void {
		for (const frame of this.#frames.slice(this.#head)) {
			if (!frame.isDone) this.#fail(frame, errorOf(frame));
		}
		for (const call of this.#gatherer.abandon()) call.fail(errorOf(null));
		for (const call of this.#waiting.slice(this.#waitingHead)) call.fail(errorOf(null));
		this.#frames = [];
		this.#head = 0;
		this.#next = 0;
		this.#waiting = [];
		this.#waitingHead = 0;
		this.#waitingBytes = 0;
		this.#redirect = null;
		this.#leaveSession();
	}

	#leaveSession(): void {
		this.#session.leave();
		// Without a session a sequence only ties an answer to its frame, and is never used again.
		if (this.#session.isWanted) this.#nextSequence = 1;
	}

	#fail(frame: Frame, error: Error): void {
		for (const call of frame.calls) call.fail(error);
		this.#finish(frame);
	}

	#finish(frame: Frame): void {
		frame.isDone = true;
		this.#bytes -= frame.length;
		frame.slab.release();
	}

	#dropDone(): void {
		while (this.#frames[this.#head]?.isDone === true) this.#head += 1;
		this.#next = Math.max(this.#next, this.#head);
		if (this.#head < 256 && this.#head < this.#frames.length) return;
		this.#frames = this.#frames.slice(this.#head);
		this.#next -= this.#head;
		this.#head = 0;
	}
}
