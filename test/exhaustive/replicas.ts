import { Role } from '../../src/raft/types.js';
import { type Cores, isLeaderSilent } from './core-state.js';
import type { Write } from './disk.js';
import { codeOf, EventKind, eventOf } from './events.js';
import type { Letters } from './messages.js';
import type { Host, ReplicaState, Seen } from './replica.js';
import { inversesOf, permutations } from './symmetry.js';

/** How far one replica may go. */
export interface ReplicaBounds {
	readonly terms: number;
	/** Proposals of clients in one log; each leader's no-op comes on top. */
	readonly entries: number;
	readonly crashes: number;
	readonly disconnects: number;
	readonly wipes: number;
	readonly damages: number;
	readonly reads: number;
	/** May appends be taken in parts? */
	readonly inParts: boolean;
}

/** A state of one replica, with a number: what the exploration asks of it again and again, worked out once. */
export interface Known {
	readonly number: number;
	readonly state: ReplicaState;
	readonly isLeader: boolean;
	/** Its disk may have lost something, and it is no voter. */
	readonly isHurt: boolean;
	readonly term: number;
	readonly committed: number;
	/** What may happen to it that needs no message; without reads. */
	readonly events: readonly number[];
	/** Where it comes from: a state and an event; a birth has neither. */
	readonly from: number;
	readonly event: number;
	readonly steps: Map<number, Step>;
	/** Its image under each permutation of the replicas; -1 = not known yet. */
	readonly images: Int32Array;
}

/** What an event makes of a replica. */
export interface Step {
	/** -1: it breaks a promise. */
	readonly next: number;
	readonly sent: readonly number[];
	readonly seen: Seen | null;
	readonly isElected: boolean;
	/** Nothing that a promise hangs on is another than before. */
	readonly isPrivate: boolean;
	/** Empty, or which promise is broken. */
	readonly fault: string;
	/** Does it lead beyond the bounds? */
	readonly isBeyond: boolean;
}

/**
 * All states of single replicas that were met, and what each event makes of each: the core is run once for every such
 * pair, and whole clusters are put together from them. This is sound because a core is a function of its state and its
 * input, and the state is all of its fields.
 */
export class Replicas {
	readonly #host: Host;
	readonly #cores: Cores;
	readonly #letters: Letters;
	readonly #bounds: ReplicaBounds;
	readonly #all: Known[] = [];
	readonly #numbers = new Map<string, number>();
	/** How often the core was run. */
	runs = 0;

	constructor(host: Host, cores: Cores, letters: Letters, bounds: ReplicaBounds) {
		this.#host = host;
		this.#cores = cores;
		this.#letters = letters;
		this.#bounds = bounds;
	}

	get count(): number {
		return this.#all.length;
	}

	get(number: number): Known {
		return this.#all[number]!;
	}

	born(state: ReplicaState): number {
		return this.#number(state, -1, 0);
	}

	step(number: number, event: number): Step {
		const known = this.#all[number]!;
		let step = known.steps.get(event);
		if (step === undefined) {
			step = this.#run(known, event);
			known.steps.set(event, step);
		}
		return step;
	}

	/** The same state with the replicas renamed. It is found by going the same way with other names, so that nothing
	 * need be known of where in a core a name stands. */
	image(number: number, permutation: number): number {
		const known = this.#all[number]!;
		const image = known.images[permutation]!;
		if (image >= 0) return image;
		const found = this.#image(known, permutation);
		known.images[permutation] = found;
		this.#all[found]!.images[inversesOf[permutation]!] = number;
		return found;
	}

