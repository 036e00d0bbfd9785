import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openReplica } from '../../src/index.js';
import type { Replica } from '../../src/replica/replica.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { NumberMachine } from './machines.js';
import { freePeers } from './ports.js';

/** Whole replicas on Node's own doors: real files in a directory of their own, real sockets on the loopback. */

/** Whoever expects to wait in vain makes it shorter. */
const WAIT_MS = Number(process.env['MILLRACE_WAIT_MS'] ?? 40_000);

/** Small enough that a test makes several, large enough for the default frames. */
const SEGMENT_BYTES = 4 * 1024 * 1024;

/** Waits until `condition` holds. The limit is for what never comes, not for what comes late. */
export async function until(what: string, condition: () => boolean): Promise<void> {
	const end = performance.now() + WAIT_MS;
	while (!condition()) {
		if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}

export function pause(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

type Change = Partial<ReplicaOptions> | undefined;

/** Replicas of one group in this process. */
export class Cluster {
	readonly directory: string;
	readonly peers: Readonly<Record<number, string>>;
	/** Those that are open, by id. */
	readonly replicas = new Map<number, Replica>();
	readonly machines = new Map<number, NumberMachine>();
	/** What each replica said to its `log`. */
	readonly lines = new Map<number, string[]>();
	readonly #change: (id: number) => Change;

	private constructor(
		directory: string,
		peers: Record<number, string>,
		change: (id: number) => Change,
	) {
		this.directory = directory;
		this.peers = peers;
		this.#change = change;
	}

	/** Opens `count` replicas; `change` gives what shall differ from the default options. */
	static async open(count: number, change: (id: number) => Change = () => ({})): Promise<Cluster> {
		const directory = await mkdtemp(join(tmpdir(), 'millrace-replica-'));
		const cluster = new Cluster(directory, await freePeers(count), change);
		await Promise.all(cluster.ids.map((id) => cluster.start(id)));
		return cluster;
	}

	/** Opens some replicas of a cluster of `count`. */
	static async openOnly(ids: readonly number[], count: number): Promise<Cluster> {
		const directory = await mkdtemp(join(tmpdir(), 'millrace-replica-'));
		const cluster = new Cluster(directory, await freePeers(count), () => ({}));
		await Promise.all(ids.map((id) => cluster.start(id)));
		return cluster;
	}

	/** Opens all replicas, and once they are voters closes the last, whose address is for somebody else then. */
	static async openWithout(last: number, occupy: (address: string) => Promise<void>) {
		const directory = await mkdtemp(join(tmpdir(), 'millrace-replica-'));
		const cluster = new Cluster(directory, await freePeers(last), () => ({}));
		await Promise.all(cluster.ids.map((id) => cluster.start(id)));
		await cluster.voting();
		await cluster.stop(last);
		await occupy(cluster.peers[last]!);
		return cluster;
	}

	/** Waits until all open replicas are voters. */
	async voting(): Promise<void> {
		await until('all are voters', () =>
			[...this.replicas.values()].every((replica) => replica.status().standing === 'voter'),
		);
	}

	get ids(): number[] {
		return Object.keys(this.peers).map(Number);
	}

	directoryOf(id: number): string {
		return join(this.directory, String(id));
	}

	options(id: number, change: Change = this.#change(id)): ReplicaOptions {
		const machine = new NumberMachine();
		this.machines.set(id, machine);
		const lines = this.lines.get(id) ?? [];
		this.lines.set(id, lines);
		const { limits, ...rest } = change ?? {};
		return {
			id,
			dir: this.directoryOf(id),
			peers: this.peers,
			stateMachine: machine,
			// A noisy machine must not cost a leader its office.
			electionTimeoutMs: 600,
			log: (line) => lines.push(line),
			limits: { segmentBytes: SEGMENT_BYTES, segmentsAhead: 1, freeBytesMin: 1, ...limits },
			...rest,
		};
	}

	async start(id: number, change?: Change): Promise<Replica> {
		const replica = await openReplica(this.options(id, change ?? this.#change(id)));
		this.replicas.set(id, replica);
		return replica;
	}

	async stop(id: number): Promise<void> {
		const replica = this.replicas.get(id);
		this.replicas.delete(id);
		await replica?.close();
	}

	replica(id: number): Replica {
		return this.replicas.get(id)!;
	}

	machine(id: number): NumberMachine {
		return this.machines.get(id)!;
	}

	/** The leader that all open replicas follow, once it can serve. */
	async leader(): Promise<Replica> {
		let found: Replica | undefined;
		await until('a leader whom all know', () => {
			const open = [...this.replicas.values()].filter((r) => r.stopped === null);
			found = open.find((replica) => replica.status().role === 'leader');
			if (found === undefined) return false;
			const { id, term, applied, committed } = found.status();
			return (
				applied === committed &&
				applied > 0 &&
				open.every((r) => r.status().leader === id && r.status().term === term)
			);
		});
		return found!;
	}

	/** Followers of the leader, once there is one. */
	async followers(): Promise<Replica[]> {
		const leader = await this.leader();
		return [...this.replicas.values()].filter((replica) => replica !== leader);
	}

	/** Waits until all open replicas have applied the same. */
	async settled(): Promise<void> {
		await until('all replicas apply the same', () => {
			const states = [...this.replicas.values()].map((replica) => replica.status());
			const last = Math.max(...states.map((status) => status.last));
			return states.every((status) => status.applied === last && status.committed === last);
		});
	}

	async close(): Promise<void> {
		await Promise.all([...this.replicas.values()].map((replica) => replica.close()));
		this.replicas.clear();
		await rm(this.directory, { recursive: true, force: true });
	}
}
