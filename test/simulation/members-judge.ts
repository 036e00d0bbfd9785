import { BatchKind, batchKind } from '../../src/format/batch.js';
import {
	type DiskWitness,
	type SeenBatch,
	type SeenMembers,
	seenMembers,
} from './cluster-witness.js';
import type { Watched } from './invariants.js';
import { demand } from './violation.js';

type Ids = readonly { readonly id: number }[];

/** Judges changes of the members, and majorities by them, from the entries alone. */
export class MembersJudge {
	readonly #replicas: readonly Watched[];
	readonly #initial: SeenMembers;

	constructor(replicas: readonly Watched[], founders: readonly number[]) {
		this.#replicas = replicas;
		const voters = founders.map((id) => ({ id, address: '' }));
		this.#initial = { voters, outgoing: [], learners: [], removed: [] };
	}

	/** The last ones appended to its log, durable or not. */
	inForce({ parts, witness }: Watched): SeenMembers {
		const last = parts?.raft.lastIndex ?? Number.POSITIVE_INFINITY;
		for (let i = (parts?.window.count ?? 0) - 1; i >= 0; i--) {
			const { slab, offset } = parts!.window.at(i);
			if (batchKind(slab, offset) === BatchKind.configuration) return seenMembers(slab, offset);
		}
		const durable = witness.batches.findLast(
			(batch) => batch.members !== null && batch.last <= last,
		);
		return durable?.members ?? this.#initial;
	}

	/**
	 * What is committed is durable on a majority, by the members in force where it was committed.
	 * `replica`: the first who knows. If it doesn't lead (any more), it needn't have the leader's members.
	 */
	demandHeld(batch: SeenBatch, replica: Watched): void {
		const leads = replica.parts?.raft.leader === replica.id;
		const among = (leads ? [replica] : this.#replicas).map((each) => this.inForce(each));
		const holders = new Set<number>();
		for (const { id, witness } of this.#replicas) if (witness.hasHeld(batch)) holders.add(id);
		demand(
			among.some(({ voters, outgoing }) => isMost(voters, holders) && isMost(outgoing, holders)),
			() =>
				`index ${batch.last} is committed, and durable on ${holders.size} disks only (of ${[...holders]}); ` +
				`replica ${replica.id} says so, and the members are ${JSON.stringify(among[0])}`,
		);
	}

	demandLegal(id: number, { batches }: DiskWitness, committed: number): void {
		let pending = 0;
		let before = this.#initial;
		for (const { last, members } of batches) {
			if (members === null) continue;
			if (last > committed) pending += 1;
			demand(isLegal(before, members), () => {
				const [was, is] = [before, members].map((each) => JSON.stringify(each));
				return `replica ${id} has members at ${last} that can't follow: ${was}, then ${is}`;
			});
			before = members;
		}
		demand(pending <= 1, () => `replica ${id} has ${pending} pending changes of the members`);
	}
}

/** Nobody's majority is anything. */
function isMost(voters: Ids, holders: ReadonlySet<number>): boolean {
	const held = voters.filter(({ id }) => holders.has(id)).length;
	return voters.length === 0 || held > voters.length / 2;
}

function isLegal(
	before: SeenMembers,
	{ voters, outgoing, learners, removed }: SeenMembers,
): boolean {
	if ([...voters, ...learners].some(({ id }) => removed.includes(id))) return false;
	if (voters.length === 0 || !before.removed.every((id) => removed.includes(id))) return false;
	// Joint ones are left for what they lead to, and for nothing else.
	if (before.outgoing.length > 0) return outgoing.length === 0 && isSame(voters, before.voters);
	return isSame(outgoing.length > 0 ? outgoing : voters, before.voters);
}

function isSame(left: Ids, right: Ids): boolean {
	return (
		left.length === right.length && left.every(({ id }) => right.some((each) => each.id === id))
	);
}
