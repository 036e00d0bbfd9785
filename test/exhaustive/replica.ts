import { assert } from '../../src/assert.js';
import type { Raft } from '../../src/raft/raft.js';
import {
	type Input,
	InputKind,
	type Message,
	MessageKind,
	type Output,
	Role,
} from '../../src/raft/types.js';
import { type Cores, expire, resetEpoch } from './core-state.js';
import {
	type Disk,
	damaged,
	probationOf,
	restarted,
	soundDisk,
	type Write,
	wiped,
	written,
} from './disk.js';
import { type Event, EventKind } from './events.js';
import type { CoreModule } from './instrumented-core.js';
import type { Letters } from './messages.js';

/** A read that waits: its round, and the lowest index that a linearizable answer may reflect. */
export interface Read {
	readonly round: number;
	readonly floor: number;
}

/** All of one replica between two events: its core, what its process holds, and its disk. Nothing of it is ever changed. */
export interface ReplicaState {
	readonly id: number;
	readonly raft: Raft;
	/** The log as the core was told it is. */
	readonly log: readonly number[];
	readonly disk: Disk;
	/** Handed to the disk, oldest first. */
	readonly writes: readonly Write[];
	readonly reads: readonly Read[];
}

/** What may be of interest about one step. */
export interface Seen {
	truncation: boolean;
	rejection: boolean;
	readConfirmed: boolean;
	/** An entry of an earlier term was committed along with one of the leader's own. */
	olderTermCommitted: boolean;
	/** A write of an earlier epoch was completed. */
	staleCompletion: boolean;
	/** It is on probation no more. */
	admission: boolean;
}

/** What may speak of a term that isn't durable: a pre-vote isn't of this term, and a bound may be too high. */
const promiseNothing = new Set<MessageKind>([
	MessageKind.preVote,
	MessageKind.standing,
	MessageKind.standingResponse,
]);

/** What an event made of a replica, and what it sent then. */
export interface Outcome {
	readonly state: ReplicaState;
	readonly sent: readonly number[];
	readonly seen: Seen;
}

/** A host for the core, as the loop of a replica is: does what outputs say, in their order. */
export class Host {
	readonly #cores: Cores;
	readonly #letters: Letters;
	readonly #input: Input;
	readonly #output: Output;
	readonly #isDiskSlow: boolean;
	#id = 0;
	#raft!: Raft;
	#log: number[] = [];
	#disk: Disk = soundDisk(0, 0, []);
	#writes: Write[] = [];
	#reads: Read[] = [];
	#sent: number[] = [];
	#seen: Seen = nothingSeen();
	/** Of the read that begins. */
	#floor = 0;

	constructor(module: CoreModule, cores: Cores, letters: Letters, isDiskSlow: boolean) {
		this.#cores = cores;
		this.#letters = letters;
		this.#isDiskSlow = isDiskSlow;
		this.#input = new module.Input(16);
		this.#output = new module.Output();
		this.#input.now = cores.now;
	}

	born(id: number, disk: Disk, committed: number): ReplicaState {
		const probation = probationOf(disk);
		const raft = this.#cores.born(id, { ...disk, committed, probation });
		raft.invariants();
		return { id, raft, log: disk.log, disk, writes: [], reads: [] };
	}

