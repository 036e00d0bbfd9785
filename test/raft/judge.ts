import { assert } from '../../src/assert.js';
import { type Input, InputKind, MessageKind, type Output, Role } from '../../src/raft/types.js';
import type { Batch, Envelope, Replica, Witness } from './cluster.js';
import { majority } from './cluster.js';

/** A read that waits: its round, and the lowest index that a linearizable answer may reflect. */
interface Read {
	readonly round: number;
	readonly floor: number;
}

/**
 * Watches a cluster from outside, with knowledge that no replica has, and fails the test at the first
 * step that breaks what Raft promises (figure 3 of the paper) or the rules about disks.
 */
export class Judge implements Witness {
	/** All that was ever committed, in order, and the lowest term in which anyone knew it. */
	readonly committed: { readonly batch: Batch; readonly knownIn: number }[] = [];
	/** How much happened: a world in which nothing does proves nothing. */
	readonly seen = {
		elections: 0,
		truncations: 0,
		resets: 0,
		reads: 0,
		readsFailed: 0,
		readsOfFollowers: 0,
		leases: 0,
		rejections: 0,
		admissions: 0,
		transfers: 0,
		transfersFailed: 0,
	};
	readonly #replicas: () => readonly Replica[];
	readonly #leaderOf = new Map<number, number>();
	readonly #reads = new Map<Replica, Read[]>();
	readonly #leads = new Set<Replica>();
	/** How many batches each replica has committed, in this life. */
	readonly #count = new Map<Replica, number>();

	constructor(replicas: () => readonly Replica[]) {
		this.#replicas = replicas;
	}

	get committedIndex(): number {
		return this.committed.at(-1)?.batch.last ?? 0;
	}

	/** The replica lost its memory, and its reads with it. */
	forget(replica: Replica): void {
		this.#reads.delete(replica);
		this.#leads.delete(replica);
		this.#count.delete(replica);
	}

	stepped(replica: Replica, input: Input, output: Output): void {
		if (output.becameLeader) this.seen.elections += 1;
		if (output.truncateTo >= 0) this.seen.truncations += 1;
		if (output.resetTo >= 0) this.seen.resets += 1;
		if (output.readConfirmed > 0) this.seen.reads += 1;
		if (input.kind === InputKind.admitted) this.seen.admissions += 1;
		if (output.readsFailed) this.seen.readsFailed += 1;
		if (output.successor > 0) this.seen.transfers += 1;
		if (output.transferFailed) this.seen.transfersFailed += 1;
		if (output.role === Role.leader) this.#electionSafety(replica, output.term);
		if (output.becameLeader) this.#leaderCompleteness(replica, output.term);
		if (output.appendFrom >= 0 || output.firstIndex > 0) this.#logMatching(replica);
		this.#stateMachineSafety(replica, output);
		this.#linearizability(replica, input, output);
	}

	sent({ id, disk }: Replica, { message }: Envelope): void {
		const { kind, term, to, rejected, index } = message;
		if (kind === MessageKind.appendResponse && rejected) this.seen.rejections += 1;
		// A question keeps no promise; its answer only bounds those of others.
		if (kind === MessageKind.standing || kind === MessageKind.standingResponse) return;
		const dependsOnTerm =
			kind !== MessageKind.preVote && (kind !== MessageKind.preVoteResponse || rejected);
		// Rule 5: term and vote are durable before anybody hears of them.
		assert(!dependsOnTerm || disk.term >= term, 'the term is durable');
		const vote = disk.term === term ? disk.vote : 0;
		if (kind === MessageKind.vote) assert(vote === id, 'the candidate’s own vote is durable');
		if (kind === MessageKind.voteResponse && !rejected) assert(vote === to, 'the vote is durable');
		if (kind === MessageKind.appendResponse && !rejected && index > 0) {
			this.#acknowledgement(disk.batches, to, term, index);
		}
	}

