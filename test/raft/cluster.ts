import { Raft } from '../../src/raft/raft.js';
import {
	Input,
	InputKind,
	type Message,
	MessageKind,
	Output,
	type RaftOptions,
} from '../../src/raft/types.js';
import { type Batch, runsOf } from './batches.js';

export { type Batch, logOf, runsOf } from './batches.js';

/** One message on its way; an append carries its batches. */
export interface Envelope {
	readonly message: Message;
	readonly batches: readonly Batch[];
}

/** One write: what it makes durable, and what the core is told then. */
type Write =
	| { readonly kind: 'hardState'; readonly term: number; readonly vote: number }
	| { readonly kind: 'truncate'; readonly index: number }
	| { readonly kind: 'append'; readonly batch: Batch; readonly epoch: number }
	| { readonly kind: 'admission' };

export interface Disk {
	term: number;
	vote: number;
	batches: Batch[];
	/** Set while this disk may have lost something. */
	probation: 'new' | 'damaged' | null;
	/** The batches that its snapshot stands for. */
	snapshot: readonly Batch[];
}

export const timing = { electionTimeoutMs: 100, heartbeatMs: 20 };
const window = { inflightMessagesMax: 4, inflightBytesMax: 400 };
export const batchBytes = 100;

/** One core with the log it speaks of, and a disk that writes when it is told to. */
export class Replica {
	readonly id: number;
	readonly voters: readonly number[];
	readonly disk: Disk = { term: 0, vote: 0, batches: [], probation: null, snapshot: [] };
	/** What this disk held and lost. */
	readonly lost = new Set<Batch>();
	/** The log as the core sees it. */
	batches: Batch[] = [];
	writes: Write[] = [];
	raft: Raft;
	isUp = true;
	/** What a restart may count as committed: what this disk had, too, when it was. */
	committed = 0;
	compacted = 0;
	/** How fast its clock goes, and what it believes of those of others. */
	rate = 1;
	leaseDriftMax: number | null = null;
	mayRest = false;
	/** Of the voters, in their order; none: nobody is preferred. */
	priorities: readonly number[] = [];
	#lives = 0;

	constructor(id: number, voters: readonly number[], disk?: Disk) {
		this.id = id;
		this.voters = voters;
		if (disk !== undefined) this.disk = disk;
		this.raft = this.restart(0);
	}

	restart(now: number): Raft {
		this.#lives += 1;
		this.isUp = true;
		this.writes = [];
		this.#beginWithSnapshot();
		this.batches = [...this.disk.batches];
		const lastIndex = this.batches.at(-1)?.last ?? 0;
		this.committed = Math.min(this.committed, lastIndex);
		this.raft = new Raft({
			...options(this.id, this.voters),
			term: this.disk.term,
			vote: this.disk.vote,
			compactedIndex: this.compacted,
			compactedTerm: this.batches.find((batch) => batch.last === this.compacted)?.term ?? 0,
			runs: runsOf(this.batches.filter((batch) => batch.last > this.compacted)),
			lastIndex,
			committed: this.committed,
			leaseDriftMax: this.leaseDriftMax,
			mayRest: this.mayRest,
			...this.#configurations,
			life: this.id * 1e9 + this.#lives * 1e5 + 5e4,
			probation: this.#probation,
			seed: this.id * 1000 + this.#lives,
			now: now * this.rate,
		});
		return this.raft;
	}

	get #configurations(): Pick<RaftOptions, 'configurations'> {
		const { voters } = this;
		if (this.priorities.length === 0) return {};
		const priorities = new Map(this.priorities.map((priority, i) => [voters[i]!, priority]));
		const configuration = { voters, outgoing: [], learners: [], priorities };
		return { configurations: [{ index: 0, configuration }] };
	}

	/** A log that doesn't hold what its snapshot ends with begins anew behind it. */
	#beginWithSnapshot(): void {
		const { disk } = this;
		const last = disk.snapshot.at(-1);
		if (last === undefined) return;
		// Its term was never saved, so that nothing was promised in it.
		if (last.term > disk.term) disk.vote = 0;
		disk.term = Math.max(disk.term, last.term);
		if (disk.batches.includes(last)) return;
		disk.batches = [...disk.snapshot];
		this.compacted = last.last;
		this.committed = Math.max(this.committed, last.last);
	}

	get #probation(): RaftOptions['probation'] {
		const { probation } = this.disk;
		const question = this.id * 1e9 + this.#lives * 1e5;
		return probation === null ? null : { question, isNew: probation === 'new' };
	}

	/** The disk, of a replica that isn't running, has nothing any more behind the first `kept` batches; of what it
	 * promised it knows what it did when it had those, or nothing at all. */
	loseDisk(kept: number): void {
		const { disk } = this;
		for (const batch of disk.batches.splice(kept)) this.lost.add(batch);
		disk.term = disk.batches.at(-1)?.term ?? 0;
		disk.vote = 0;
		disk.snapshot = [];
		this.compacted = Math.min(this.compacted, disk.batches.at(-1)?.last ?? 0);
		disk.probation = kept === 0 ? 'new' : 'damaged';
		this.committed = Math.min(this.committed, disk.batches.at(-1)?.last ?? 0);
	}

	/** At most `count` batches, beginning with the one that holds `from`. */
	batchesFrom(from: number, count: number): Batch[] {
		const at = this.batches.findIndex((batch) => batch.last >= from);
		return at === -1 ? [] : this.batches.slice(at, at + count);
	}
}

