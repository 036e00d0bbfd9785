import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type RemoteClient } from '../../src/client/index.js';
import { pause, until } from './cluster.js';
import { numbered } from './machines.js';
import { freePeers } from './ports.js';

/** Real processes, killed and stopped by real signals while a client goes on proposing numbers. */

const worker = fileURLToPath(new URL('./kill-worker.mjs', import.meta.url));
const built = fileURLToPath(new URL('../../dist/src/index.js', import.meta.url));

interface State {
	readonly count: number;
	readonly fault: string | null;
	readonly role: string;
	readonly stopped: string | null;
}

let directory: string;
let peers: Record<number, string>;
const processes = new Map<number, ChildProcess>();

async function start(id: number): Promise<void> {
	const child = fork(worker, [String(id), join(directory, String(id)), JSON.stringify(peers)], {
		execArgv: [],
	});
	processes.set(id, child);
	await new Promise<void>((resolve, reject) => {
		child.once('message', () => resolve());
		child.once('exit', (code) => reject(new Error(`replica ${id} ended with code ${code}`)));
	});
	child.removeAllListeners('exit');
}

async function kill(id: number): Promise<void> {
	const child = processes.get(id)!;
	processes.delete(id);
	const ended = new Promise((resolve) => child.once('exit', resolve));
	child.kill('SIGKILL');
	await ended;
}

/** What a replica says of itself; null if it says nothing for a while. */
function ask(id: number): Promise<State | null> {
	const child = processes.get(id)!;
	return new Promise((resolve) => {
		const timer = setTimeout(() => settle(null), 2000);
		const settle = (state: State | null) => {
			clearTimeout(timer);
			child.off('message', settle);
			resolve(state);
		};
		child.on('message', settle);
		child.send('state');
	});
}

async function findLeader(): Promise<number> {
	for (;;) {
		for (const id of processes.keys()) if ((await ask(id))?.role === 'leader') return id;
		await pause(20);
	}
}

beforeAll(async () => {
	expect(existsSync(built), 'npm test builds first').toBe(true);
	directory = await mkdtemp(join(tmpdir(), 'millrace-kill-'));
	peers = await freePeers(3);
	await Promise.all([1, 2, 3].map(start));
});

afterAll(async () => {
	await Promise.all([...processes.keys()].map(kill));
	await rm(directory, { recursive: true, force: true });
});

/** Proposes 0, 1, 2 ... through a client, some at a time, until it is told to stop. */
class Load {
	proposed = 0;
	acknowledged = 0;
	failure: Error | null = null;
	#isOver = false;
	readonly #done: Promise<void>;

	constructor(client: RemoteClient) {
		this.#done = this.#run(client);
	}

	async #run(client: RemoteClient): Promise<void> {
		while (!this.#isOver && this.failure === null) {
			const round = Array.from({ length: 16 }, () =>
				client.propose(numbered(this.proposed++, 100)),
			);
			await Promise.all(round).catch((error: Error) => {
				this.failure = error;
			});
			this.acknowledged += round.length;
		}
	}

	async goesOn(): Promise<void> {
		const before = this.acknowledged;
		await until('the load goes on', () => {
			if (this.failure !== null) throw this.failure;
			return this.acknowledged >= before + 320;
		});
	}

	stop(): Promise<void> {
		this.#isOver = true;
		return this.#done;
	}
}

it('loses nothing that was acknowledged and repeats nothing, whoever is killed or stopped', async () => {
	const client = connect({ peers, timeoutMs: 30_000 });
	const load = new Load(client);
	await load.goesOn();

	for (let round = 0; round < 3; round++) {
		const leader = await findLeader();
		await pause(Math.random() * 50);
		await kill(leader);
		await load.goesOn();
		await start(leader);
		await load.goesOn();
	}

	const leader = await findLeader();
	for (const id of [leader, (leader % 3) + 1]) {
		const child = processes.get(id)!;
		child.kill('SIGSTOP');
		await load.goesOn();
		child.kill('SIGCONT');
		await load.goesOn();
	}

	// All at once: what is acknowledged now is on disk and nowhere else.
	await Promise.all([1, 2, 3].map(kill));
	await Promise.all([1, 2, 3].map(start));
	await load.goesOn();

	await load.stop();
	expect(load.failure).toBe(null);
	for (const id of processes.keys()) {
		let state: State | null = null;
		while (state === null || state.count < load.proposed) {
			state = await ask(id);
			expect(state?.stopped ?? null).toBe(null);
			await pause(20);
		}
		expect(state).toMatchObject({ count: load.proposed, fault: null });
	}
	await client.close();
});
