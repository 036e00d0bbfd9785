import net from 'node:net';
import { join } from 'node:path';
import type { Recording } from '../src/profile/columns.js';
import { BenchFailed, type Child, type Children } from './children.js';
import type { Contender } from './contender.js';
import type {
	ClientCalls,
	Driven,
	DriverCalls,
	ReplicaCalls,
	ReplicaSetup,
	ReplicaState,
} from './messages.js';
import { type BenchOptions, planLoad, RETAIN_BYTES } from './options.js';
import type { RunOrder, Slice } from './run.js';
import type { Sample } from './sample.js';

const LEADER_MS = 20_000;
const CATCH_UP_MS = 10_000;
const POLL_MS = 20;

interface Driving extends DriverCalls {
	driven: { argument: null; result: Driven };
}

/** URLs of the modules that are measured. */
export interface Build {
	readonly engine: string;
	readonly client: string;
	/** The folder of the processes that open and drive them; ends with `/`. */
	readonly workers: string;
}

/** The build that lies in the folder `dist`, a file URL that ends with `/`. */
export function buildIn(dist: URL): Build {
	const at = (path: string) => new URL(path, dist).href;
	return { engine: at('src/index.js'), client: at('src/client/index.js'), workers: at('bench/') };
}

export const OWN_BUILD = buildIn(new URL('../', import.meta.url));

/** Real replicas, each in a process of its own with a directory of its own. */
export class Engine implements Contender {
	readonly name = 'engine';
	readonly replicas: readonly { readonly name: string; readonly dir: string }[];
	readonly #children: readonly Child<ReplicaCalls>[];
	readonly #client: Child<ClientCalls> | null;
	readonly #leader: number;

	private constructor(
		replicas: readonly { name: string; dir: string }[],
		children: readonly Child<ReplicaCalls>[],
		client: Child<ClientCalls> | null,
		leader: number,
	) {
		this.replicas = replicas;
		this.#children = children;
		this.#client = client;
		this.#leader = leader;
	}

	/** Resolves when one replica leads and all others follow it. */
	static async start(
		children: Children,
		options: BenchOptions,
		dir: string,
		build = OWN_BUILD,
	): Promise<Engine> {
		const ids = Array.from({ length: options.replicas }, (_, i) => i + 1);
		const ports = await freePorts(ids.length);
		const peers = Object.fromEntries(ids.map((id, i) => [id, `127.0.0.1:${ports[i]}`]));
		const replicas = ids.map((id) => ({ name: `replica ${id}`, dir: join(dir, `replica-${id}`) }));
		const forked = replicas.map(({ name }) =>
			children.fork<ReplicaCalls>(name, new URL('./replica-worker.js', build.workers).href),
		);
		const load = planLoad(options);
		const setup = (i: number): ReplicaSetup => ({
			id: ids[i]!,
			dir: replicas[i]!.dir,
			peers,
			durability: options.durability,
			retainBytes: RETAIN_BYTES,
			load,
			mode: options.mode,
			engine: build.engine,
		});
		await Promise.all(forked.map((child, i) => child.ask('open', setup(i))));
		const leader = await waitForLeader(forked);
		let client: Child<ClientCalls> | null = null;
		if (options.mode === 'client' || options.mode === 'client-single') {
			const worker = new URL('./client-worker.js', build.workers).href;
			client = children.fork<ClientCalls>('client', worker);
			await client.ask('open', { peers, load, mode: options.mode, client: build.client });
		}
		return new Engine(replicas, forked, client, leader);
	}

	get acknowledged(): number {
		return this.#driving.acknowledged;
	}

	run(order: RunOrder): Promise<Slice> {
		return this.#driving.ask('run', order);
	}

	async stop(): Promise<void> {
		await this.#driving.ask('stop', null);
	}

	driven(): Promise<Driven> {
		return this.#driving.ask('driven', null);
	}

	/** One for each replica. */
	samples(): Promise<Sample[]> {
		return Promise.all(this.#children.map((child) => child.ask('sample', null)));
	}

	/** Begins to record the stages of so many batches at most, on each replica. */
	async profile(batchesMax: number): Promise<void> {
		await Promise.all(this.#children.map((child) => child.ask('profile', batchesMax)));
	}

	/** Ends that. The leader's is the first. */
	async recordings(): Promise<Recording[]> {
		const all = await Promise.all(this.#children.map((child) => child.ask('recording', null)));
		return [all[this.#leader]!, ...all.filter((_, i) => i !== this.#leader)];
	}

	/** Positions of the replicas that do not lead. */
	get followers(): number[] {
		return this.#children.map((_, i) => i).filter((i) => i !== this.#leader);
	}

	/** Waits until all replicas have everything that is committed. @returns what they say of themselves */
	async settle(): Promise<{ committed: number; states: ReplicaState[] }> {
		const deadline = performance.now() + CATCH_UP_MS;
		for (;;) {
			const states = await askStates(this.#children);
			const { committed, last, peersCaughtUp } = states[this.#leader]!;
			const isSettled = committed === last && peersCaughtUp === states.length - 1;
			// What is missing then, the verification will say.
			if (isSettled || performance.now() > deadline) return { committed, states };
			await sleep(POLL_MS);
		}
	}

	async close(): Promise<void> {
		await this.#client?.ask('close', null);
		await Promise.all(this.#children.map((child) => child.ask('close', null)));
	}

	get #driving(): Child<Driving> {
		// Both answer the calls of a driver; a type cannot say that of a union of generics.
		return (this.#client ?? this.#children[this.#leader]!) as unknown as Child<Driving>;
	}
}

function askStates(children: readonly Child<ReplicaCalls>[]): Promise<ReplicaState[]> {
	return Promise.all(children.map((child) => child.ask('state', null)));
}

async function waitForLeader(children: readonly Child<ReplicaCalls>[]): Promise<number> {
	const deadline = performance.now() + LEADER_MS;
	while (performance.now() < deadline) {
		const states = await askStates(children);
		const leader = states.findIndex(
			({ leads, committed, peersCaughtUp }) =>
				leads && committed > 0 && peersCaughtUp === states.length - 1,
		);
		if (leader >= 0) return leader;
		await sleep(POLL_MS);
	}
	throw new BenchFailed(`no replica became leader of all within ${LEADER_MS / 1000} s`);
}

function sleep(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ports that are free now, each another one. */
export async function freePorts(count: number): Promise<number[]> {
	const servers = Array.from({ length: count }, () => net.createServer());
	const ports = servers.map(
		(server) =>
			new Promise<number>((resolve, reject) => {
				server.once('error', reject);
				server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
			}),
	);
	try {
		return await Promise.all(ports);
	} finally {
		await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
	}
}