	#image(known: Known, permutation: number): number {
		if (permutation === 0) return known.number;
		const rename = (id: number) => (id === 0 ? 0 : permutations[permutation]![id - 1]!);
		if (known.from < 0) {
			const { id, disk, raft } = known.state;
			const renamed = { ...disk, vote: rename(disk.vote) };
			return this.born(this.#host.born(rename(id), renamed, raft.committed));
		}
		const { kind, count, number } = eventOf(known.event);
		let event = known.event;
		if (kind === EventKind.deliver)
			event = codeOf(kind, count, this.#letters.image(number, permutation));
		else if (kind === EventKind.disconnect) event = codeOf(kind, rename(count));
		return this.step(this.image(known.from, permutation), event).next;
	}

	#run(known: Known, event: number): Step {
		this.runs += 1;
		const nothing = { next: -1, sent: [], seen: null, isElected: false };
		try {
			const { state, sent, seen } = this.#host.run(known.state, eventOf(event));
			const isElected = state.raft.role === Role.leader && !known.isLeader;
			const isBeyond = state.raft.term > this.#bounds.terms;
			const next = this.#number(state, known.number, event);
			const isAnything = Object.values(seen).some(Boolean);
			const isPrivate = !isElected && isSameToOthers(known, this.#all[next]!);
			const outcome = { next, sent, seen: isAnything ? seen : null };
			return { ...outcome, isElected, isPrivate, fault: '', isBeyond };
		} catch (error) {
			return { ...nothing, isPrivate: false, isBeyond: false, fault: (error as Error).message };
		}
	}

	#number(state: ReplicaState, from: number, event: number): number {
		const key = this.#key(state);
		const known = this.#numbers.get(key);
		if (known !== undefined) return known;
		const number = this.#all.length;
		const { role, term, committed } = state.raft;
		this.#all.push({
			...{ number, state, from, event, term, committed },
			isLeader: role === Role.leader,
			isHurt: state.disk.hurt !== 'no',
			events: this.#events(state),
			steps: new Map(),
			images: new Int32Array(permutations.length).fill(-1),
		});
		this.#numbers.set(key, number);
		return number;
	}

	#key({ id, raft, log, disk, writes, reads }: ReplicaState): string {
		const waiting = reads.map(({ round, floor }) => `${round}:${floor}`).join();
		const { hurt, lost, probations } = disk;
		const past = `${hurt},${probations},${lost.join()}`;
		const text = `${id}|${log.join()}|${disk.term},${disk.vote},${disk.log.join()}|${past}`;
		return `${text}|${writes.map(keyOf).join()}|${waiting}|${this.#cores.encode(raft)}`;
	}

	#events(state: ReplicaState): number[] {
		const { raft, writes, id } = state;
		const { disconnects, crashes } = this.#bounds;
		const events: number[] = [];
		const add = (kind: EventKind, count = 0, number = 0) =>
			events.push(codeOf(kind, count, number));
		for (let count = 1; count <= writes.length; count += 1) add(EventKind.persist, count);
		if (raft.role === Role.leader) {
			add(EventKind.timeOut);
			add(EventKind.heartbeat);
			const clientEntries = state.log.length - new Set(state.log).size;
			if (clientEntries < this.#bounds.entries) add(EventKind.propose);
			for (const peer of [1, 2, 3])
				if (peer !== id && disconnects > 0) add(EventKind.disconnect, peer);
		} else {
			if (raft.probation !== null) add(EventKind.ask);
			else if (raft.term < this.#bounds.terms) add(EventKind.timeOut);
			if (raft.leader !== 0 && !isLeaderSilent(raft)) add(EventKind.silence);
		}
		this.#hurts(state, add);
		if (crashes === 0) return events;
		for (let count = 0; count <= writes.length; count += 1) {
			add(EventKind.crash, count);
			if (Math.min(raft.committed, raft.persisted) > 0) add(EventKind.crash, count, 1);
		}
		return events;
	}

	#hurts({ disk }: ReplicaState, add: (kind: EventKind, count?: number) => void): void {
		if (this.#bounds.wipes > 0) add(EventKind.wipe);
		if (this.#bounds.damages === 0) return;
		for (let kept = 0; kept <= disk.log.length; kept += 1) add(EventKind.damage, kept);
	}
}

function isSameToOthers(before: Known, after: Known): boolean {
	const is = (one: readonly number[], other: readonly number[]) => one.join() === other.join();
	return (
		before.term === after.term &&
		before.committed === after.committed &&
		before.isLeader === after.isLeader &&
		is(before.state.log, after.state.log) &&
		is(before.state.disk.log, after.state.disk.log) &&
		is(before.state.disk.lost, after.state.disk.lost)
	);
}

function keyOf(write: Write): string {
	if (write.kind === 'hardState') return `h${write.term}:${write.vote}`;
	if (write.kind === 'admission') return 'o';
	if (write.kind === 'truncate') return `t${write.index}`;
	return `a${write.index}:${write.term}:${write.epoch}`;
}
