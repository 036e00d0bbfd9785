import { readFileSync } from 'node:fs';
import { type Child, Children } from '../children.js';
import { Engine } from '../engine.js';
import { type BenchOptions, planLoad } from '../options.js';
import type { RunOrder, Slice } from '../run.js';
import type { Contender } from './contenders.js';
import { TRANSACTION_PUTS_MAX } from './etcd.js';
import type { PeerCalls } from './messages.js';

/** Of etcd's 1.5 MiB for a request. */
const TRANSACTION_BYTES_MAX = 1024 * 1024;
/** The kernel counts processor time in these. */
const CLOCK_TICKS_PER_SECOND = 100;

/** Three running servers and their client, ours or a peer's. */
export interface Cluster {
	run(order: RunOrder): Promise<Slice>;
	stop(): Promise<void>;
	readonly acknowledged: number;
	/** Processes of the servers. */
	readonly serverPids: readonly number[];
	/** Seconds of processor time that all its processes have used, the client's too; null where nobody tells. */
	cpuSeconds(): number | null;
	/** How many entries the cluster says that it holds. */
	stored(): Promise<number>;
	close(): Promise<void>;
}

/** All processes of the one cluster that runs now. */
export class ClusterProcesses {
	readonly children = new Children();
	/** Those that aren't ours; they end with the worker that started them, or by us. */
	strangers: readonly number[] = [];

	get cpuSeconds(): number | null {
		let ticks = 0;
		for (const pid of [...this.children.pids, ...this.strangers]) {
			try {
				const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
				const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
				ticks += Number(fields[11]) + Number(fields[12]);
			} catch {
				return null;
			}
		}
		return ticks / CLOCK_TICKS_PER_SECOND;
	}

	/** Ends all; resolves when none is left. */
	async end(): Promise<void> {
		await this.children.end();
		this.#killStrangers();
	}

	/** Ends all now. */
	kill(): void {
		this.children.kill();
		this.#killStrangers();
	}

	/** Only where a worker didn't come to it. */
	#killStrangers(): void {
		for (const pid of this.strangers) {
			try {
				process.kill(pid, 'SIGKILL');
			} catch {
				// It has ended.
			}
		}
		this.strangers = [];
	}
}

export function startCluster(
	processes: ClusterProcesses,
	contender: Contender,
	options: BenchOptions,
	dir: string,
): Promise<Cluster> {
	const { drive } = contender;
	if ('mode' in drive) {
		return startMillrace(processes, { ...options, mode: drive.mode }, dir);
	}
	return startPeer(processes, drive, options, dir);
}

async function startMillrace(
	processes: ClusterProcesses,
	options: BenchOptions,
	dir: string,
): Promise<Cluster> {
	const engine = await Engine.start(processes.children, options, dir);
	return {
		run: (order) => engine.run(order),
		stop: () => engine.stop(),
		get acknowledged() {
			return engine.acknowledged;
		},
		serverPids: processes.children.pids.slice(0, options.replicas),
		cpuSeconds: () => processes.cpuSeconds,
		async stored() {
			const { committed } = await engine.settle();
			return committed - (await engine.driven()).firstIndex + 1;
		},
		close: () => engine.close(),
	};
}

async function startPeer(
	processes: ClusterProcesses,
	drive: Extract<Contender['drive'], { peer: unknown }>,
	options: BenchOptions,
	dir: string,
): Promise<Cluster> {
	const module = new URL('./peer-worker.js', import.meta.url).href;
	const worker: Child<PeerCalls> = processes.children.fork(drive.peer, module);
	const load = planLoad(options);
	const fitting = Math.max(1, Math.floor(TRANSACTION_BYTES_MAX / load.payloadBytes));
	const entriesPerBatch = Math.min(load.entriesPerBatch, TRANSACTION_PUTS_MAX, fitting);
	const setup = { ...drive, dir, load: { ...load, entriesPerBatch } };
	processes.strangers = await worker.ask('start', setup);
	await worker.ask('connect', null);
	return {
		run: (order) => worker.ask('run', order),
		async stop() {
			await worker.ask('stop', null);
		},
		get acknowledged() {
			return worker.acknowledged;
		},
		serverPids: processes.strangers,
		cpuSeconds: () => processes.cpuSeconds,
		stored: () => worker.ask('stored', null),
		async close() {
			await worker.ask('close', null);
			// Their numbers may be others' now.
			processes.strangers = [];
		},
	};
}
