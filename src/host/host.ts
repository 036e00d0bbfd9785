import { BadOption } from '../errors.js';
import type { Clock, DirectoryLock, Doors, Listener } from '../io.js';
import { DEFAULT_LIMITS, type Limits } from '../limits.js';
import { hostLine, type LogOption } from '../replica/chronicle.js';
import { open, type ReplicaParts } from '../replica/open.js';
import { parseAddress } from '../replica/options.js';
import type { Replica } from '../replica/replica.js';
import type { ReplicaOptions } from '../replica/types.js';
import { clusterNumber } from '../transport/hello.js';
import { VERSIONS } from '../transport/versions.js';
import { HostClock } from './host-clock.js';
import { JournalDisk } from './journal-disk.js';
import { MuxNetwork } from './mux-network.js';

const KIB = 1024;
const JOURNAL_BYTES = 64 * KIB * KIB;
const SILENCE_MS_MIN = 1_000;

/** Of a group, where there are many: for each, what a busy one needs is less than what one alone may have. */
export const GROUP_LIMITS: Limits = {
	...DEFAULT_LIMITS,
	slabBytes: 512 * KIB,
	batchBytes: 128 * KIB,
	batchEntriesMax: 16_384,
	entryBytesMax: 252 * KIB,
	uncommittedBytesMax: 6 * KIB * KIB,
	waitingBytesMax: 8 * KIB * KIB,
	inflightBytesMax: 4 * KIB * KIB,
	tailBytesMax: KIB * KIB,
	appendBytesMax: 256 * KIB,
	flushBytesMax: KIB * KIB,
	readsMax: 4096,
	clientBytesMax: KIB * KIB,
	sessionsMax: 1000,
	segmentBytes: KIB * KIB,
	segmentsAhead: 1,
};

/** What all groups of a host share. */
export interface HostOptions
	extends Pick<
		ReplicaOptions,
		'id' | 'dir' | 'cluster' | 'electionTimeoutMs' | 'heartbeatMs' | 'log' | 'tls' | 'doors'
	> {
	/** Address (`host:port`) of every host by id, this one included. */
	readonly peers: Readonly<Record<number, string>>;
	/** Of each of the two files through which all groups write; fixed when they are made. Default 64 MiB. */
	readonly journalBytes?: number;
}

/** What is a group's own. `peers`: the hosts that have a replica of it, default all. `limits`: see `GROUP_LIMITS`. */
export interface GroupOptions
	extends Omit<ReplicaOptions, keyof HostOptions | 'group' | 'durability'> {
	readonly peers?: Readonly<Record<number, string>>;
}

/** Many groups in one process, of each one replica: they share connections, flushes and timers. Made by `openHost`. */
export class Host {
	readonly id: number;
	readonly #options: HostOptions;
	readonly #doors: Doors;
	readonly #disk: JournalDisk;
	readonly #network: MuxNetwork;
	readonly #listener: Listener;
	readonly #lock: DirectoryLock;
	readonly #assembled: (group: number, parts: ReplicaParts) => void;
	readonly #groups = new Map<number, Promise<Replica>>();
	#closing: Promise<void> | null = null;

	/** Use `openHost`. `assembled`: see `open` of `src/replica/open.ts`. */
	static async open(
		options: HostOptions,
		doors: Doors,
		assembled: (group: number, parts: ReplicaParts) => void = () => {},
	): Promise<Host> {
		const { dir, id, peers, cluster = 'millrace', heartbeatMs = 50 } = options;
		const address = parseAddress(peers[id] ?? '');
		const journalBytes = options.journalBytes ?? JOURNAL_BYTES;
		if (!(journalBytes >= 4096 && journalBytes % 4096 === 0)) {
			throw new BadOption(`journalBytes must be a multiple of 4096, not ${journalBytes}`);
		}
		const logLine = hostLine(id, options.log);
		await doors.disk.makeDirectory(dir);
		const lock = await doors.disk.lock(dir);
		const clock = new HostClock(doors.clock, Math.max(1, heartbeatMs / 2));
		try {
			const disk = await JournalDisk.open({
				...{ disk: doors.disk, clock, random: doors.random, directory: dir },
				fileBytes: journalBytes,
				onFailure: (error) => logLine(`no group is written any more: ${error.message}`),
			});
			const network = new MuxNetwork({
				...{ network: doors.network, clock, cluster: clusterNumber(cluster), log: logLine },
				silenceMs: Math.max(SILENCE_MS_MIN, 2 * (options.electionTimeoutMs ?? 300)),
				strangersMax: DEFAULT_LIMITS.connectionsMax,
			});
			try {
				const listener = await network.hold(address);
				return new Host(options, doors, clock, disk, network, listener, lock, assembled);
			} catch (error) {
				await disk.close();
				throw error;
			}
		} catch (error) {
			await lock.release();
			throw error;
		}
	}

