import { assert } from '../assert.js';
import { Ballot } from './ballot.js';
import type { Configuration } from './configuration.js';
import { Following } from './following.js';
import { HardState } from './hard-state.js';
import { isHeard } from './hearing.js';
import { Log } from './log.js';
import { Outbox } from './outbox.js';
import { Probation } from './probation.js';
import type { PeerProgress } from './progress.js';
import { ReadQuestions } from './read-questions.js';
import { Rest } from './rest.js';
import { assertRole } from './role-invariants.js';
import { type RoleParts, Roles } from './roles.js';
import { Timeouts } from './timeouts.js';
import { BY_TRANSFER, type Transfer } from './transfer.js';
import {
	type Input,
	InputKind,
	type Message,
	MessageKind,
	type Output,
	type RaftOptions,
	Role,
} from './types.js';

/**
 * One replica's part in the consensus of its group (Ongaro & Ousterhout, "In Search of an Understandable
 * Consensus Algorithm", with the pre-vote, check-quorum and read index of Ongaro's thesis). A function
 * of its inputs: no clock, no chance, no I/O; and nothing is allocated except at elections.
 *
 * This file says what an input is to a replica in its role. How one role becomes another is in `roles.ts`; what a role
 * knows and does is in `following.ts`, `votes.ts` and `leadership.ts`.
 */
export class Raft {
	readonly #options: RaftOptions;
	readonly #id: number;
	readonly #timeouts: Timeouts;
	readonly #hardState: HardState;
	readonly #log: Log;
	readonly #outbox: Outbox;
	readonly #ballot: Ballot;
	readonly #following: Following;
	readonly #questions: ReadQuestions;
	readonly #roles: Roles;
	/** Null where groups don't rest. */
	readonly #rest: Rest | null;
	/** Null for a voter. Invariant: who is on probation neither votes nor stands. */
	#probation: Probation | null = null;