	/** Rules 1 and 2: what is acknowledged is durable there, and the same as the leader has. */
	#acknowledgement(batches: readonly Batch[], to: number, term: number, index: number): void {
		const durable = batches.findLast((batch) => batch.last === index);
		assert(durable !== undefined, 'what is acknowledged is durable');
		const leader = this.#replicas().find((each) => each.id === to);
		if (leader?.isUp !== true || leader.raft.role !== Role.leader || leader.raft.term !== term)
			return;
		const asked = leader.batches.findLast((batch) => batch.last === index);
		assert(asked === durable, 'what is acknowledged is the leader’s');
	}

	/** At most one leader in a term. */
	#electionSafety({ id }: Replica, term: number): void {
		const leader = this.#leaderOf.get(term) ?? id;
		assert(id === leader, 'a term has one leader');
		this.#leaderOf.set(term, leader);
	}

	/** What was committed in an earlier term is in the log of every later leader. */
	#leaderCompleteness(replica: Replica, term: number): void {
		for (const [i, { batch, knownIn }] of this.committed.entries()) {
			if (knownIn >= term) return;
			assert(replica.batches[i] === batch, 'a leader has what was committed before');
		}
	}

	/** Two logs with the same entry are the same before it: batches name the one they were made behind. */
	#logMatching({ batches }: Replica): void {
		for (let i = Math.max(0, batches.length - 8); i < batches.length; i += 1) {
			assert(
				batches[i]!.before === (batches[i - 1] ?? null),
				'an entry follows the one it was made behind',
			);
		}
	}

	/** Everybody commits the same, in the same order, once it is durable on a majority; and never less. */
	#stateMachineSafety(replica: Replica, output: Output): void {
		let count = this.#count.get(replica) ?? 0;
		const before = count === 0 ? 0 : replica.batches[count - 1]!.last;
		assert(output.committed >= before, 'the commit index never goes back');
		while (count < replica.batches.length && replica.batches[count]!.last <= output.committed) {
			const batch = replica.batches[count]!;
			if (count === this.committed.length) {
				this.#isOnMajority(count, batch);
				this.committed.push({ batch, knownIn: output.term });
			}
			assert(this.committed[count]!.batch === batch, 'all commit the same');
			count += 1;
		}
		const border = count === 0 ? 0 : replica.batches[count - 1]!.last;
		assert(output.committed === border, 'batches are committed whole');
		this.#count.set(replica, count);
	}

	#isOnMajority(at: number, batch: Batch): void {
		const replicas = this.#replicas();
		let durable = 0;
		for (const { disk, lost } of replicas)
			if (disk.batches[at] === batch || lost.has(batch)) durable += 1;
		assert(durable >= majority(replicas.length), 'what is committed is on enough disks');
	}

	/** A read reflects all that was committed when it began; and it is answered, or has to ask again. */
	#linearizability(replica: Replica, input: Input, output: Output): void {
		const reads = this.#reads.get(replica) ?? [];
		if (input.kind === InputKind.read && !output.refused) {
			reads.push({ round: output.readRound, floor: this.committedIndex });
		}
		for (const { round, floor } of reads) {
			if (round > output.readConfirmed) continue;
			assert(output.readIndex >= floor, 'a read is not stale');
			if (output.role !== Role.leader) this.seen.readsOfFollowers += 1;
		}
		let waiting = reads.filter(({ round }) => round > output.readConfirmed);
		const leads = output.role === Role.leader;
		if (leads !== this.#leads.has(replica)) {
			assert(output.readsFailed || waiting.length === 0, 'reads ask again of another leader');
			if (leads) this.#leads.add(replica);
			else this.#leads.delete(replica);
		}
		if (output.readsFailed) waiting = [];
		this.#reads.set(replica, waiting);
	}

	/** Rule 18: what a lease read would see. */
	leased(index: number): void {
		if (index === -1) return;
		this.seen.leases += 1;
		assert(index >= this.committedIndex, 'a lease read is not stale');
	}

	/** Reads that were neither answered nor told to ask again. */
	get waiting(): number {
		let count = 0;
		for (const reads of this.#reads.values()) count += reads.length;
		return count;
	}
}
