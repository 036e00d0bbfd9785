import type { Replica } from '../../src/replica/replica.js';
import { ClientFaults } from './client-faults.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import type { SimulatedRandom } from './random.js';
import { type Reading, Readings } from './readings.js';
import { RemoteCaller } from './remote-caller.js';
import { type Answer, readResult } from './store.js';
import { TailFollower } from './tail-follower.js';
import { demand } from './violation.js';
import { pack } from './workload.js';

const OUTSTANDING_MAX = 400;
/** Calls come in floods, and between them they trickle: mean ms of each, and what lies between two calls that trickle. */
const FLOOD_MS = 300;
const TRICKLE_MS = 900;
const TRICKLE_EVERY_MS = 60;
/** How many callers still try while nobody leads: who was refused waits. */
const LEADERLESS_CHANCE = 0.15;

/** Everybody who wants something of the cluster: callers in the replicas' own processes, and clients far away. */
export class Clients {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	readonly #remotes: readonly RemoteCaller[];
	readonly #faults: ClientFaults;
	readonly #readings: Readings;
	/** Keys that nobody has read since `readAll` was first called. */
	#unread: Set<number> | null = null;
	#isOver = false;
	#isFlood = false;
	#tideTurnsAt = 0;

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
		const { random } = cluster.world;
		this.#random = random.fork('clients');
		this.#readings = new Readings(cluster, random.fork('readings'));
		this.#remotes = Array.from(
			{ length: cluster.plan.remoteClients },
			(_, i) => new RemoteCaller(cluster, random.fork(`client ${i}`), `c${i}`),
		);
		this.#faults = new ClientFaults(cluster, random.fork('client faults'), this.#remotes);
	}

	/** What was done to clients, and what they read. */
	get seen(): Readonly<Record<string, number>> {
		return { ...this.#faults.seen, ...this.#readings.seen };
	}

	begin(): void {
		this.#faults.begin();
		this.#arm();
		for (let i = 0; i < this.#cluster.plan.tails; i++) {
			const random = this.#random.fork(`tail ${i}`);
			new TailFollower(this.#cluster, random, this.#remotes[i]).run(() => this.#isOver);
		}
	}

	/** Nobody asks for anything more, and nothing happens to clients any more. */
	end(): void {
		this.#isOver = true;
		this.#faults.heal();
	}

	/** Whether every call has been answered, of replicas and of clients that live. */
	get isSettled(): boolean {
		return [...this.#cluster.nodes, ...this.#remotes].every(({ outstanding }) => outstanding === 0);
	}

	/** Reads every key, until each has been read. @returns whether that is done */
	readAll(): boolean {
		const { nodes, ledger } = this.#cluster;
		const leader = nodes.find((node) => node.isLeader);
		this.#unread ??= new Set(Array.from({ length: ledger.history.keys }, (_, key) => key));
		if (leader?.replica != null && leader.outstanding === 0)
			for (const key of this.#unread) {
				const reading = this.#readings.beginLinearizable(key, 'linearizable');
				this.#read(leader, leader.replica, key, reading);
			}
		return this.#unread.size === 0;
	}

	/** Ends what is under way at remote clients. */
	async close(): Promise<void> {
		for (const remote of this.#remotes) await remote.close();
	}

	#arm(): void {
		this.#cluster.world.scheduler.schedule(this.#exponential(this.#callEveryMs()), () => {
			if (this.#isOver) return;
			const burst = 1 + this.#random.below(this.#cluster.plan.burstMax);
			const remote = this.#remotes[this.#random.below(this.#remotes.length)];
			if (remote !== undefined && this.#random.chance(0.5)) remote.call(burst);
			else this.#callLocal(burst);
			this.#arm();
		});
	}

	#callEveryMs(): number {
		const { plan, world } = this.#cluster;
		if (world.now >= this.#tideTurnsAt) {
			this.#isFlood = !this.#isFlood;
			this.#tideTurnsAt = world.now + this.#exponential(this.#isFlood ? FLOOD_MS : TRICKLE_MS);
		}
		return this.#isFlood ? plan.callEveryMs : Math.max(plan.callEveryMs, TRICKLE_EVERY_MS);
	}

	#exponential(mean: number): number {
		return -Math.log(1 - this.#random.next()) * mean;
	}

	#callLocal(burst: number): void {
		const { nodes, ledger } = this.#cluster;
		const { history } = ledger;
		const leaders = nodes.filter((node) => node.isLeader);
		if (leaders.length === 0 && !this.#random.chance(LEADERLESS_CHANCE)) return;
		const among = leaders.length === 0 || this.#random.chance(0.05) ? nodes : leaders;
		const node = among[this.#random.below(among.length)]!;
		if (node.replica === null || node.outstanding > OUTSTANDING_MAX) return;
		const kind = this.#random.next();
		for (let i = 0; i < burst; i++) {
			if (kind < 0.6) this.propose(node, node.replica);
			else if (kind < 0.8) this.#readAnywhere(history.drawKey());
			else this.#proposeBatch(node, node.replica, kind < 0.9);
		}
	}

	/** One entry, at a replica that may lead. */
	propose(node: ClusterNode, replica: Replica): Promise<void> {
		const entry = this.#cluster.ledger.entry();
		const signal = this.#random.chance(0.05) ? this.#signal() : undefined;
		const promise = replica.propose(entry, {
			whenBusy: this.#random.chance(0.5) ? 'wait' : 'refuse',
			...(signal === undefined ? {} : { signal }),
		});
		// It was copied.
		const own = entry.slice();
		entry.fill(0);
		return this.#settle(node, [own], promise, ({ index, term, result }) => {
			this.#acknowledged(index, own, result);
			this.#knowsTerm(index, term);
		});
	}

	#proposeBatch(node: ClusterNode, replica: Replica, isPacked: boolean): void {
		const { ledger } = this.#cluster;
		const entries = Array.from({ length: 1 + this.#random.below(8) }, () => ledger.entry());
		const promise = replica.proposeBatch(isPacked ? pack(entries) : entries);
		this.#settle(node, entries, promise, ({ index, term, count, results }) => {
			demand(count === entries.length, 'a batch is acknowledged as a whole');
			entries.forEach((entry, i) => {
				this.#acknowledged(index + i, entry, results?.[i]);
			});
			this.#knowsTerm(index, term);
		});
	}

	/** An entry is applied with this result. */
	#acknowledged(index: number, entry: Uint8Array, result: unknown): void {
		const { ledger } = this.#cluster;
		const number = ledger.acknowledge(index, entry);
		const { number: own, found } = readResult(result);
		demand(own === number, () => `entry ${number} is given the result ${own}`);
		ledger.history.succeeded(number, found);
	}

	#knowsTerm(index: number, term: number): void {
		const { judge } = this.#cluster;
		const batch = judge.find(index);
		// It may have been committed in this very turn.
		demand(
			batch === undefined || batch.term === term,
			() => `index ${index} is not of term ${term}`,
		);
	}

	/** Leaders and followers answer, and who is neither must at least not answer what is wrong. */
	#readAnywhere(key: number): void {
		const { nodes } = this.#cluster;
		const node = nodes[this.#random.below(nodes.length)]!;
		if (node.replica === null || node.outstanding > OUTSTANDING_MAX) return;
		this.#read(node, node.replica, key, this.#readings.begin(key));
	}

	#read(node: ClusterNode, replica: Replica, key: number, reading: Reading): void {
		const { consistency } = reading;
		const promise = replica.read<Answer>({ what: 'key', number: key }, { consistency });
		const answered = (answer: Answer): void => {
			this.#unread?.delete(key);
			reading.ok(answer);
		};
		this.#settle(node, [], promise, answered, () => reading.failed());
	}

	async #settle<T>(
		node: ClusterNode,
		entries: readonly Uint8Array[],
		promise: Promise<T>,
		succeeded: (value: T) => void,
		failed?: () => void,
	): Promise<void> {
		const { ledger } = this.#cluster;
		const { life } = node;
		node.outstanding += 1;
		try {
			const value = await promise;
			ledger.guard(() => succeeded(value));
		} catch (error) {
			failed?.();
			ledger.guard(() => ledger.failed(error, entries));
		}
		if (node.life === life) node.outstanding -= 1;
	}

	#signal(): AbortSignal {
		const controller = new AbortController();
		if (this.#random.chance(0.2)) controller.abort();
		else {
			const { scheduler } = this.#cluster.world;
			scheduler.schedule(this.#random.next() * 20, () => controller.abort());
		}
		return controller.signal;
	}
}