export function options(id: number, voters: readonly number[]): RaftOptions {
	return {
		group: 1,
		id,
		voters,
		term: 0,
		vote: 0,
		compactedIndex: 0,
		compactedTerm: 0,
		runs: [],
		lastIndex: 0,
		committed: 0,
		life: 0,
		leaseDriftMax: null,
		probation: null,
		seed: id,
		now: 0,
		...timing,
		...window,
	};
}

/** Sees all that steps do: a step when its log and writes are in place, and then each message. */
export interface Witness {
	stepped(replica: Replica, input: Input, output: Output): void;
	sent(replica: Replica, envelope: Envelope): void;
}

/**
 * Several cores, a bag of messages and a disk each. It does what `Output` asks for and nothing on its own:
 * time, deliveries and writes happen when the test says so.
 */
export class Cluster {
	readonly replicas: Replica[];
	readonly witness: Witness;
	/** Messages that are sent from now on fall out of the bag if this says so. */
	isCut: (from: number, to: number) => boolean = () => false;
	/** How many batches an append takes along. */
	batchesMax = (): number => 2;
	bag: Envelope[] = [];
	now = 0;
	readonly #input = new Input(64);
	readonly #output = new Output();
	/** What is being installed. */
	#snapshot: readonly Batch[] = [];

	constructor(replicas: Replica[], witness: Witness) {
		this.replicas = replicas;
		this.witness = witness;
	}

	replica(id: number): Replica {
		return this.replicas.find((replica) => replica.id === id)!;
	}

	tick(replica: Replica): void {
		this.step(replica, (input) => {
			input.kind = InputKind.tick;
		});
	}

	propose(replica: Replica, count: number): boolean {
		const output = this.step(replica, (input) => {
			input.kind = InputKind.propose;
			input.count = count;
		});
		return !output.refused;
	}

	/** The round that will confirm the read, 0 if it was refused. */
	read(replica: Replica, mayLease = false): number {
		let round = 0;
		this.step(replica, (input, output) => {
			input.kind = InputKind.read;
			input.mayLease = mayLease;
			round = output === undefined ? 0 : output.readRound;
		});
		return round;
	}

	/** Somebody at this replica wishes that `target` leads. */
	transfer(replica: Replica, target: number): void {
		this.step(replica, (input) => {
			input.kind = InputKind.transfer;
			input.peer = target;
		});
	}

	/** What a lease read sees now; -1 if there is no lease. */
	leasedIndex(replica: Replica): number {
		return replica.raft.leasedIndex(this.now * replica.rate);
	}

	/** Of a stream with this peer something was heard: that it is lost, or there again. */
	wake(replica: Replica, peer: number): void {
		this.step(replica, (input) => {
			input.kind = InputKind.wake;
			input.peer = peer;
		});
	}

	disconnect(replica: Replica, peer: number): void {
		this.step(replica, (input) => {
			input.kind = InputKind.disconnected;
			input.peer = peer;
		});
	}

	compact(replica: Replica, index: number): void {
		replica.compacted = index;
		this.step(replica, (input) => {
			input.kind = InputKind.compacted;
			input.index = index;
		});
	}

	/** A snapshot of these batches is durable, and the core hears of it. */
	install(replica: Replica, snapshot: readonly Batch[]): void {
		const { last, term } = snapshot.at(-1)!;
		if (last > (replica.disk.snapshot.at(-1)?.last ?? 0)) replica.disk.snapshot = snapshot;
		this.#snapshot = snapshot;
		this.step(replica, (input) => {
			input.kind = InputKind.installed;
			input.index = last;
			input.term = term;
		});
	}

	deliver({ message, batches }: Envelope): void {
		const to = this.replica(message.to);
		if (!to.isUp) return;
		this.step(
			to,
			(input) => {
				input.kind = InputKind.message;
				Object.assign(input.message, message);
				input.batchCount = batches.length;
				for (const [i, batch] of batches.entries()) {
					input.batchLast[i] = batch.last;
					input.batchTerm[i] = batch.term;
				}
			},
			batches,
		);
	}

	/** The oldest `count` writes of a replica become durable, as one flush. */
	persist(replica: Replica, count = replica.writes.length): void {
		const { disk } = replica;
		const done = replica.writes.splice(0, count);
		for (const write of done) {
			if (write.kind === 'hardState') {
				disk.term = write.term;
				disk.vote = write.vote;
			} else if (write.kind === 'truncate') {
				disk.batches = disk.batches.filter((batch) => batch.last <= write.index);
			} else if (write.kind === 'append') {
				disk.batches.push(write.batch);
			} else {
				disk.probation = null;
			}
		}
		this.#tellHardState(replica, done);
		if (done.some((write) => write.kind === 'admission')) {
			this.step(replica, (input) => {
				input.kind = InputKind.admitted;
			});
		}
		this.#tellPersisted(replica, done);
	}

