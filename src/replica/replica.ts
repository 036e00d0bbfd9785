import { EventEmitter } from 'node:events';
import { BadOption, NotLeader, Stopped } from '../errors.js';
import type { PackedEntries } from '../format/batch-writer.js';
import type { Memory } from '../format/memory.js';
import type { HeldSnapshot } from '../log/snapshot-store.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { ProfileReport } from '../profile/report.js';
import { Role } from '../raft/types.js';
import { administer } from './admin.js';
import { Admission } from './admission.js';
import type { ClientBackend, ClientService } from './client-service.js';
import { FullDisk } from './full-disk.js';
import { Handover } from './handover.js';
import type { BatchRun } from './log-cursor.js';
import type { LoopEvents } from './loop-parts.js';
import { MemberChanges } from './member-changes.js';
import type { Member, MemberChange, Members } from './members.js';
import type { ReplicaParts } from './open.js';
import { beginProfile, type ProfileOptions, type Profiling, reportSoFar } from './profiling.js';
import type { Waiter } from './proposals.js';
import { Proposer } from './proposer.js';
import { Reader, type ReadPlace } from './reader.js';
import { canSnapshot } from './snapshots.js';
import { statusOf } from './status.js';
import { Subscribers } from './subscribers.js';
import { tailOf } from './tail.js';
import * as telling from './telling.js';
import { Transfers } from './transfers.js';
import type {
	AdminReply,
	Consistency,
	Entry,
	Proposed,
	ProposedBatch,
	ProposeOptions,
	ReadOptions,
	ReplicaEvents,
	ReplicaStatus,
	TailOptions,
	TransferOptions,
} from './types.js';

/** One replica of a group: proposes, reads, tells what is committed. Made by `openReplica`. */
export class Replica extends EventEmitter<ReplicaEvents> implements LoopEvents, ClientBackend {
	readonly id: number;
	readonly group: number;
	readonly #parts: ReplicaParts;
	readonly #proposer: Proposer;
	readonly #reader: Reader;
	readonly #handover: Handover;
	readonly #transfers: Transfers;
	readonly #fullDisk: FullDisk;
	readonly #memberChanges: MemberChanges;
	readonly #clients = new Set<ClientService>();
	readonly #subscribers = new Subscribers();
	/** Null unless it began on probation. */
	readonly #admission: Admission | null;
	#stopped: Stopped | null = null;
	#closing: Promise<void> | null = null;
	#commitWaiters: (() => void)[] = [];

