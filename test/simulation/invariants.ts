import type { LogPosition } from '../../src/log/types.js';
import type { ReplicaParts } from '../../src/replica/open.js';
import type { ReplicaStatus } from '../../src/replica/types.js';
import type { DiskWitness, SeenMembers } from './cluster-witness.js';
import { type SeenBatch, seenBatch } from './cluster-witness.js';
import { MembersJudge } from './members-judge.js';
import { demand } from './violation.js';

/** After so many events the judge looks at those, too, who have nothing new to show. */
const LOOKS_PER_THOROUGH = 64;

/** What the judge knows of one replica. */
export interface Watched {
	readonly id: number;
	readonly witness: DiskWitness;
	/** Null while it isn't running. */
	readonly parts: ReplicaParts | null;
	/** It leads, as far as it knows, and hasn't stopped. */
	readonly isLeader: boolean;
	/** Changes whenever anything of its process has run: only then can its state be another. */
	readonly runs: number;
	/** `runs` when it was last judged. */
	judgedRuns: number;
	/** Of this life: how far its commit index was seen and compared. */
	committed: number;
	/** The term in which it was last seen as leader. */
	ledTerm: number;
}

/** The batch that holds `index` in a replica's log, wherever that lies. */
export function batchAt({ parts, witness }: Watched, index: number): SeenBatch | undefined {
	const window = parts?.window;
	const i = window === undefined ? -1 : window.find(index);
	if (window === undefined || i < 0) return witness.find(index);
	const { slab, offset } = window.at(i);
	return seenBatch(slab, offset);
}

/** Everything up to here a replica has in its snapshot. */
export function snapshotIndexOf({ parts }: Watched): number {
	return parts?.store.latest?.index ?? 0;
}

interface Committed extends SeenBatch {
	/** The lowest term in which some replica knew it. */
	readonly knownIn: number;
}

/**
 * Watches whole replicas from outside, with knowledge that none of them has, and throws at the first event that
 * breaks what Raft promises (figure 3 of the paper) or what an acknowledgement says.
 */
export class Judge {
	readonly #replicas: readonly Watched[];
	/** All that was ever committed, in order, as first known anywhere. */
	readonly committed: Committed[] = [];
	/** How much happened: a world in which nothing does proves nothing. */
	readonly seen = { elections: 0, commits: 0 };
	readonly #leaderOf = new Map<number, number>();
	readonly #members: MembersJudge;
	#looks = 0;

	/** `founders`: the ids that the cluster begins with. */
	constructor(replicas: readonly Watched[], founders: readonly number[]) {
		this.#replicas = replicas;
		this.#members = new MembersJudge(replicas, founders);
	}

	get committedIndex(): number {
		return this.committed.at(-1)?.last ?? 0;
	}

	/** Looks between two events at everybody of whom anything has run; now and then at the others, too, who must be as
	 * they were. */
	look(): void {
		this.#looks += 1;
		const isThorough = this.#looks % LOOKS_PER_THOROUGH === 0;
		for (const replica of this.#replicas) {
			const { parts, runs } = replica;
			if (parts === null) continue;
			if (runs !== replica.judgedRuns) {
				replica.judgedRuns = runs;
				this.#judge(replica, parts.raft);
			} else if (isThorough) this.#demandSame(replica, parts.raft);
		}
	}

	/**
	 * One of them is about to be closed. It may have learned in this very event what it hasn't on disk, and when the
	 * event is over its memory is let go of: then nobody could say what it committed.
	 */
	lookBeforeClose(replica: Watched): void {
		if (replica.parts !== null) this.#judge(replica, replica.parts.raft);
	}

