import { MessageKind } from '../../src/raft/types.js';
import { Cores } from './core-state.js';
import { codeOf, EventKind, eventOf } from './events.js';
import { acknowledges, Histories, judge } from './history.js';
import { type Edit, loadCore } from './instrumented-core.js';
import { Letters } from './messages.js';
import { Host } from './replica.js';
import { type Known, type ReplicaBounds, Replicas, type Step } from './replicas.js';
import type { Start } from './starts.js';
import { inversesOf, permutations } from './symmetry.js';

export interface Bounds extends ReplicaBounds {
	/** Messages in flight: of more, any may be lost. */
	readonly messages: number;
	/** Does a message that has arrived stay in flight, to arrive again? */
	readonly areRepeated: boolean;
	/** Is a write an event of its own? Otherwise the disk has it at once. */
	readonly isDiskSlow: boolean;
	/** Are states that differ in the replicas' names alone the same? */
	readonly isSymmetric: boolean;
}

/** Where a vector has what: three replicas, the history, what happened of crashes, disconnects, reads and hurt disks, messages. */
const HISTORY = 3;
const SPENT = 4;
const MESSAGES = 5;

const CRASH = 1;
const DISCONNECT = 16;
const READ = 256;
const WIPE = 4096;
const DAMAGE = 65_536;

/** Takes a state that follows, or, with a fault, what is wrong with it. */
export type Follow = (after: Int32Array, replica: number, event: number, step: Step) => void;

/** A broken promise: `replica` is from 0 on. */
export interface Fault {
	readonly replica: number;
	readonly event: number;
	readonly what: string;
}

/**
 * What may happen to a cluster of three. One of its states is a vector of numbers: of the replicas' states, of the
 * history, and of the messages in flight, ascending.
 */
export class ClusterSteps {
	readonly bounds: Bounds;
	readonly letters = new Letters();
	readonly histories = new Histories();
	readonly replicas: Replicas;
	readonly length: number;
	readonly #host: Host;
	readonly #after: Int32Array;
	readonly #best: Int32Array;
	readonly #other: Int32Array;
	readonly #flight: number[] = [];

	constructor(bounds: Bounds, edits: readonly Edit[] = []) {
		const module = loadCore(edits);
		const cores = new Cores(module, [1, 2, 3]);
		this.bounds = bounds;
		this.length = MESSAGES + bounds.messages;
		this.#host = new Host(module, cores, this.letters, bounds.isDiskSlow);
		this.replicas = new Replicas(this.#host, cores, this.letters, bounds);
		this.#after = new Int32Array(this.length);
		this.#best = new Int32Array(this.length);
		this.#other = new Int32Array(this.length);
	}

	/** The cluster with these disks, just started. */
	begin({ disks, committed }: Start): Int32Array {
		const vector = new Int32Array(this.length);
		disks.forEach((disk, at) => {
			vector[at] = this.replicas.born(this.#host.born(at + 1, disk, 0));
		});
		vector[HISTORY] = this.histories.number({ committed, knownIn: committed, leaders: [] });
		return vector;
	}

	/** Calls `follow` for all states that may follow this one. Returns the first broken promise. */
	all(vector: Int32Array, follow: Follow): Fault | null {
		for (let replica = 0; replica < 3; replica += 1) {
			const fault = this.#ofReplica(vector, replica, follow);
			if (fault !== null) return fault;
		}
		return null;
	}

	#ofReplica(vector: Int32Array, replica: number, follow: Follow): Fault | null {
		const known = this.replicas.get(vector[replica]!);
		for (const event of known.events) {
			const cost = this.#cost(vector, replica, event);
			if (cost < 0) continue;
			const fault = this.#happen(vector, replica, event, 0, cost, follow);
			if (fault !== null) return fault;
		}
		if (known.isLeader && (vector[SPENT]! % WIPE) / READ < this.bounds.reads) {
			const floor = this.histories.get(vector[HISTORY]!).committed.length;
			const event = codeOf(EventKind.read, 0, floor);
			const fault = this.#happen(vector, replica, event, 0, READ, follow);
			if (fault !== null) return fault;
		}
		return this.#deliveries(vector, replica, follow);
	}

	#deliveries(vector: Int32Array, replica: number, follow: Follow): Fault | null {
		for (let at = MESSAGES; at < this.length; at += 1) {
			const number = vector[at]!;
			if (number === 0) continue;
			const { message, terms } = this.letters.get(number);
			if (message.to !== replica + 1) continue;
			const least = this.bounds.inParts ? Math.min(1, terms.length) : terms.length;
			for (let count = least; count <= terms.length; count += 1) {
				const event = codeOf(EventKind.deliver, count, number);
				// The rest of an append that came in part is still to come.
				const arrived = this.bounds.areRepeated || count < terms.length ? 0 : number;
				const fault = this.#happen(vector, replica, event, arrived, 0, follow);
				if (fault !== null) return fault;
			}
		}
		return null;
	}