	/** Use `openReplica`. */
	constructor(parts: ReplicaParts) {
		super();
		this.#parts = parts;
		const mayWait = () => this.#handover.isOpen;
		this.#proposer = new Proposer(parts, () => this.#stopped, mayWait);
		this.#handover = new Handover(parts, () => this.#proposer.roomMayBe());
		this.#transfers = new Transfers(parts);
		this.#fullDisk = new FullDisk(parts);
		this.#reader = new Reader(parts, () => this.#stopped);
		this.#memberChanges = new MemberChanges({
			raft: parts.raft,
			id: parts.settings.id,
			members: parts.members,
			electionTimeoutMs: parts.settings.electionTimeoutMs,
			now: () => parts.doors.clock.now(),
			configure: (members) => parts.loop.configure(members),
			tell: parts.chronicle.tell,
		});
		this.id = parts.settings.id;
		this.group = parts.settings.group;
		this.#admission = parts.wasOnProbation ? this.#newAdmission() : null;
	}

	#newAdmission(): Admission {
		const { doors, settings, log, raft, loop, chronicle } = this.#parts;
		return new Admission({
			disk: doors.disk,
			clock: doors.clock,
			directory: settings.directory,
			log,
			missing: () => raft.probation,
			tell: chronicle.tell,
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
		return this.#proposer.one(entry, options);
	}

	/**
	 * Replicates several entries as neighbours, all or none: one batch, at most `limits.entryBytesMax` long. As
	 * `PackedEntries` they cost one copy altogether. Errors: as `propose`.
	 */
	proposeBatch(
		entries: readonly Uint8Array[] | PackedEntries,
		options?: ProposeOptions,
	): Promise<ProposedBatch> {
		return this.#proposer.batch(entries, options);
	}

	/**
	 * Asks the state machine of this replica, leader or not; linearizably, if `consistency` doesn't say otherwise: the
	 * answer reflects everything that was acknowledged anywhere before the call. A replica that knows no leader waits
	 * for one. Errors: `ReadFailed` (try again), `Busy`, `Stopped`, `BadOption`, and what `query` throws.
	 */
	read<Answer = unknown>(query: unknown, options: ReadOptions = {}): Promise<Answer> {
		return this.#reader.read(query, options, 'here');
	}

	/** The committed log as an iterator, from disk or live, on any replica. Entries are copies. Errors: `Compacted`. */
	tail(options: TailOptions = {}): AsyncGenerator<Entry, void, void> {
		return tailOf(this, options);
	}

	/**
	 * Changes who belongs to the cluster, in one step, and resolves once that is committed; voters change by joint
	 * consensus. Leader only. Errors: `NotLeader`, `BadOption` (the members don't allow it), `ChangeRefused` (not now);
	 * `UnknownOutcome`.
	 */
	changeMembers(change: MemberChange): Promise<Members> {
		return this.#changeMembers(change);
	}

	/** Adds a replica that was opened with `join`: as a learner, which becomes a voter when it has caught up (`promote`,
	 * default true). Resolves when that is done. Errors: as `changeMembers`. */
	addMember(
		member: { readonly id: number; readonly address: string; readonly priority?: number },
		{ promote = true }: { readonly promote?: boolean } = {},
	): Promise<Members> {
		const { id } = member;
		const add = [{ ...member, ...(promote && { promote }) }];
		return this.#changeMembers({ add }, promote ? id : 0);
	}

	/** Makes a learner that has caught up a voter; whom it replaces leaves. Errors: as `changeMembers`. */
	promote(id: number): Promise<Members> {
		return this.#changeMembers({ promote: [id] });
	}

	/** A leader that removes itself steps down once that is committed. Errors: as `changeMembers`. */
	removeMember(id: number): Promise<Members> {
		return this.#changeMembers({ remove: [id] });
	}

	/** Puts a replica that was opened with `join` in the place of another one, which may be dead: when the new one has
	 * caught up, they swap in one change. Resolves when that is done. Errors: as `changeMembers`. */
	replaceMember(
		replaces: number,
		member: { readonly id: number; readonly address: string; readonly priority?: number },
	): Promise<Members> {
		const { id } = member;
		const add: Member[] = [{ ...member, promote: true, replaces }];
		return this.#changeMembers({ add }, id);
	}

	#changeMembers(change: MemberChange, voter = 0): Promise<Members> {
		if (this.#stopped !== null) return Promise.reject(this.#stopped);
		return this.#memberChanges.change(change, voter);
	}

	/**
	 * Takes a snapshot of the state machine now, on any replica, while proposals go on. Resolves once it is durable; at once
	 * if nothing was applied since the latest. Errors: `BadOption` if the state machine has no snapshots; `Stopped`; `DiskError`
	 * if there is no room for it.
	 */
	async snapshot(): Promise<{ readonly index: number; readonly bytes: number }> {
		const { machine, snapshots } = this.#parts;
		if (this.#stopped !== null) throw this.#stopped;
		if (!canSnapshot(machine)) throw new BadOption('the state machine has no snapshots');
		const { index, bytes } = await snapshots.take();
		return { index, bytes };
	}

	/** For backups: the same, with the file kept readable until it is released. */
	async holdSnapshot(): Promise<HeldSnapshot> {
		for (;;) {
			await this.snapshot();
			const held = await this.#parts.store.holdFull();
			if (held !== null) return held;
		}
	}

	/**
	 * Begins to record when each batch comes to which stage; see docs/PROFILING.md. Off, it costs a branch for each stage of a
	 * batch; on, its memory is taken at once. Errors: `BadOption`, `ProfileRunning`, `Stopped`.
	 */
	profile(options: ProfileOptions = {}): Profiling {
		if (this.#stopped !== null) throw this.#stopped;
		return beginProfile(this.#parts, options);
	}

	/** What the profile that is being recorded says so far; null if none is. Made anew each time: some ms for 8,192 batches. */
	profileSoFar(): ProfileReport | null {
		return reportSoFar(this.#parts);
	}

	/** All that there is to know now. */
	status(): ReplicaStatus {
		return statusOf(this.#parts, this.#stopped);
	}

	/**
	 * Hands leadership to replica `target`, or to the one that has most; called anywhere. Proposals wait meanwhile: for
	 * two round trips and two flushes when all goes well, and for one election time-out at most. Those that were appended
	 * get their results all the same, the others `NotLeader`, which names the successor. When it fails, the leader goes on.
	 *
	 * @returns the new leader's id
	 * Errors: `TransferFailed`; `NotLeader` if no leader is known; `BadOption`, `Stopped`.
	 */
	transferLeadership(target = 0, options: TransferOptions = {}): Promise<number> {
		if (this.#stopped !== null) return Promise.reject(this.#stopped);
		return this.#transfers.wish(target, options);
	}

	/** As leader, first hands over, within two election time-outs. Then stops serving, makes durable what is pending, and
	 * lets go of everything. Proposals whose outcome isn't known yet are rejected. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#leave();
		return this.#closing;
	}

	async #leave(): Promise<void> {
		const { loop, settings } = this.#parts;
		// At once, if nobody could take over.
		if (this.#stopped === null && loop.isLeader && loop.transfer(0)) {
			const timeoutMs = 2 * settings.electionTimeoutMs;
			await this.transferLeadership(0, { timeoutMs }).catch(() => {});
			await this.#handover.settled();
		}
		await this.#close(new Stopped('it was closed'));
	}

	// ---- For remote clients ----

	readAt(query: Uint8Array, consistency: Consistency, place: ReadPlace): Promise<unknown> {
		return this.#reader.read(query, { consistency }, place);
	}

	proposeFrame(memory: Memory, offset: number, length: number, waiter: Waiter): 'taken' | 'later' {
		return this.#proposer.frame(memory, offset, length, waiter);
	}

	administer(request: Uint8Array): Promise<AdminReply> {
		return administer(this, request);
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
		this.#proposer.whenRoom(callback);
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

	subscribe(client: ClientService, isWanted: boolean): void {
		if (isWanted) this.#subscribers.add(client);
		else this.#subscribers.delete(client);
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
		telling.role(this.#parts, role);
		this.#transfers.look();
		this.#handover.look();
		this.#subscribers.tell(() => this.status());
		this.emit('role', { role, term, leader });
	}

	configurationChanged(): void {
		this.#parts.roster.update();
		telling.members(this.#parts);
		this.#subscribers.tell(() => this.status());
	}

	mustLeaveJoint(): void {
		this.#memberChanges.leaveJoint();
	}

	ticked(): void {
		const { roster } = this.#parts;
		if (roster.isUnsettled) roster.update();
		this.#memberChanges.tick();
		this.#fullDisk.tick();
	}

	leadershipLost(successor: number, term: number): void {
		telling.leadershipLost(this.#parts, successor, term);
		this.#memberChanges.lost('leadership was lost');
		const { proposals, sessions, raft } = this.#parts;
		sessions.forgetAccepted();
		const isHandedOver = successor > 0 && raft.role !== Role.leader;
		const error = new NotLeader(raft.role === Role.leader ? 0 : raft.leader);
		if (isHandedOver) this.#handover.begin();
		else proposals.fail(error, 'leadership was lost');
		this.#proposer.roomMayBe();
	}

	commitAdvanced(): void {
		this.#memberChanges.advanced();
		if (this.#commitWaiters.length === 0) return;
		const waiters = this.#commitWaiters;
		this.#commitWaiters = [];
		for (const callback of waiters) callback();
	}

	transferFailed(): void {
		this.#transfers.failed();
	}

	/** A batch was applied: what it held is free. */
	roomMayBe(): void {
		this.#handover.look();
		this.#proposer.roomMayBe();
	}

	peerBehind(peer: number): void {
		telling.behind(this.#parts, peer);
		this.emit('peer-behind', peer);
	}

	/** A snapshot that was taken here is durable. */
	snapshotTaken({ index, bytes, isFull }: StoredSnapshot): void {
		telling.taken(this.#parts, { index, bytes, isFull });
		this.emit('snapshot', { index, bytes, isFull });
	}

	installed({ index, bytes }: StoredSnapshot): void {
		// After a handover some may still wait.
		this.#parts.proposals.failSent('a snapshot stands for what became of it');
		telling.installed(this.#parts, { index, bytes });
		this.emit('installed', { index, bytes });
	}

	probationOver(): void {
		this.#admission?.end();
	}

	/** The replica stops for good: it acknowledges nothing more and leads no more. */
	fail(error: Error): void {
		if (this.#stopped !== null) return;
		telling.stopped(this.#parts, error);
		this.#stopServing(new Stopped(error.message, error));
		this.emit('stopped', error);
	}

	// ---- The end ----

	#stopServing(why: Stopped): void {
		this.#stopped = why;
		const { loop, applier, proposals, reads, roster, snapshots, receiver, probe } = this.#parts;
		probe.recorder?.stop();
		probe.recorder = null;
		loop.stop();
		snapshots.stop(why);
		receiver.stop();
		applier.stop();
		roster.close();
		this.#memberChanges.lost('the replica stopped');
		this.#transfers.stop(why);
		this.#handover.stop();
		proposals.fail(why, 'the replica stopped');
		reads.failAll('the replica stopped');
		this.#proposer.roomMayBe();
		this.commitAdvanced();
	}

	async #close(why: Stopped): Promise<void> {
		if (this.#stopped === null) this.#stopServing(why);
		const { listener, log, machine, lock, proposals, applier, window, snapshots, receiver } =
			this.#parts;
		try {
			await listener?.close();
			await this.#admission?.close();
			await this.#parts.membersFile.close();
			await log.close();
			proposals.close();
			window.truncate(0);
			await applier.settled();
			await snapshots.settled();
			await receiver.settled();
			await machine.close?.();
		} finally {
			await lock.release();
			this.#parts.chronicle.tell('', 'closed', {});
			this.emit('closed');
		}
	}
}
