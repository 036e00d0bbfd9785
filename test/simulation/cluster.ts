import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	isMessage,
	MESSAGE_BYTES_MIN,
	messageBatches,
	readMessage,
} from '../../src/format/message.js';
import { MessageKind } from '../../src/raft/types.js';
import { addressesOf } from './addresses.js';
import { ClientHistory } from './client-history.js';
import { ClusterNode } from './cluster-node.js';
import type { Plan } from './cluster-plan.js';
import type { GroupFlush } from './host-journal.js';
import { batchAt, Judge, snapshotIndexOf, type Watched } from './invariants.js';
import { GROUP } from './node-host.js';
import type { SimulatedRandom } from './random.js';
import { Siblings } from './siblings.js';
import { demand } from './violation.js';
import { Ledger } from './workload.js';
import type { World } from './world.js';

const LINES_KEPT = 60;
/** How many messages of the past are kept for each direction, to be sent again. */
const PAST_KEPT = 16;

/** Whole replicas on the machines of a world, watched by a judge. */
export class Cluster {
	readonly world: World;
	readonly plan: Plan;
	readonly ledger: Ledger;
	readonly nodes: readonly ClusterNode[];
	readonly judge: Judge;
	/** The other groups, if the replicas are on hosts. */
	readonly siblings: Siblings;
	/** Those that the cluster begins with. */
	readonly peers: Readonly<Record<number, string>>;
	/** Those, and all that may ever be members. */
	readonly addresses: Readonly<Record<number, string>>;
	/** Whether messages may be repeated and lost now. */
	isHostile = true;
	readonly seen = { repeated: 0, dropped: 0, stranded: 0 };
	readonly #lines: { readonly at: number; readonly line: string }[] = [];
	readonly #byHost: ReadonlyMap<string, ClusterNode>;
	readonly #random: SimulatedRandom;
	readonly #past = new Map<string, Uint8Array[]>();
	readonly #scratch = new Memory(MESSAGE_BYTES_MIN);
	readonly #message = emptyMessage(0);

	constructor(world: World, plan: Plan) {
		this.world = world;
		this.plan = plan;
		this.#random = world.random.fork('wire');
		const history = new ClientHistory(world.random.fork('history'), () => world.now);
		this.ledger = new Ledger(world.random.fork('ledger'), plan.entryBytesMax, history);
		const groups = Array.from({ length: plan.siblings }, (_, i) => i + 2);
		const ids = Array.from({ length: plan.replicas + plan.joiners }, (_, i) => i + 1);
		const founders = ids.slice(0, plan.replicas);
		this.peers = addressesOf(founders);
		this.addresses = addressesOf(ids);
		const { cutChance, crumbChance } = plan;
		Object.assign(world.network.defaults, { cutChance, crumbChance });
		this.nodes = ids.map((id) => new ClusterNode(this, id));
		this.#byHost = new Map(this.nodes.map((node) => [node.name, node]));
		this.judge = new Judge(this.nodes, founders);
		const random = world.random.fork('siblings');
		this.siblings = new Siblings(random, groups, this.nodes, this.ledger.guard);
		world.network.tap = (from, to, slices) => this.#sent(from, to, slices);
	}