	/** Of this process nothing has run since it was judged. */
	#demandSame(replica: Watched, raft: ReplicaParts['raft']): void {
		raft.invariants();
		const isLeader = raft.leader === replica.id;
		const isSame =
			raft.committed === replica.committed && (!isLeader || raft.term === replica.ledTerm);
		demand(isSame, 'a replica changes only when something of its process runs');
	}

	#judge(replica: Watched, raft: ReplicaParts['raft']): void {
		raft.invariants();
		if (raft.leader === replica.id && raft.term !== replica.ledTerm) {
			this.#elected(replica, raft.term);
		}
		demand(raft.committed >= replica.committed, 'the commit index never goes back');
		if (raft.committed === replica.committed) return;
		this.#committed(replica, raft.committed, raft.term);
		// Rule 3: what a leader commits by counting ends with an entry of its own term.
		const isOwn = raft.termAt(raft.committed) === raft.term;
		demand(raft.leader !== replica.id || isOwn, 'a leader commits by an entry of its own term');
	}

	/** Election safety, and leader completeness. */
	#elected(replica: Watched, term: number): void {
		replica.ledTerm = term;
		this.seen.elections += 1;
		const other = this.#leaderOf.get(term) ?? replica.id;
		demand(other === replica.id, () => `term ${term} has two leaders: ${other} and ${replica.id}`);
		this.#leaderOf.set(term, replica.id);
		const before = this.committed.findLast((batch) => batch.knownIn < term);
		if (before === undefined) return;
		// The checksum covers the parent's: one that is the same has the same behind it.
		if (before.last <= snapshotIndexOf(replica)) return;
		const own = batchAt(replica, before.last);
		demand(
			own?.checksum === before.checksum,
			() => `leader ${replica.id} of term ${term} lacks index ${before.last}, committed before`,
		);
	}

	/** State machine safety, and rules 1, 5 and 29: what is committed is on the disks of a majority. */
	#committed(replica: Watched, committed: number, term: number): void {
		let index = replica.committed + 1;
		replica.committed = committed;
		while (index <= committed) {
			// What its snapshot stands for it need not have in its log.
			const isCovered = index <= snapshotIndexOf(replica);
			const batch = isCovered ? this.find(index) : batchAt(replica, index);
			demand(
				batch !== undefined,
				() => `replica ${replica.id} committed ${index}, which nobody can find`,
			);
			demand(batch.last <= committed, 'batches are committed whole');
			const known = this.#find(batch.last);
			if (known === undefined) this.#learn(batch, term, replica);
			else {
				demand(
					known.checksum === batch.checksum,
					() =>
						`replica ${replica.id} committed another entry at ${index} than was committed before`,
				);
			}
			index = batch.last + 1;
		}
	}

	#learn(batch: SeenBatch, term: number, replica: Watched): void {
		const previous = this.committed.at(-1);
		demand(batch.first === this.committedIndex + 1, 'commits leave no gap');
		if (previous !== undefined) {
			demand(batch.parent === previous.checksum, 'a committed batch names the one before');
			demand(batch.time >= previous.time, 'time never goes back along the log');
			demand(batch.term >= previous.term, 'terms never go back along the log');
		}
		this.#members.demandHeld(batch, replica);
		this.seen.commits += 1;
		this.committed.push({ ...batch, knownIn: term });
	}

	/** Who belongs to the group, as far as this replica's log says. */
	membersOf(replica: Watched): SeenMembers {
		return this.#members.inForce(replica);
	}

	/** This replica has written something: at most one change is pending, and each follows from the one before. */
	demandLegalChanges({ id, witness }: Watched): void {
		this.#members.demandLegal(id, witness, this.committedIndex);
	}

	/** All committed batches up to `index`. */
	upTo(index: number): readonly SeenBatch[] {
		const end = this.committed.findIndex((batch) => batch.last > index);
		return end < 0 ? this.committed : this.committed.slice(0, end);
	}

	/** A snapshot must end with what was committed at its index. */
	demandCommitted(id: number, { index, term, checksum }: LogPosition): void {
		const batch = this.find(index);
		const isIt = batch?.last === index && batch.term === term && batch.checksum === checksum;
		demand(isIt, () => `replica ${id} has a snapshot up to ${index}, which was never committed so`);
	}

	/** The committed batch that holds `index`. */
	find(index: number): SeenBatch | undefined {
		let low = 0;
		let high = this.committed.length - 1;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.committed[middle]!.last < index) low = middle + 1;
			else high = middle;
		}
		const batch = this.committed[low];
		return batch !== undefined && batch.first <= index && index <= batch.last ? batch : undefined;
	}

	#find(last: number): Committed | undefined {
		let low = 0;
		let high = this.committed.length - 1;
		while (low <= high) {
			const middle = (low + high) >>> 1;
			const batch = this.committed[middle]!;
			if (batch.last === last) return batch;
			if (batch.last < last) low = middle + 1;
			else high = middle - 1;
		}
		demand(last > this.committedIndex, 'batches have the same borders everywhere');
		return undefined;
	}

	/** After everything is healed: the same log everywhere, up to the same end. */
	demandSameLogs(): void {
		for (const replica of this.#replicas) {
			for (const batch of this.committed) {
				const own = replica.witness.find(batch.last);
				// One that its leader can't bring up to date may end with what was never committed.
				if (batch.last > replica.committed) break;
				demand(
					own?.checksum === batch.checksum,
					() => `replica ${replica.id} has another log than the others at ${batch.last}`,
				);
			}
		}
	}
}

/** Every slab is back where it came from, except for what the open batch of proposals holds. */
export function demandNoLeak(parts: ReplicaParts, status: ReplicaStatus): void {
	demand(parts.window.count === 0, `replica ${status.id} is closed, and its window holds batches`);
	demand(
		parts.pool.available === parts.pool.slabsMax,
		() =>
			`replica ${status.id} is closed, and ${parts.pool.slabsMax - parts.pool.available} slabs are held`,
	);
}