	private constructor(
		options: HostOptions,
		doors: Doors,
		clock: Clock,
		disk: JournalDisk,
		network: MuxNetwork,
		listener: Listener,
		lock: DirectoryLock,
		assembled: (group: number, parts: ReplicaParts) => void,
	) {
		this.#assembled = assembled;
		this.id = options.id;
		this.#options = options;
		this.#doors = { ...doors, disk, clock };
		this.#disk = disk;
		this.#network = network;
		this.#listener = listener;
		this.#lock = lock;
	}

	/**
	 * Opens this host's replica of a group. Errors: as `openReplica`; `BadOption` if the group is open.
	 *
	 * When nothing has happened in it for a while, and all its members have everything, the group rests: it costs neither
	 * messages nor time until something happens again, or a host is lost.
	 */
	openGroup(group: number, options: GroupOptions): Promise<Replica> {
		if (this.#closing !== null) return Promise.reject(new BadOption('the host is closed'));
		if (this.#groups.has(group)) {
			return Promise.reject(new BadOption(`group ${group} is open`));
		}
		const opening = this.#open(group, options);
		this.#groups.set(group, opening);
		opening.catch(() => this.#groups.delete(group));
		return opening;
	}

	async #open(group: number, options: GroupOptions): Promise<Replica> {
		const { dir, log, doors: _, journalBytes: __, ...shared } = this.#options;
		const doors = { ...this.#doors, network: this.#network.forGroup(group) };
		const replica = await open(
			{
				...shared,
				...options,
				group,
				dir: `${dir}/groups/${group}`,
				limits: { ...GROUP_LIMITS, ...options.limits },
				...(log !== undefined && { log: ofGroup(group, log) }),
			},
			doors,
			(parts) => this.#assembled(group, parts),
			VERSIONS,
			{ isHosted: true },
		);
		replica.once('closed', () => this.#groups.delete(group));
		return replica;
	}

	/** What the groups share, in numbers since the start. */
	counters(): Readonly<Record<string, number>> {
		const { flushes, records, bytes, checkpoints, waits } = this.#disk.counters;
		const { writes, frames } = this.#network.counters;
		return {
			...{ groups: this.#groups.size, links: this.#network.linkCount },
			...{ journalFlushes: flushes, journalRecords: records, journalBytes: bytes },
			...{ journalCheckpoints: checkpoints, journalWaits: waits },
			...{ linkWrites: writes, linkFrames: frames },
		};
	}

	/** Closes all groups, those that lead here after handing over, and lets go of everything. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		const closing = [...this.#groups.values()].map(async (opening) => {
			const replica = await opening.catch(() => null);
			await replica?.close();
		});
		const failures = (await Promise.allSettled(closing)).filter(
			(result) => result.status === 'rejected',
		);
		try {
			await this.#listener.close();
			await this.#disk.close();
		} finally {
			await this.#lock.release();
		}
		if (failures.length > 0) throw failures[0]!.reason;
	}
}

/** Lines say of which group they are; events do anyway. */
function ofGroup(group: number, log: LogOption): LogOption {
	return typeof log === 'function' ? (line) => log(`group ${group}: ${line}`) : log;
}
