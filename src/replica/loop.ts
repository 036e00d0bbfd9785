import { assert } from '../assert.js';
import { batchLastIndex, batchTerm } from '../format/batch.js';
import type { BatchView } from '../format/batch-view.js';
import type { Log } from '../log/log.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { Raft } from '../raft/raft.js';
import {
	copyMessage,
	Input,
	InputKind,
	type Message,
	MessageKind,
	Output,
	Role,
} from '../raft/types.js';
import { Appender } from './appender.js';
import type { Applier } from './applier.js';
import type { Tell } from './events.js';
import { asHeartbeat, type LoopEvents, type LoopParts, type LoopSnapshots } from './loop-parts.js';
import { configurationOf, encodeMembers, type Members } from './members.js';
import { News } from './news.js';
import type { Peers, SenderCore } from './peer.js';
import { BATCHES_PER_STEP_MAX, type PeerListener, type ReceivedAppend } from './peer-stream.js';
import { asksNothing, Ticker } from './ticker.js';
import { Tidy } from './tidy.js';

/** Batches on their way to the disk beyond which small proposals are gathered rather than sent one by one. */
const BATCHES_AHEAD_MAX = 2;

/**
 * Joins numbers to bytes: gives the core its inputs and does what its outputs say, in their order.
 *
 * Inputs come from sockets, the disk, timers and callers. What they bring is done at once as far as it concerns the
 * core; everything that can wait for the others of this turn (sealing proposals, sending, applying, telling) is
 * done once, in `#turn`, so that work is shared by all that came together.
 */
export class Loop implements SenderCore, PeerListener {
	readonly #parts: LoopParts;
	readonly raft: Raft;
	readonly #log: Log;
	readonly #appender: Appender;
	readonly #tidier: Tidy;
	#events!: LoopEvents;
	readonly #input = new Input(BATCHES_PER_STEP_MAX);
	readonly #output = new Output();
	#peers: Peers = new Map();
	#applier!: Applier;
	#snapshots!: LoopSnapshots;
	readonly #ticker: Ticker;
	/** There was a turn since the last tick. */
	#hasTurned = false;
	#isTurnDue = false;
	#isStopped = false;
	#mustSend = false;
	readonly #news = new News();
	#leadership = 0;
	/** The first index of this replica's own term as leader. */
	#noOpIndex = Number.POSITIVE_INFINITY;

	constructor(parts: LoopParts) {
		this.#parts = parts;
		this.raft = parts.raft;
		this.#log = parts.log;
		this.#appender = new Appender(parts);
		this.#tidier = new Tidy(parts);
		// Who rests needs no ticks.
		const isAwake = () => !this.raft.isResting;
		this.#ticker = new Ticker(parts.clock, parts.tickMs, () => this.#tick(), isAwake);
	}

	/** Begins to tick. */
	start(peers: Peers, applier: Applier, snapshots: LoopSnapshots, events: LoopEvents): void {
		this.#events = events;
		this.#snapshots = snapshots;
		this.#peers = peers;
		this.#applier = applier;
		this.#ticker.next();
	}

	stop(): void {
		this.#isStopped = true;
		this.#ticker.stop();
	}

	get isLeader(): boolean {
		return this.raft.role === Role.leader;
	}

	/** A leader that has applied the first entry of its term knows everything that was committed before. */
	get isReadyLeader(): boolean {
		return this.isLeader && this.#applier.applied >= this.#noOpIndex;
	}

	get leadership(): number {
		return this.#leadership;
	}

	// ---- Inputs ----