	crash(replica: Replica): void {
		replica.isUp = false;
		replica.writes = [];
	}

	/** One step, and whatever follows from it at once. */
	step(
		replica: Replica,
		fill: (input: Input, output?: Output) => void,
		batches: readonly Batch[] = [],
	): Output {
		const input = this.#input;
		const output = this.#output;
		input.now = this.now * replica.rate;
		fill(input);
		replica.raft.step(input, output);
		replica.raft.invariants();
		if (input.kind === InputKind.read) fill(input, output);
		this.#obey(replica, input, output, batches);
		const { becameLeader, wakeSenders, refused } = output;
		if (becameLeader) this.propose(replica, 1);
		else if (wakeSenders) this.#send(replica);
		const { transfer } = replica.raft;
		if (transfer?.isDue) this.transfer(replica, transfer.target);
		output.refused = refused;
		return output;
	}

	#obey(replica: Replica, input: Input, output: Output, batches: readonly Batch[]): void {
		if (output.saveHardState) {
			replica.writes.push({ kind: 'hardState', term: output.term, vote: output.vote });
		}
		if (output.truncateTo >= 0) {
			replica.batches = replica.batches.filter((batch) => batch.last <= output.truncateTo);
			replica.writes.push({ kind: 'truncate', index: output.truncateTo });
		}
		if (output.resetTo >= 0) this.#reset(replica, output.resetTo);
		const before = replica.batches.at(-1) ?? null;
		if (output.appendFrom >= 0)
			this.#append(replica, batches.slice(output.appendFrom), output.epoch);
		if (output.firstIndex > 0) {
			const last = output.firstIndex + input.count - 1;
			const batch = { first: output.firstIndex, last, term: output.term, before };
			this.#append(replica, [batch], output.epoch);
		}
		if (output.probationOver) replica.writes.push({ kind: 'admission' });
		const { committed, persisted } = replica.raft;
		replica.committed = Math.max(replica.committed, Math.min(committed, persisted));
		this.witness.stepped(replica, input, output);
		for (let i = 0; i < output.messageCount; i += 1) {
			this.#post(replica, { message: { ...output.messages[i]! }, batches: [] });
		}
	}

	/** Its disk may still hold the old log; but a restart would begin with the snapshot. */
	#reset(replica: Replica, index: number): void {
		replica.batches = [...this.#snapshot];
		replica.disk.batches = [...this.#snapshot];
		replica.writes = replica.writes.filter(({ kind }) => kind !== 'append' && kind !== 'truncate');
		replica.compacted = index;
	}

	#append(replica: Replica, batches: readonly Batch[], epoch: number): void {
		for (const batch of batches) {
			replica.batches.push(batch);
			replica.writes.push({ kind: 'append', batch, epoch });
		}
	}

	/** What a sender does: as long as the core allows it, the next run of batches to each peer. */
	#send(replica: Replica): void {
		for (const peer of replica.voters) {
			for (let from = replica.raft.sendFrom(peer); from > 0; from = replica.raft.sendFrom(peer)) {
				const room = Math.floor(replica.raft.sendBytesMax(peer) / batchBytes);
				const batches = replica.batchesFrom(from, Math.min(this.batchesMax(), room));
				if (batches.length === 0) throw new Error(`nothing to send from ${from}`);
				this.#sendRun(replica, peer, batches);
			}
		}
	}

	#sendRun(replica: Replica, peer: number, batches: readonly Batch[]): void {
		const input = this.#input;
		input.kind = InputKind.sent;
		input.now = this.now * replica.rate;
		input.peer = peer;
		input.first = batches[0]!.first;
		input.index = batches.at(-1)!.last;
		input.bytes = batches.length * batchBytes;
		replica.raft.step(input, this.#output);
		replica.raft.invariants();
		this.#post(replica, { message: { ...this.#output.messages[0]! }, batches });
	}

	#post(replica: Replica, envelope: Envelope): void {
		this.witness.sent(replica, envelope);
		if (!this.isCut(envelope.message.from, envelope.message.to)) this.bag.push(envelope);
	}

	#tellHardState(replica: Replica, done: readonly Write[]): void {
		const write = done.findLast((each) => each.kind === 'hardState');
		if (write === undefined) return;
		this.step(replica, (input) => {
			input.kind = InputKind.hardStateSaved;
			input.term = write.term;
			input.vote = write.vote;
		});
	}

	#tellPersisted(replica: Replica, done: readonly Write[]): void {
		const write = done.findLast((each) => each.kind === 'append');
		if (write === undefined) return;
		this.step(replica, (input) => {
			input.kind = InputKind.persisted;
			input.index = write.batch.last;
			input.epoch = write.epoch;
		});
	}
}

export const kindName = Object.fromEntries(
	Object.entries(MessageKind).map(([name, kind]) => [kind, name]),
) as Record<MessageKind, string>;

/** Counted out, so that a mistake in the core's arithmetic isn't shared (rule 7). */
export function majority(count: number): number {
	return [0, 1, 2, 2, 3, 3, 4, 4][count]!;
}
