import { connect, type RemoteClient } from '../../src/client/index.js';
import { Compacted, MillraceError, Stopped } from '../../src/errors.js';
import type { PackedEntries } from '../../src/format/batch-writer.js';
import type { Replica } from '../../src/replica/replica.js';
import type { Entry } from '../../src/replica/types.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { demand } from './invariants.js';
import type { SimulatedRandom } from './random.js';

const OUTSTANDING_MAX = 400;

function pack(entries: readonly Uint8Array[]): PackedEntries {
	const ends = new Uint32Array(entries.length);
	let end = 0;
	entries.forEach((entry, i) => {
		end += entry.length;
		ends[i] = end;
	});
	return { payload: new Uint8Array(Buffer.concat(entries)), ends };
}

/** Everybody who wants something of the cluster: callers in the replicas' own processes, and clients far away. */
export class Clients {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	readonly #remotes: RemoteClient[] = [];
	#remoteOutstanding = 0;
	#isOver = false;

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
		this.#random = cluster.world.random.fork('clients');
	}

	begin(): void {
		const { plan, world, peers } = this.#cluster;
		// A client doesn't know the replicas' limits: this keeps its frames within them.
		const windowBytes = plan.limits.slabBytes / 4;
		for (let i = 0; i < plan.remoteClients; i++) {
			const doors = world.machine(`c${i}`).start();
			const session = this.#random.chance(0.8);
			this.#remotes.push(connect({ peers, doors, session, timeoutMs: 4000, windowBytes }));
		}
		this.#arm();
		for (let i = 0; i < plan.tails; i++) this.#follow(i);
	}

	/** Nobody asks for anything more. */
	end(): void {
		this.#isOver = true;
	}

	/** Ends what is under way at remote clients. */
	async close(): Promise<void> {
		for (const remote of this.#remotes) await remote.close();
	}

	#arm(): void {
		const { scheduler } = this.#cluster.world;
		scheduler.schedule(-Math.log(1 - this.#random.next()) * this.#cluster.plan.callEveryMs, () => {
			if (this.#isOver) return;
			const burst = 1 + this.#random.below(this.#cluster.plan.burstMax);
			const remote = this.#remotes[this.#random.below(this.#remotes.length)];
			if (remote !== undefined && this.#random.chance(0.5)) this.#callRemote(remote, burst);
			else this.#callLocal(burst);
			this.#arm();
		});
	}

	#callLocal(burst: number): void {
		const { nodes } = this.#cluster;
		const leaders = nodes.filter((node) => node.isLeader);
		const among = leaders.length === 0 || this.#random.chance(0.05) ? nodes : leaders;
		const node = among[this.#random.below(among.length)]!;
		if (node.replica === null || node.outstanding > OUTSTANDING_MAX) return;
		const kind = this.#random.next();
		for (let i = 0; i < burst; i++) {
			if (kind < 0.6) this.propose(node, node.replica);
			else if (kind < 0.8) this.#read(node, () => node.replica!.read<number>(null));
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
			const number = this.#cluster.ledger.acknowledge(index, own);
			demand(result === number, () => `entry ${number} is given the result ${result}`);
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
				const number = ledger.acknowledge(index + i, entry);
				demand(
					results?.[i] === number,
					() => `entry ${number} is given the result ${results?.[i]}`,
				);
			});
			this.#knowsTerm(index, term);
		});
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

	#read(node: ClusterNode, read: () => Promise<number>): void {
		const { ledger } = this.#cluster;
		const floor = ledger.acknowledged;
		const promise = read();
		this.#settle(node, [], promise, (answer) => {
			ledger.seen.reads += 1;
			demand(
				answer >= floor,
				() => `a read saw ${answer}, and ${floor} had been acknowledged before it`,
			);
		});
	}

	async #settle<T>(
		node: ClusterNode,
		entries: readonly Uint8Array[],
		promise: Promise<T>,
		succeeded: (value: T) => void,
	): Promise<void> {
		const { ledger } = this.#cluster;
		const { life } = node;
		node.outstanding += 1;
		try {
			const value = await promise;
			ledger.guard(() => succeeded(value));
		} catch (error) {
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

	// ---- Over the network

	#callRemote(remote: RemoteClient, burst: number): void {
		if (this.#remoteOutstanding > OUTSTANDING_MAX) return;
		const isRead = this.#random.chance(0.2);
		for (let i = 0; i < burst; i++) {
			if (isRead) this.#readRemote(remote);
			else this.#proposeRemote(remote);
		}
	}

	async #proposeRemote(remote: RemoteClient): Promise<void> {
		const { ledger } = this.#cluster;
		const length = this.#random.chance(0.8) ? 1 : 1 + this.#random.below(5);
		const entries = Array.from({ length }, () => ledger.entry());
		this.#remoteOutstanding += 1;
		try {
			const { index, count } = await (length === 1
				? remote.propose(entries[0]!)
				: remote.proposeBatch(this.#random.chance(0.5) ? entries : pack(entries)));
			ledger.guard(() => {
				demand(count === length, 'a batch is acknowledged as a whole');
				entries.forEach((entry, i) => {
					ledger.acknowledge(index === 0 ? 0 : index + i, entry);
				});
			});
		} catch (error) {
			ledger.guard(() => ledger.failed(error, entries));
		}
		this.#remoteOutstanding -= 1;
	}

	async #readRemote(remote: RemoteClient): Promise<void> {
		const { ledger } = this.#cluster;
		const floor = ledger.acknowledged;
		this.#remoteOutstanding += 1;
		try {
			const answer = await remote.read(new Uint8Array(3));
			const seen = new DataView(answer.buffer, answer.byteOffset).getFloat64(0);
			ledger.seen.reads += 1;
			ledger.guard(() =>
				demand(
					seen >= floor,
					() => `a remote read saw ${seen}, and ${floor} had been acknowledged`,
				),
			);
		} catch (error) {
			ledger.guard(() => ledger.failed(error, []));
		}
		this.#remoteOutstanding -= 1;
	}

	// ---- Tails

	/** Follows the log on one replica after the other. */
	async #follow(i: number): Promise<void> {
		const { nodes, world, ledger } = this.#cluster;
		let next = 1;
		while (!this.#isOver) {
			const remote = this.#remotes[i];
			const node = nodes[this.#random.below(nodes.length)]!;
			const { life } = node;
			const source = remote ?? node.replica;
			try {
				if (source !== null) next = await this.#tail(source.tail({ from: next }), next);
			} catch (error) {
				if (error instanceof Compacted) next = error.first;
				else if (!(remote !== undefined && error instanceof MillraceError)) {
					ledger.guard(() => {
						const isExpected = error instanceof Error && node.excuses(error);
						if (!isExpected && !(error instanceof Stopped)) throw error;
					});
				}
			}
			await new Promise<void>((resolve) => {
				world.scheduler.schedule(life === node.life ? 100 : 500, resolve);
			});
		}
	}

	async #tail(entries: AsyncGenerator<Entry, void, void>, from: number): Promise<number> {
		let next = from;
		const stopAfter = 1 + this.#random.below(500);
		for await (const { index, data } of entries) {
			this.#cluster.ledger.guard(() => this.#cluster.ledger.tailed(next, index, data));
			next = index + 1;
			if (next > from + stopAfter) break;
		}
		return next;
	}
}
