import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TortureNetwork } from './network.js';
import { ReplicaProcess } from './replica-process.js';
import { SmallDisk } from './small-disk.js';

/** Small, so that segments are often begun, and a full disk is soon noticed. */
const SEGMENT_BYTES = 1280 * 1024;
export const FREE_BYTES_MIN = 8 * 1024 * 1024;
const FRESH_MS = 1_000;

/** Something that must never happen has happened. */
export class TortureFailed extends Error {
	override readonly name = 'TortureFailed';
}

export interface ClusterOptions {
	readonly replicas: number;
	readonly directory: string;
	readonly network: TortureNetwork;
	/** Size of the last replica's small disk; 0 = it has none. */
	readonly smallDiskMegabytes: number;
}

/** The replicas' processes, their disks and the network between them. */
export class TortureCluster {
	readonly network: TortureNetwork;
	readonly replicas: readonly ReplicaProcess[];
	readonly smallDisk: SmallDisk | null;
	/** May stop by itself now: its disk is full. */
	readonly mayEnd = new Set<number>();

	constructor({ replicas, directory, network, smallDiskMegabytes }: ClusterOptions) {
		this.network = network;
		const place = (id: number) => join(directory, `replica-${id}`);
		this.smallDisk =
			smallDiskMegabytes === 0
				? null
				: new SmallDisk(replicas, place(replicas), smallDiskMegabytes);
		this.replicas = Array.from({ length: replicas }, (_, i) => {
			const id = i + 1;
			const dir = id === this.smallDisk?.replica ? this.smallDisk.directory : place(id);
			mkdirSync(dir, { recursive: true });
			const parameters = {
				id,
				dir,
				peers: network.peersOf(id),
				segmentBytes: SEGMENT_BYTES,
				freeBytesMin: FREE_BYTES_MIN,
			};
			return new ReplicaProcess(parameters, `${place(id)}.log`, network.wrapOf(id));
		});
	}

	replica(id: number): ReplicaProcess {
		return this.replicas[id - 1]!;
	}

	get ids(): number[] {
		return this.replicas.map(({ id }) => id);
	}

	/** Who leads, as far as anybody says; 0 = nobody. */
	get leader(): number {
		const now = performance.now();
		const leaders = this.replicas
			.filter(({ status, statusAt }) => status?.role === 'leader' && now - statusAt < FRESH_MS)
			.sort((a, b) => b.status!.term - a.status!.term);
		return leaders[0]?.id ?? 0;
	}

	/** They run, are voters, and have applied at least that much, under one leader. */
	haveApplied(index: number, replicas = this.replicas): boolean {
		const leader = this.leader;
		const now = performance.now();
		return (
			leader !== 0 &&
			replicas.every(
				({ state, status, statusAt }) =>
					state === 'running' &&
					status !== null &&
					now - statusAt < FRESH_MS &&
					status.leader === leader &&
					status.standing === 'voter' &&
					status.applied >= index,
			)
		);
	}

	/** Errors: `TortureFailed`, if a replica has ended that had no reason to. */
	check(): void {
		for (const { id, failure, fault } of this.replicas) {
			if (fault !== null) throw new TortureFailed(`replica ${id}: ${fault}`);
			if (failure === null) continue;
			const { code, message } = failure;
			const isExpected = (code === 'DISK' || code === 'NO_SPACE') && this.mayEnd.has(id);
			if (!isExpected) throw new TortureFailed(`replica ${id} ended: ${code}: ${message}`);
		}
	}

	/** Undoes everything that can be: network, disks, stopped and ended processes. */
	async heal(): Promise<void> {
		await this.network.heal();
		this.smallDisk?.empty();
		for (const replica of this.replicas) replica.resume();
		this.check();
		await this.startAll();
		this.mayEnd.clear();
		this.check();
	}

	/** Starts whoever is down. */
	async startAll(): Promise<void> {
		const down = this.replicas.filter(({ state }) => state === 'down');
		await Promise.all(down.map((replica) => replica.start()));
		this.check();
	}

	async killAll(): Promise<void> {
		await Promise.all(this.replicas.map((replica) => replica.kill()));
	}

	killNow(): void {
		for (const replica of this.replicas) replica.killNow();
	}

	/** `isKept`: the directories stay. */
	async close(isKept: boolean): Promise<void> {
		await this.killAll();
		await this.network.close();
		this.smallDisk?.close(isKept);
	}
}
