import type { ReplicaParts } from '../../src/replica/open.js';
import type { Replica } from '../../src/replica/replica.js';
import { DiskWitness } from './cluster-witness.js';
import { demandNoLeak, Judge, type Watched } from './invariants.js';
import { demand, Violation } from './violation.js';

/** Where siblings live. */
export interface Hosted {
	readonly id: number;
	/** See `Watched`. */
	readonly runs: number;
}

/** A group beside the one that clients use, and what is known of it from outside. */
export class SiblingGroup {
	readonly #group: number;
	readonly #watched: readonly WatchedSibling[];
	readonly judge: Judge;
	readonly outcomes: Outcomes;

	constructor(group: number, hosts: readonly Hosted[]) {
		this.#group = group;
		this.outcomes = new Outcomes(group);
		this.#watched = hosts.map((host) => new WatchedSibling(host, () => this.judge));
		const founders = hosts.map(({ id }) => id);
		this.judge = new Judge(this.#watched, founders);
	}

	watched(id: number): WatchedSibling {
		return this.#watched[id - 1]!;
	}

	look(): void {
		try {
			this.judge.look();
		} catch (error) {
			throw new Violation(`group ${this.#group}: ${(error as Error).message}`, { cause: error });
		}
	}
}

/** A group's replica on a host, through all its lives. Its disk doesn't lie, and its members stay who they are. */
class WatchedSibling implements Watched {
	readonly id: number;
	readonly witness: DiskWitness;
	parts: ReplicaParts | null = null;
	replica: Replica | null = null;
	judgedRuns = -1;
	committed = 0;
	ledTerm = 0;
	readonly #host: Hosted;

	constructor(host: Hosted, judge: () => Judge) {
		this.id = host.id;
		this.#host = host;
		this.witness = new DiskWitness((index) => judge().upTo(index));
	}

	get runs(): number {
		return this.#host.runs;
	}

	get isLeader(): boolean {
		return this.parts?.raft.leader === this.id && this.replica?.stopped === null;
	}

	/** It is known to be one, and has got back what it may have lost. */
	get isVoter(): boolean {
		const isVoter = this.replica !== null && this.parts?.raft.probation === null;
		if (isVoter) this.witness.admitted();
		return isVoter;
	}

	assembled(parts: ReplicaParts): void {
		const { recovered } = parts.log;
		this.judgedRuns = -1;
		this.committed = recovered.base.index;
		this.parts = parts;
		const fault = this.witness.recovered(recovered, parts.store.latest);
		demand(fault === null, `replica ${this.id} of group ${parts.settings.group} ${fault}`);
	}

	ended(): void {
		this.parts = null;
		this.replica = null;
	}

	/** It is closed. */
	demandNoLeak(): void {
		if (this.parts !== null && this.replica !== null)
			demandNoLeak(this.parts, this.replica.status());
	}
}

/** What became of the numbers that were proposed to a group, each once. */
class Outcomes {
	readonly #group: number;
	/** What any replica applied, by index; and where, by number. */
	readonly #known = new Map<number, number>();
	readonly #indexOf = new Map<number, number>();
	readonly #refused = new Set<number>();
	/** Acknowledged. */
	readonly promised = new Set<number>();

	constructor(group: number) {
		this.#group = group;
	}

	applied(index: number, number: number): void {
		const first = this.#known.get(index) ?? number;
		this.#known.set(index, first);
		demand(first === number, `group ${this.#group} applies two things at ${index}`);
		// What has no number is a new leader's first entry.
		if (number < 0) return;
		const place = this.#indexOf.get(number) ?? index;
		this.#indexOf.set(number, place);
		demand(place === index, `group ${this.#group} applies ${number} at ${place} and at ${index}`);
		const isRefused = this.#refused.has(number);
		demand(!isRefused, `group ${this.#group} applies ${number}, which was refused`);
	}

	acknowledged(index: number, number: number): void {
		this.promised.add(number);
		const isApplied = this.#known.get(index) === number;
		demand(isApplied, `group ${this.#group} acknowledges ${number} at ${index}, where it isn't`);
	}

	refused(number: number): void {
		this.#refused.add(number);
		const isApplied = this.#indexOf.has(number);
		demand(!isApplied, `group ${this.#group} refuses ${number}, which is applied`);
	}
}