	/** -1: it has happened often enough, or too many disks would be hurt at a time. */
	#cost(vector: Int32Array, replica: number, event: number): number {
		const { kind } = eventOf(event);
		const spent = vector[SPENT]!;
		const { crashes, disconnects, wipes, damages } = this.bounds;
		if (kind === EventKind.crash) return spent % DISCONNECT < crashes ? CRASH : -1;
		if (kind === EventKind.disconnect)
			return (spent % READ) / DISCONNECT < disconnects ? DISCONNECT : -1;
		if (kind !== EventKind.wipe && kind !== EventKind.damage) return 0;
		for (let at = 0; at < 3; at += 1)
			if (at !== replica && this.replicas.get(vector[at]!).isHurt) return -1;
		if (kind === EventKind.wipe) return (spent % DAMAGE) / WIPE < wipes ? WIPE : -1;
		return spent / DAMAGE < damages ? DAMAGE : -1;
	}

	#happen(
		vector: Int32Array,
		replica: number,
		event: number,
		arrived: number,
		cost: number,
		follow: Follow,
	): Fault | null {
		const step = this.replicas.step(vector[replica]!, event);
		if (step.fault !== '') return { replica, event, what: step.fault };
		const isNothing = step.next === vector[replica] && step.sent.length === 0 && arrived === 0;
		if (step.isBeyond || isNothing) return null;
		const after = this.#after;
		after.set(vector);
		after[replica] = step.next;
		after[SPENT]! += cost;
		try {
			this.#judge(after, replica, step);
		} catch (error) {
			return { replica, event, what: (error as Error).message };
		}
		this.#post(vector, arrived, step.sent);
		this.#lose(0, this.#flight.length, () => follow(after, replica, event, step));
		return null;
	}

	#judge(after: Int32Array, replica: number, step: Step): void {
		if (step.isPrivate && step.sent.length === 0) return;
		const [a, b, c] = after;
		const all: Known[] = [a, b, c].map((number) => this.replicas.get(number!));
		const changed = all[replica]!;
		for (const number of step.sent) {
			const { message } = this.letters.get(number);
			if (message.kind !== MessageKind.appendResponse || message.rejected) continue;
			const leader = all[message.to - 1]!;
			const isHeard = leader.isLeader && leader.term === message.term;
			if (isHeard) acknowledges(message.index, changed, leader);
		}
		if (step.isPrivate) return;
		after[HISTORY] = this.histories.after(after[HISTORY]!, changed, step.isElected);
		judge(this.histories.get(after[HISTORY]!), all, changed);
	}

	/** What is in flight now, in `#flight`; maybe more than there is room for. */
	#post(vector: Int32Array, arrived: number, sent: readonly number[]): void {
		const flight = this.#flight;
		flight.length = 0;
		for (let at = MESSAGES; at < this.length; at += 1) {
			const number = vector[at]!;
			if (number !== 0 && number !== arrived) flight.push(number);
		}
		for (const number of sent) if (!flight.includes(number)) flight.push(number);
	}

	/** Each choice of those that stay in flight. The ones before `from` are decided. */
	#lose(from: number, size: number, chosen: () => void): void {
		const flight = this.#flight;
		if (size <= this.bounds.messages) {
			this.#after.fill(0, MESSAGES);
			let at = MESSAGES;
			for (const number of flight) {
				if (number === 0) continue;
				this.#after[at] = number;
				at += 1;
			}
			chosen();
			return;
		}
		for (let at = from; at < flight.length; at += 1) {
			const number = flight[at]!;
			flight[at] = 0;
			this.#lose(at + 1, size - 1, chosen);
			flight[at] = number;
		}
	}

	/** The one that stands for all states that differ from this one in the replicas' names alone. Valid until the
	 * next call. */
	representative(vector: Int32Array): Int32Array {
		const best = this.#best;
		best.set(vector);
		sort(best);
		if (!this.bounds.isSymmetric) return best;
		for (let p = 1; p < permutations.length; p += 1) {
			const order = this.#renameReplicas(vector, p);
			if (order > 0) continue;
			this.#renameRest(vector, p);
			if (order < 0 || compare(this.#other, best) < 0) best.set(this.#other);
		}
		return best;
	}

	/** Negative if `#other` comes before `#best` as far as replicas are concerned. */
	#renameReplicas(vector: Int32Array, p: number): number {
		const inverse = permutations[inversesOf[p]!]!;
		const other = this.#other;
		for (let at = 0; at < 3; at += 1) {
			other[at] = this.replicas.image(vector[inverse[at]! - 1]!, p);
		}
		return other[0]! - this.#best[0]! || other[1]! - this.#best[1]! || other[2]! - this.#best[2]!;
	}

	#renameRest(vector: Int32Array, p: number): void {
		const other = this.#other;
		other[HISTORY] = this.histories.image(vector[HISTORY]!, p);
		other[SPENT] = vector[SPENT]!;
		for (let at = MESSAGES; at < this.length; at += 1) {
			const number = vector[at]!;
			other[at] = number === 0 ? 0 : this.letters.image(number, p);
		}
		sort(other);
	}
}

/** Messages ascend; no message at all comes last. */
function sort(vector: Int32Array): void {
	for (let i = MESSAGES + 1; i < vector.length; i += 1) {
		const value = vector[i]!;
		if (value === 0) continue;
		let at = i;
		while (at > MESSAGES && (vector[at - 1]! > value || vector[at - 1] === 0)) {
			vector[at] = vector[at - 1]!;
			at -= 1;
		}
		vector[at] = value;
	}
}

function compare(one: Int32Array, other: Int32Array): number {
	for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return one[i]! - other[i]!;
	return 0;
}