	/** A tick brings a turn, for what only time brings about; but not if there was one since the last tick. */
	#tick(): void {
		this.#guard(() => {
			this.#step(InputKind.tick);
			if (!this.#hasTurned || !asksNothing(this.#output)) this.#act();
			this.#hasTurned = false;
			this.#events.ticked();
		});
	}

	/** A peer's message without batches. */
	received(message: Message): void {
		if (this.#isStopped) return;
		if (message.kind === MessageKind.snapshotResponse) {
			return this.#peers.get(message.from)?.snapshotAnswered(message);
		}
		const { kind, rejected, from, index } = message;
		const isAck = kind === MessageKind.appendResponse && !rejected;
		if (isAck) this.#parts.probe.recorder?.acked(from, index);
		this.#guard(() => {
			this.#input.batchCount = 0;
			this.#stepMessage(message);
			this.#act();
		});
	}

	/** A peer's append, or a part of one. */
	receivedAppend(append: ReceivedAppend): void {
		if (this.#isStopped) return;
		this.#guard(() => {
			const { batchLast, batchTerm: terms } = this.#input;
			this.#input.batchCount = append.count;
			for (let i = 0; i < append.count; i++) {
				batchLast[i] = batchLastIndex(append.slabs[i]!, append.offsets[i]!);
				terms[i] = batchTerm(append.slabs[i]!, append.offsets[i]!);
			}
			this.#parts.members.tell(this.#input, append);
			this.#stepMessage(append.message);
			if (this.#output.appendFrom >= 0) this.#appender.received(append, this.#input, this.#output);
			this.#act();
		});
	}

	/** A range of a leader's snapshot. To the core it is a heartbeat: a sign of life, and of a term. */
	receivedChunk(message: Message, bytes: Uint8Array): void {
		if (this.#isStopped) return;
		this.#guard(() => {
			this.#input.batchCount = 0;
			this.#stepMessage(asHeartbeat(message));
			this.#act();
			const { leader, term } = this.raft;
			if (leader !== message.from || term !== message.term) return;
			this.#snapshots.receiver.chunk(message, bytes);
		});
	}

	/** A leader's snapshot is durable here. */
	installed(snapshot: StoredSnapshot): void {
		if (this.#isStopped) return;
		this.#guard(() => {
			this.#input.index = snapshot.index;
			this.#input.term = snapshot.term;
			this.#parts.members.tellOf(this.#input, snapshot);
			this.#step(InputKind.installed);
			if (this.#output.resetTo >= 0) this.#beginAnew(snapshot);
			this.#act();
		});
	}

	/** Of the log and of what was applied before nothing is of use any more. */
	#beginAnew(snapshot: StoredSnapshot): void {
		this.#appender.beginBehind(snapshot);
		this.#snapshots.snapshots.installed();
		this.#applier.install(snapshot);
		this.#events.installed(snapshot);
	}

	/** The log's completion: everything up to `index` is durable, and so is the hard state. */
	logPersisted(index: number, epoch: number, term: number, vote: number): void {
		if (this.#isStopped) return;
		this.#guard(() => {
			if (index === 0 || !this.raft.isHardStateSaved) {
				this.#input.term = term;
				this.#input.vote = vote;
				this.#step(InputKind.hardStateSaved);
				this.#act();
			}
			if (index === 0) return;
			this.#input.index = index;
			this.#input.epoch = epoch;
			this.#step(InputKind.persisted);
			this.#act();
		});
	}

	/** The end of this replica's probation is durable. */
	admitted(): void {
		if (this.#isStopped) return;
		this.#guard(() => {
			this.#step(InputKind.admitted);
			this.#act();
		});
	}

	/** Wishes that replica `target` leads: see `InputKind.transfer`. @returns false if that can't be now */
	transfer(target: number): boolean {
		let isTaken = false;
		if (this.#isStopped) return false;
		this.#guard(() => {
			this.#input.peer = target;
			this.#step(InputKind.transfer);
			isTaken = !this.#output.refused;
			this.#act();
		});
		return isTaken;
	}

	sent(peer: number, firstIndex: number, lastIndex: number, bytes: number): Message | null {
		this.#input.peer = peer;
		this.#input.first = firstIndex;
		this.#input.index = lastIndex;
		this.#input.bytes = bytes;
		this.#step(InputKind.sent);
		if (this.#output.refused) return null;
		this.#parts.probe.recorder?.sent(peer, lastIndex);
		return this.#output.messages[0]!;
	}

	streamChanged(peer: number): void {
		if (this.#isStopped) return;
		this.#guard(() => {
			this.#input.peer = peer;
			this.#step(InputKind.disconnected);
			this.#act();
			this.#mustSend = true;
		});
	}

	/** What a peer says isn't heard any more. */
	streamLost(peer: number): void {
		if (this.#isStopped || !this.raft.isResting) return;
		this.#guard(() => {
			this.#input.peer = peer;
			this.#step(InputKind.wake);
			this.#act();
		});
	}

	peerBehind(peer: number): void {
		this.#events.peerBehind(peer);
	}

	readonly tell: Tell = (line, event, fields) => this.#parts.chronicle.tell(line, event, fields);

	fail(error: Error): void {
		this.#events.fail(error);
	}

	// ---- One step of the core, and what it asks for ----

	#step(kind: InputKind): void {
		this.#input.kind = kind;
		this.#input.now = this.#parts.clock.now();
		this.raft.step(this.#input, this.#output);
		// First of all, and before this step's append: both are in the same flush or in this order.
		if (this.#output.saveHardState) this.#log.setHardState(this.#output.term, this.#output.vote);
	}

	#stepMessage(message: Message): void {
		copyMessage(this.#input.message, message);
		this.#step(InputKind.message);
	}

	/** Everything an output asks for beside appending. */
	#act(): void {
		const output = this.#output;
		const { recorder, vitals } = this.#parts.probe;
		recorder?.committed(this.raft.committed);
		vitals.committed(this.raft.committed, this.#input.now);
		for (let i = 0; i < output.messageCount; i++) {
			const message = output.messages[i]!;
			this.#peers.get(message.to)?.message(message);
		}
		if (output.messageCount > 0 || output.wakeSenders) this.#mustSend = true;
		if (output.readConfirmed > 0)
			this.#parts.reads.confirmed(output.readConfirmed, output.readIndex);
		if (output.readsFailed) this.#parts.reads.askAgain();
		if (output.roleChanged) this.#roleChanged();
		if (output.transferFailed) this.#news.hasTransferFailed = true;
		if (output.becameLeader) this.#proposeNoOp();
		if (output.probationOver) this.#events.probationOver();
		if (output.configurationChanged) this.#events.configurationChanged();
		if (output.mustLeaveJoint) this.#events.mustLeaveJoint();
		this.wake();
	}

	#roleChanged(): void {
		this.#news.isRoleChanged = true;
		this.#mustSend = true;
		if (this.#output.role === Role.leader || this.#noOpIndex === Number.POSITIVE_INFINITY) return;
		this.#noOpIndex = Number.POSITIVE_INFINITY;
		this.#leadership += 1;
		this.#parts.probe.vitals.deposed();
		this.#news.isLeadershipLost = true;
		this.#news.successor = this.#output.successor;
	}

	#proposeNoOp(): void {
		const { proposals } = this.#parts;
		// What an earlier leadership of this replica has left: it goes on if it is still in the log.
		const isKept = (index: number, term: number) => this.raft.termAt(index) === term;
		proposals.beginTerm(isKept);
		const noOp = proposals.noOp();
		this.#leadership += 1;
		this.#news.termLed = this.raft.term;
		this.#input.count = 1;
		this.#step(InputKind.propose);
		assert(!this.#output.refused, 'a new leader may propose');
		this.#noOpIndex = this.#output.firstIndex;
		this.#appender.proposed(noOp.slab, 0, noOp.length, this.#output);
		noOp.slab.release();
		this.#act();
	}

	/** As leader: from here on these are the members. @returns the index of the entry; 0 = refused */
	configure(members: Members): number {
		const frame = this.#parts.proposals.configuration(encodeMembers(members));
		this.#input.configuration = configurationOf(members);
		this.#step(InputKind.configure);
		const index = this.#output.refused ? 0 : this.#output.firstIndex;
		if (index > 0) {
			this.#appender.proposed(frame.slab, 0, frame.length, this.#output);
			this.#parts.members.list.append(index, members);
		}
		frame.slab.release();
		this.#act();
		return index;
	}

	// ---- The end of a turn ----

	/** Something is to be done at the end of this turn. */
	wake(): void {
		if (this.#isTurnDue || this.#isStopped) return;
		this.#isTurnDue = true;
		this.#parts.clock.endOfTurn(() => {
			this.#isTurnDue = false;
			if (!this.#isStopped) this.#guard(() => this.#turn());
		});
	}

	wakeSenders(): void {
		this.#mustSend = true;
		this.wake();
	}

	/** Proposals, reads, sending, applying, telling: each once for all that came in this turn. */
	#turn(): void {
		this.#hasTurned = true;
		this.#ticker.next();
		const { transfer } = this.raft;
		if (transfer !== null && !transfer.isHolding) this.#propose();
		this.#read();
		const mustSend = this.#mustSend;
		this.#mustSend = false;
		for (const peer of this.#peers.values()) {
			if (mustSend) peer.pump();
			peer.flush();
		}
		// Behind all that was sent, on the same stream.
		if (transfer?.isDue) this.transfer(transfer.target);
		this.#news.tell(this.raft, this.#log, this.#events);
		this.#snapshots.snapshots.turn();
		this.#applier.pump(this.raft.committed, this.raft.persisted);
		// While a snapshot takes its place, the state is nothing that ever was.
		if (!this.#applier.isRestoring) this.#parts.reads.applied(this.#applier.applied);
		this.#tidy();
	}

	/** Appends what was proposed. Under load (the disk has work), small proposals go on gathering: the next
	 * completion brings the next turn. */
	#propose(): void {
		const { proposals } = this.#parts;
		for (;;) {
			const frame = proposals.next(this.#log.pendingBatches < BATCHES_AHEAD_MAX);
			if (frame === null) return;
			this.#input.count = frame.count;
			this.#step(InputKind.propose);
			assert(!this.#output.refused, 'a leader takes what is proposed');
			const { firstIndex, term } = this.#output;
			this.#appender.proposed(frame.slab, frame.offset, frame.length, this.#output);
			const { recorder, vitals } = this.#parts.probe;
			recorder?.proposed(frame.acceptedAt, frame.batchedAt);
			vitals.appended(firstIndex + frame.count - 1, this.#input.now);
			proposals.appended(frame, firstIndex, term);
			this.#act();
			this.#mustSend = true;
		}
	}

	#read(): void {
		const { reads, clock } = this.#parts;
		if (!reads.settle(this.raft, clock)) return;
		this.#input.mayLease = reads.allLeasable;
		this.#step(InputKind.read);
		// Nobody is known to lead: the next turn asks again, and ticks make turns.
		if (this.#output.refused) return;
		reads.began(this.#output.readRound, this.#input.now);
		this.#act();
		this.#mustSend = true;
	}

	/** Lets go of memory and of old segments. */
	#tidy(): void {
		this.#tidier.trimWindow(this.#applier.applied);
		const { coveredIndex } = this.#snapshots.snapshots;
		if (!this.#tidier.compact(this.#applier, coveredIndex, this.#input.now, this.#peers)) return;
		this.#input.index = this.#log.base.index;
		this.#step(InputKind.compacted);
		this.#act();
	}

	/** For the applier: a batch was applied. */
	applied(view: BatchView, results: readonly unknown[] | undefined, isRefused: boolean): void {
		const { recorder } = this.#parts.probe;
		recorder?.applied(view.lastIndex);
		this.#parts.proposals.applied(view, results, isRefused);
		recorder?.resolved(view.lastIndex);
		this.#parts.chronicle.applied(view);
		this.#events.roomMayBe();
	}

	/** An assertion that fails, here or in the core, stops the replica. */
	#guard(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.fail(error as Error);
		}
	}
}