	constructor(options: RaftOptions) {
		const { id, now } = options;
		this.#options = options;
		this.#id = id;
		this.#timeouts = new Timeouts(Math.floor(now), options.electionTimeoutMs, options.seed);
		this.#hardState = new HardState(options.term, options.vote);
		this.#log = new Log(options);
		assert(this.#log.lastTerm <= options.term, 'no entry is newer than the hard state');
		this.#outbox = new Outbox(options);
		this.#ballot = new Ballot(options, this.#hardState, this.#log, this.#outbox);
		this.#following = new Following(options, this.#hardState, this.#log, this.#outbox);
		this.#questions = new ReadQuestions(options, this.#hardState, this.#following, this.#outbox);
		const parts: RoleParts = {
			options,
			timeouts: this.#timeouts,
			hardState: this.#hardState,
			log: this.#log,
			outbox: this.#outbox,
			ballot: this.#ballot,
			following: this.#following,
			questions: this.#questions,
		};
		this.#roles = new Roles(parts);
		this.#rest = options.mayRest === true ? new Rest(parts, this.#roles) : null;
		if (options.probation !== null) {
			assert(!this.#log.configurations.isSolitary(this.#id), 'a solitary voter has nobody to ask');
			this.#probation = new Probation(options, this.#hardState, this.#log, this.#outbox);
		}
		// A solitary voter needn't wait, but for a leader that isn't in its configuration and may have a lease by its promise.
		const isAlone = this.#log.configurations.isSolitary(this.#id) && options.leaseDriftMax === null;
		if (!isAlone) this.#timeouts.postponeElection();
	}

	get term(): number {
		return this.#hardState.term;
	}

	/** Whom this replica voted for in this term; 0 = nobody. */
	get vote(): number {
		return this.#hardState.vote;
	}

	get role(): Role {
		return this.#roles.role;
	}

	/** The leader of this term; 0 while unknown. */
	get leader(): number {
		return this.#roles.leader;
	}

	get committed(): number {
		return this.#log.committed;
	}

	get lastIndex(): number {
		return this.#log.lastIndex;
	}

	get persisted(): number {
		return this.#log.persisted;
	}

	get compacted(): number {
		return this.#log.compacted;
	}

	/** How often the log was truncated: see `Output.epoch`. */
	get epoch(): number {
		return this.#log.epoch;
	}

	/** The disk has term and vote as they are: `hardStateSaved` has nothing to tell. */
	get isHardStateSaved(): boolean {
		return this.#hardState.isSaved;
	}

	/** The term of the entry at `index`; -1 where it is unknown: below `compacted` or above `lastIndex`. */
	termAt(index: number): number {
		return this.#log.termAt(index);
	}

	/** In force: the last one in the log. Another object whenever it is another one. */
	get configuration(): Configuration {
		return this.#log.configurations.current;
	}

	/** Does it lead, with nothing of an earlier change pending, and is an entry of its term committed? */
	get mayConfigure(): boolean {
		return this.#roles.leadership?.mayConfigure ?? false;
	}

	/** Null for a voter. Else whom this replica still waits for; nobody once it only has to catch up. */
	get probation(): readonly number[] | null {
		return this.#probation === null ? null : this.#probation.missing;
	}

	/** The next index to send to `peer`. 0: not now, because this replica doesn't lead, the peer has
	 * everything, its window is full, its probe is unanswered, or it needs a snapshot. */
	sendFrom(peer: number): number {
		return this.#roles.leadership === null ? 0 : this.#roles.leadership.sendFrom(peer);
	}

	/** Bytes left in the peer's window. While any are, one batch may be sent even if it is larger. */
	sendBytesMax(peer: number): number {
		return this.#roles.leadership?.peer(peer)?.bytesLeft ?? 0;
	}

	/** Were the entries that `peer` needs next dropped from the log? */
	needsSnapshot(peer: number): boolean {
		return this.#roles.leadership?.needsSnapshot(peer) ?? false;
	}

	/** Nothing happens here before something happens: ticks may be left out. */
	get isResting(): boolean {
		return this.#rest?.isResting ?? false;
	}

	/** How far handing over has come, as a live view; null unless this replica leads. */
	get transfer(): Transfer | null {
		return this.#roles.leadership === null ? null : this.#roles.leadership.transfer;
	}

	/** Up to where the log must be applied for a read at `now`, if this replica leads and its lease holds; else -1. */
	leasedIndex(now: number): number {
		return this.#roles.leadership?.leasedIndex(Math.floor(now)) ?? -1;
	}

	/** How far a peer is, as a live view; null unless this replica leads and sends to `peer`. */
	progress(peer: number): PeerProgress | null {
		return this.#roles.leadership?.peer(peer) ?? null;
	}

	/** Takes one input; `output` says what must happen now (see there). */
	step(input: Input, output: Output): void {
		const { term, role, leader, configuration } = this;
		// Whole milliseconds: they are small integers to the engine, where fractions are objects.
		this.#timeouts.advance(Math.floor(input.now));
		const isDiskIdle = this.#log.persisted === this.#log.lastIndex && this.#hardState.isSaved;
		if (isDiskIdle) this.#timeouts.diskProgressed();
		this.#outbox.open(output);
		if (this.#rest !== null) this.#rest.before(input);
		this.#dispatch(input, output);
		if (this.#roles.leadership?.leaves(this.#timeouts.now))
			this.#roles.becomeFollower(this.term, 0);
		if (this.#probation?.ends(this.#following.reached)) output.probationOver = true;
		output.configurationChanged = configuration !== this.configuration;
		output.mustLeaveJoint = this.#roles.leadership?.mustLeaveJoint ?? false;
		output.saveHardState = this.#hardState.takeChanged();
		this.#outbox.report(this);
		output.roleChanged = role !== this.role || leader !== this.leader || term !== this.term;
	}

	/** Asserts whatever must hold between two steps. */
	invariants(): void {
		this.#log.invariants();
		assert(this.#log.lastTerm <= this.term, 'no entry is newer than the term');
		assertRole(this, this.#id, this.#roles.leadership, this.#roles.votes, this.#hardState.isSaved);
		this.#following.invariants(this.role === Role.follower && this.leader !== 0);
		this.#roles.leadership?.invariants();
		this.#rest?.invariants();
	}

	#dispatch(input: Input, output: Output): void {
		switch (input.kind) {
			case InputKind.tick:
				this.#tick();
				break;
			case InputKind.message:
				this.#receive(input);
				break;
			case InputKind.persisted:
				this.#persisted(input.index, input.epoch);
				break;
			case InputKind.hardStateSaved:
				this.#hardStateSaved(input.term, input.vote);
				break;
			case InputKind.compacted:
				this.#log.compact(input.index);
				break;
			case InputKind.installed:
				if (this.#roles.leadership === null) this.#following.install(input, this.leader);
				break;
			case InputKind.admitted:
				this.#probation = this.#following.admitted();
				this.#timeouts.postponeElection();
				break;
			case InputKind.wake:
				break;
			case InputKind.transfer:
				output.refused = !this.#transfer(input.peer);
				break;
			default:
				if (this.#roles.leadership !== null) this.#roles.leadership.step(input, this.#timeouts.now);
				else if (input.kind !== InputKind.read) output.refused = true;
				else this.#questions.read(input.mayLease, this.#timeouts.now, this.leader);
		}
	}

	// ---- time and disk

	#tick(): void {
		if (this.isResting) return;
		const mayJudge = this.#timeouts.tick();
		if (mayJudge && this.#mustStepDown()) this.#roles.becomeFollower(this.term, 0);
		if (this.#probation !== null) this.#probation.tick(this.#timeouts.now, this.leader);
		else if (this.#roles.leadership !== null) this.#leads();
		else if (mayJudge && this.#timeouts.isElectionDue) this.#roles.campaign();
		this.#questions.tick(this.#timeouts.now, this.leader);
	}

	#leads(): void {
		const hasBeaten = this.#roles.leadership!.tick(this.#timeouts.now);
		if (hasBeaten && this.#rest !== null) this.#rest.invite();
	}

	/** Check-quorum: a leader that can't hear a majority may have been replaced. And one whose disk is
	 * stuck must go, although its followers could carry it for ever. */
	#mustStepDown(): boolean {
		if (this.#roles.leadership === null) return false;
		const contactAt = this.#roles.leadership.contactAt(this.#timeouts.now);
		return this.#timeouts.isSilentSince(contactAt) || this.#timeouts.isDiskStalled;
	}

	/** Was a leader heard from so recently that nobody should want another? With leases that is a promise, which the end
	 * of that leader's term doesn't end. */
	#hasLiveLeader(): boolean {
		if (this.role === Role.leader) return true;
		const isBound = this.leader !== 0 || this.#options.leaseDriftMax !== null;
		return isBound && !this.#timeouts.isSilentSince(this.#following.contactAt);
	}

	#persisted(index: number, epoch: number): void {
		const before = this.#log.persisted;
		if (!this.#log.persist(index, epoch)) return;
		this.#timeouts.diskProgressed();
		if (this.#roles.leadership !== null) this.#roles.leadership.advanceCommit(this.#timeouts.now);
		else if (this.leader !== 0) this.#following.persisted(before, this.leader);
	}

	/** What had to wait for the hard state goes out now. It follows from the state; nothing was queued. */
	#hardStateSaved(term: number, vote: number): void {
		if (!this.#hardState.saved(term, vote)) return;
		if (this.role === Role.candidate) this.#roles.requestElection();
		else if (this.leader !== 0) this.#following.termSaved(this.leader);
		else if (this.vote !== 0 && this.vote !== this.#id) this.#ballot.grantVote();
	}

	// ---- messages

	#receive(input: Input): void {
		const { message } = input;
		if (!isHeard(message, this.#options, this)) return;
		if (message.kind === MessageKind.standing)
			this.#ballot.answer(message, this.#probation, this.#roles.leadership);
		else if (message.kind === MessageKind.standingResponse) this.#onStanding(message);
		else if (this.#probation?.isAsking) return;
		else if (message.kind === MessageKind.preVote) this.#onPreVote(message);
		else if (message.kind === MessageKind.preVoteResponse) this.#roles.preVoted(message);
		else if (message.term < this.term) this.#ballot.answerStale(message);
		else if (this.#enterTermOf(message)) this.#onCurrent(message, input);
	}

	/** What it says may be another term: who led in the one before leads no more. */
	#onStanding(message: Message): void {
		const { term } = this;
		this.#probation?.answered(message);
		if (this.term !== term) this.#roles.becomeFollower(this.term, 0);
	}

	/** False if the message's term is to be ignored: a live leader isn't deposed by who can't hear it. */
	#enterTermOf(message: Message): boolean {
		if (message.term === this.term) return true;
		const isVote = message.kind === MessageKind.vote && message.context !== BY_TRANSFER;
		if (isVote && this.#hasLiveLeader()) return false;
		this.#roles.becomeFollower(message.term, 0);
		return true;
	}

	#onCurrent(message: Message, input: Input): void {
		switch (message.kind) {
			case MessageKind.append:
				this.#onAppend(message, input);
				break;
			case MessageKind.appendResponse:
				this.#roles.leadership?.answered(message, this.#timeouts.now);
				break;
			case MessageKind.vote:
				this.#onVote(message);
				break;
			case MessageKind.readIndex:
				this.#roles.leadership?.askedIndex(message, this.#timeouts.now);
				break;
			case MessageKind.readIndexResponse:
				this.#questions.answered(message, this.#timeouts.now, this.leader);
				break;
			case MessageKind.voteResponse:
				this.#roles.voted(message);
				break;
			case MessageKind.timeoutNow:
				this.#onTimeoutNow(message);
				break;
			case MessageKind.transfer:
				this.#onTransfer(message);
				break;
			case MessageKind.rest:
				this.#rest?.invited(message, this.#probation === null && !this.#questions.isPending);
				break;
			case MessageKind.restResponse:
				this.#rest?.answered(message);
				break;
		}
	}

	#onAppend(message: Message, input: Input): void {
		assert(this.role !== Role.leader, 'a term has one leader');
		assert(this.leader === 0 || this.leader === message.from, 'a term has one leader');
		if (this.leader === 0) this.#roles.becomeFollower(this.term, message.from);
		this.#timeouts.postponeElection();
		this.#following.append(input, this.#timeouts.now);
	}

	#onPreVote(message: Message): void {
		const isVoter = this.#probation === null;
		const isWelcome = isVoter && message.term > this.term && !this.#hasLiveLeader();
		this.#ballot.answerPreVote(message, isWelcome);
	}

	#onVote(message: Message): void {
		const isBound = this.#hasLiveLeader() && message.context !== BY_TRANSFER;
		const isFree = this.vote === 0 && this.leader === 0 && !isBound;
		const mayVote = this.#probation === null && (isFree || this.vote === message.from);
		if (this.#ballot.answerVote(message, mayVote)) this.#timeouts.postponeElection();
	}

	#transfer(target: number): boolean {
		const { now } = this.#timeouts;
		if (this.#roles.leadership !== null)
			return this.#roles.leadership.handOver(target, this.#id, now);
		return this.leader !== 0 && this.#ballot.wish(this.leader, target);
	}

	/** A follower wishes it, or the leader doesn't do it. */
	#onTransfer({ from, index, rejected }: Message): void {
		if (rejected) this.#outbox.output.transferFailed = from === this.#roles.leader;
		else this.#roles.leadership?.asked(index, from, this.#timeouts.now);
	}

	/** The leader hands over: no silence to wait for, and no need to ask whether an election could be won. */
	#onTimeoutNow(message: Message): void {
		if (message.rejected) return this.#roles.leadership?.transfer.declined(message.from);
		if (this.leader !== message.from) return;
		const isAble = this.#probation === null && !this.#timeouts.isDiskStalled;
		if (!isAble) this.#ballot.refuse(MessageKind.timeoutNow, message.from);
		else if (this.#ballot.mayStandAtOnce(message)) this.#roles.becomeCandidate(true);
	}
}