	/** The replica after the event, and what it sent. Throws if it breaks a promise that it can be held to alone. */
	run(state: ReplicaState, event: Event): Outcome {
		this.#take(state);
		if (event.kind === EventKind.crash) return this.#crash(event);
		if (event.kind === EventKind.wipe) return this.#startAgain(wiped(this.#disk), 0);
		if (event.kind === EventKind.damage)
			return this.#startAgain(damaged(this.#disk, event.count), 0);
		this.#happen(event);
		while (!this.#isDiskSlow && this.#writes.length > 0) this.#persist(this.#writes.length);
		this.#mirrors();
		return { state: this.#state(), sent: this.#sent, seen: this.#seen };
	}

	#take(state: ReplicaState): void {
		this.#id = state.id;
		this.#raft = this.#cores.copy(state.raft);
		this.#log = [...state.log];
		this.#disk = state.disk;
		this.#writes = [...state.writes];
		this.#reads = [...state.reads];
		this.#sent = [];
		this.#seen = nothingSeen();
	}

	/** Truncations before this state don't matter, but for the writes that are still under way. */
	#state(): ReplicaState {
		const { epoch } = this.#raft;
		const writes = this.#writes.map((write) =>
			write.kind === 'append' ? { ...write, epoch: write.epoch === epoch ? 0 : -1 } : write,
		);
		resetEpoch(this.#raft);
		return {
			...{ id: this.#id, raft: this.#raft, log: this.#log },
			...{ disk: this.#disk, writes, reads: this.#reads },
		};
	}

	#happen({ kind, count, number }: Event): void {
		switch (kind) {
			case EventKind.timeOut:
				expire(this.#raft, 'electionAt');
				expire(this.#raft, 'contactAt');
				return this.#step(InputKind.tick);
			case EventKind.silence:
				return expire(this.#raft, 'contactAt');
			case EventKind.heartbeat:
				expire(this.#raft, 'heartbeatAt');
				return this.#step(InputKind.tick);
			case EventKind.ask:
				expire(this.#raft, 'askAt');
				return this.#step(InputKind.tick);
			case EventKind.propose:
				return this.#propose();
			case EventKind.read:
				this.#floor = number;
				return this.#step(InputKind.read);
			case EventKind.disconnect:
				this.#input.peer = count;
				return this.#step(InputKind.disconnected);
			case EventKind.persist:
				return this.#persist(count);
			case EventKind.deliver:
				return this.#deliver(number, count);
		}
	}

	#crash({ count, number }: Event): Outcome {
		const { committed, persisted } = this.#raft;
		const remembered = number === 0 ? 0 : Math.min(committed, persisted);
		this.#write(this.#writes.slice(0, count));
		return this.#startAgain(this.#disk, remembered);
	}

	#startAgain(disk: Disk, committed: number): Outcome {
		const state = this.born(this.#id, restarted(disk), committed);
		return { state, sent: [], seen: this.#seen };
	}

	#propose(): void {
		this.#input.count = 1;
		this.#step(InputKind.propose);
	}

	#deliver(number: number, count: number): void {
		const { message, terms } = this.#letters.get(number);
		Object.assign(this.#input.message, message);
		this.#input.batchCount = count;
		for (let i = 0; i < count; i += 1) {
			this.#input.batchLast[i] = message.index + i + 1;
			this.#input.batchTerm[i] = terms[i]!;
		}
		this.#step(InputKind.message, terms);
	}

	#persist(count: number): void {
		const done = this.#writes.splice(0, count);
		this.#write(done);
		const hardState = done.findLast((write) => write.kind === 'hardState');
		if (hardState !== undefined) {
			this.#input.term = hardState.term;
			this.#input.vote = hardState.vote;
			this.#step(InputKind.hardStateSaved);
		}
		const append = done.findLast((write) => write.kind === 'append');
		if (append !== undefined) {
			if (append.epoch !== this.#raft.epoch) this.#seen.staleCompletion = true;
			this.#input.index = append.index;
			this.#input.epoch = append.epoch;
			this.#step(InputKind.persisted);
		}
		if (!done.some((write) => write.kind === 'admission')) return;
		this.#seen.admission = true;
		this.#step(InputKind.admitted);
	}

	#write(writes: readonly Write[]): void {
		for (const write of writes) this.#disk = written(this.#disk, write);
	}

	/** One step, and whatever follows from it at once. */
	#step(kind: InputKind, terms: readonly number[] = []): void {
		const { committed, role } = this.#raft;
		this.#input.kind = kind;
		this.#raft.step(this.#input, this.#output);
		this.#raft.invariants();
		const output = this.#output;
		assert(output.committed >= committed, 'the commit index never goes back');
		const leads = role === Role.leader && output.role === Role.leader;
		assert(output.truncateTo < 0 || !leads, 'a leader only appends to its log');
		this.#obey(terms);
		this.#noteCommit(committed);
		if (kind === InputKind.read) this.#reads.push({ round: output.readRound, floor: this.#floor });
		this.#answerReads();
		if (output.becameLeader) this.#propose();
		else this.#pump();
	}

	#obey(terms: readonly number[]): void {
		const { saveHardState, truncateTo, appendFrom, firstIndex, term, vote, epoch } = this.#output;
		if (saveHardState) this.#writes.push({ kind: 'hardState', term, vote });
		if (truncateTo >= 0) {
			this.#seen.truncation = true;
			this.#log.length = truncateTo;
			this.#writes.push({ kind: 'truncate', index: truncateTo });
		}
		if (appendFrom >= 0) {
			for (let i = appendFrom; i < this.#input.batchCount; i += 1) this.#append(terms[i]!, epoch);
		}
		if (firstIndex > 0) {
			assert(firstIndex === this.#log.length + 1, 'a proposal goes behind the log');
			this.#append(term, epoch);
		}
		if (this.#output.probationOver) this.#writes.push({ kind: 'admission' });
		for (let i = 0; i < this.#output.messageCount; i += 1)
			this.#send(this.#output.messages[i]!, []);
	}

	#append(term: number, epoch: number): void {
		this.#log.push(term);
		this.#writes.push({ kind: 'append', index: this.#log.length, term, epoch });
	}

	/** What a sender does: as long as the core allows it, all that a peer lacks. */
	#pump(): void {
		for (const peer of [1, 2, 3]) {
			for (let from = this.#raft.sendFrom(peer); from > 0; from = this.#raft.sendFrom(peer)) {
				const terms = this.#log.slice(from - 1);
				this.#input.kind = InputKind.sent;
				this.#input.peer = peer;
				this.#input.first = from;
				this.#input.index = this.#log.length;
				this.#input.bytes = terms.length;
				this.#raft.step(this.#input, this.#output);
				this.#raft.invariants();
				this.#send(this.#output.messages[0]!, terms);
			}
		}
	}

	/** Rules 1 and 5: nothing is said that the disk doesn't back. */
	#send(message: Message, terms: readonly number[]): void {
		const { kind, term, to, rejected, index } = message;
		const disk = this.#disk;
		const isAboutTerm =
			!promiseNothing.has(kind) && (kind !== MessageKind.preVoteResponse || rejected);
		assert(!isAboutTerm || disk.term >= term, 'a term is durable before it is spoken of');
		const vote = disk.term === term ? disk.vote : 0;
		if (kind === MessageKind.vote) assert(vote === this.#id, 'the candidate’s own vote is durable');
		if (kind === MessageKind.voteResponse && !rejected) assert(vote === to, 'a vote is durable');
		if (kind === MessageKind.appendResponse) {
			assert(rejected || disk.log.length >= index, 'what is acknowledged is durable');
			if (rejected) this.#seen.rejection = true;
		}
		this.#sent.push(this.#letters.number(message, terms));
	}

	#noteCommit(before: number): void {
		const { committed } = this.#output;
		if (committed === before || this.#output.role !== Role.leader) return;
		if (this.#log[before]! < this.#output.term) this.#seen.olderTermCommitted = true;
	}

	/** A read reflects all that was committed when it began; and it is answered or fails. */
	#answerReads(): void {
		const { readConfirmed, readIndex, readsFailed, role } = this.#output;
		for (const { round, floor } of this.#reads) {
			if (round > readConfirmed) continue;
			assert(readIndex >= floor, 'a read is not stale');
			this.#seen.readConfirmed = true;
		}
		this.#reads = this.#reads.filter(({ round }) => round > readConfirmed);
		if (role === Role.leader) return;
		assert(readsFailed || this.#reads.length === 0, 'reads fail with the leadership');
		this.#reads = [];
	}

	/** What the core thinks of its log is what the host was told. */
	#mirrors(): void {
		const { lastIndex, persisted } = this.#raft;
		assert(lastIndex === this.#log.length, 'the host has all entries of the core');
		this.#log.forEach((term, at) => {
			assert(this.#raft.termAt(at + 1) === term, 'the host has the entries of the core');
			const isPersisted = at < persisted;
			assert(!isPersisted || this.#disk.log[at] === term, 'what the core holds for durable is');
		});
	}
}

function nothingSeen(): Seen {
	return {
		...{ truncation: false, rejection: false, readConfirmed: false },
		...{ olderTermCommitted: false, staleCompletion: false, admission: false },
	};
}