	/** For the story that is told when something goes wrong. */
	note(line: string): void {
		this.#lines.push({ at: this.world.now, line });
		if (this.#lines.length > LINES_KEPT) this.#lines.shift();
	}

	get story(): string {
		return this.#lines.map(({ at, line }) => `${at.toFixed(3).padStart(12)}  ${line}`).join('\n');
	}

	/** Between two events: throws what is wrong. */
	check(): void {
		if (this.ledger.violation !== null) throw this.ledger.violation;
		const { handlerErrors } = this.world.network;
		if (handlerErrors.length > 0) throw handlerErrors[0];
		this.judge.look();
		this.siblings.look();
	}

	/** A host is about to be closed: see `Judge`. */
	lookBeforeClose(node: ClusterNode): void {
		this.ledger.guard(() => this.judge.lookBeforeClose(node));
		this.siblings.lookBeforeClose(node.id);
	}

	/** A flush of a group's log is done. */
	wrote({ id }: ClusterNode, path: string, { group, bytes }: GroupFlush): void {
		const watched = this.watched(group, id);
		const fault = watched.witness.written(bytes);
		demand(fault === null, `${path}, group ${group}: ${fault}`);
		if (watched.witness.wroteMembers) this.judgeOf(group).demandLegalChanges(watched);
	}

	/** Who judges a group. */
	judgeOf(group: number): Judge {
		return group === GROUP ? this.judge : this.siblings.judge(group);
	}

	/** A group's replica on a node. */
	watched(group: number, id: number): Watched {
		return group === GROUP ? this.nodes[id - 1]! : this.siblings.watched(group, id);
	}

	get hasSnapshots(): boolean {
		return this.plan.snapshotEveryBytes !== Number.POSITIVE_INFINITY;
	}

	/** Whom the last leader's log names; everybody, where that never changes. Null while that may still change. */
	get members(): readonly ClusterNode[] | null {
		if (this.plan.joiners === 0) return this.nodes;
		const leaders = this.nodes.filter((node) => node.isLeader && node.parts !== null);
		const leader = leaders.toSorted((a, b) => a.parts!.raft.term - b.parts!.raft.term).at(-1);
		if (leader === undefined) return null;
		const { voters, outgoing, learners } = this.judge.membersOf(leader);
		if (outgoing.length > 0 || learners.some(({ promote }) => promote)) return null;
		return [...voters, ...learners].map(({ id }) => this.nodes[id - 1]!);
	}

	get names(): string[] {
		return this.nodes.map((node) => node.name);
	}

	node(host: string): ClusterNode | undefined {
		return this.#byHost.get(host);
	}

	// ---- The wires

	/** A host hands over slices: a frame each, or a run of batches. */
	#sent(from: string, to: string, slices: readonly Uint8Array[]): readonly Uint8Array[] {
		const sender = this.node(from);
		if (sender === undefined || this.node(to) === undefined) return slices.slice();
		const sent: Uint8Array[] = [];
		for (const slice of slices) {
			const isAlone = this.#look(sender, slice);
			const isDropped = isAlone && this.isHostile && this.#random.chance(this.plan.dropChance);
			if (isAlone) this.#remember(`${from}>${to}`, slice);
			if (isDropped) this.seen.dropped += 1;
			else sent.push(slice);
		}
		const past = this.#past.get(`${from}>${to}`);
		if (past !== undefined && this.isHostile && this.#random.chance(this.plan.repeatChance)) {
			this.seen.repeated += 1;
			sent.push(past[this.#random.below(past.length)]!);
		}
		return sent;
	}

	/** What a replica said before it forgot it is on no connection of its next life. */
	forgetPast(host: string): void {
		for (const way of this.#past.keys()) if (way.startsWith(`${host}>`)) this.#past.delete(way);
	}

	#remember(way: string, slice: Uint8Array): void {
		if (this.plan.repeatChance === 0) return;
		let past = this.#past.get(way);
		if (past === undefined) {
			past = [];
			this.#past.set(way, past);
		}
		if (past.length < PAST_KEPT) past.push(slice.slice());
		else past[this.#random.below(PAST_KEPT)] = slice.slice();
	}

	/** @returns whether it is a message of Raft on which no batches follow */
	#look(sender: ClusterNode, slice: Uint8Array): boolean {
		if (slice.length !== MESSAGE_BYTES_MIN) return false;
		this.#scratch.bytes.set(slice);
		if (!isMessage(this.#scratch, 0)) return false;
		readMessage(this.#scratch, 0, this.#message);
		const { group, kind } = this.#message;
		if (kind > MessageKind.restResponse) return false;
		if (kind <= MessageKind.voteResponse)
			this.ledger.guard(() => this.#judgeMessage(this.watched(group, sender.id)));
		return group === GROUP && messageBatches(this.#scratch, 0) === 0;
	}

	/** Rules 1, 2 and 5: what a replica says is what its disk holds. */
	#judgeMessage(sender: Watched): void {
		const { id, witness } = sender;
		const { kind, group, term, rejected, to, index } = this.#message;
		const isPromise =
			kind !== MessageKind.preVote && (kind !== MessageKind.preVoteResponse || rejected);
		if (!isPromise) return;
		const who = (): string =>
			`replica ${id}${group === GROUP ? '' : ` of group ${group}`} in term ${term}`;
		demand(witness.term >= term, () => `${who()} speaks of a term that is not durable`);
		const vote = witness.term === term ? witness.vote : 0;
		if (kind === MessageKind.vote)
			demand(vote === id, () => `${who()} has no durable vote for itself`);
		if (kind === MessageKind.voteResponse && !rejected) {
			demand(vote === to, () => `${who()} gives a vote that is not durable`);
		}
		if (kind !== MessageKind.appendResponse || rejected || index === 0) return;
		const isCovered = index <= snapshotIndexOf(sender);
		const durable = isCovered ? this.judgeOf(group).find(index) : witness.find(index);
		demand(durable?.last === index, () => `${who()} acknowledges ${index}, which is not durable`);
		const leader = this.watched(group, to);
		if (!leader.isLeader || leader.parts?.raft.term !== term) return;
		const asked = batchAt(leader, index);
		demand(
			asked?.checksum === durable.checksum,
			() => `${who()} acknowledges ${index}, which is another than the leader's`,
		);
	}
}
