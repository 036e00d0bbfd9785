import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { connect, type PeerReport } from '../client/index.js';
import { BadOption, MillraceError } from '../errors.js';
import { EXIT_INTERRUPTED } from './interrupt.js';
import { oneOf, parse, SNAPSHOT_EVERY_OPTION, snapshotEveryBytes, wholeNumber } from './options.js';
import { ReplicaProcess, type ReplicaProcessOptions } from './replica-process.js';
import { STATES } from './serve.js';
import { leaderOf, tableOf } from './status.js';

const COMMANDS_HELP = `  status      a table; waits a little until there is a leader
  peers       the --peers of this cluster, for the other commands
  kill I      SIGKILL
  restart I   starts it again (and kills it first, if it runs)
  pause I     SIGSTOP
  resume I    SIGCONT
  help        this text
  quit        ends all replicas
`;

export const help = `millrace cluster: replica processes on this machine

Usage: millrace cluster [options]

  --replicas N       how many (3)
  --dir DIR          where their logs are kept (./millrace-data/cluster)
  --base-port P      the first one's port; the others follow (free ports)
  --cluster NAME     the cluster's name (millrace)
  --durability D     sync or os (sync)
  --state S          what they keep: count or kv (count)
  --snapshot-every B a snapshot after so many bytes of log (268435456)

Reads commands from stdin, at a prompt if that is a terminal. Each waits until it is done. I is a replica's id, or
the word leader.

${COMMANDS_HELP}
No replica is left behind, however this ends.
`;

const LEADER_WAIT_MS = 5_000;
const LEADER_POLL_MS = 100;
const STATUS_TIMEOUT_MS = 1_000;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		replicas: { type: 'string', default: '3' },
		dir: { type: 'string', default: join('millrace-data', 'cluster') },
		'base-port': { type: 'string' },
		cluster: { type: 'string', default: 'millrace' },
		durability: { type: 'string', default: 'sync' },
		state: { type: 'string', default: 'count' },
		...SNAPSHOT_EVERY_OPTION,
	} as const;
	const { values } = parse(argv, options);
	const count = wholeNumber('replicas', values.replicas, 1, 9);
	const durability = oneOf('durability', values.durability, ['sync', 'os']);
	const basePort =
		values['base-port'] === undefined
			? null
			: wholeNumber('base-port', values['base-port'], 1, 65_536 - count);
	const state = oneOf('state', values.state, STATES);
	const snapshotEvery = snapshotEveryBytes(values);
	const shared = { cluster: values.cluster, durability, state, snapshotEvery };
	return { count, dir: values.dir, basePort, ...shared };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { count, dir, basePort, ...shared } = optionsOf(argv);
	const ports = basePort === null ? await freePorts(count) : wholePorts(basePort, count);
	return new Cluster(dir, ports, shared).run();
}

function wholePorts(first: number, count: number): number[] {
	return Array.from({ length: count }, (_, i) => first + i);
}

/** Ports that are free now, all different: taken together, then let go. */
async function freePorts(count: number): Promise<number[]> {
	const servers = wholePorts(0, count).map(() => net.createServer().listen(0, '127.0.0.1'));
	await Promise.all(servers.map((server) => once(server, 'listening')));
	const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
	await Promise.all(servers.map((server) => once(server.close(), 'close')));
	return ports;
}

type Shared = Pick<ReplicaProcessOptions, 'cluster' | 'durability' | 'state' | 'snapshotEvery'>;

/** The replicas of one cluster, and what is typed at them. */
class Cluster {
	readonly #replicas: readonly ReplicaProcess[];
	readonly #peers: Record<number, string>;
	readonly #name: string;
	readonly #dir: string;
	readonly #isTerminal = process.stdin.isTTY === true;
	#isInterrupted = false;
	#lines: Interface | null = null;

	constructor(dir: string, ports: readonly number[], shared: Shared) {
		this.#dir = dir;
		this.#name = shared.cluster;
		this.#peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
		this.#replicas = ports.map((_, i) => {
			const id = i + 1;
			const directory = join(dir, `replica-${id}`);
			const options = { id, peers: this.#peersText, dir: directory, ...shared };
			return new ReplicaProcess(options, (line) => this.#say(line));
		});
	}

	async run(): Promise<number> {
		// Whatever happens to this process: those that can be reached at its end don't outlive it.
		process.once('exit', () => this.#killAll());
		const interrupt = (): void => {
			if (this.#isInterrupted) process.exit(EXIT_INTERRUPTED);
			this.#isInterrupted = true;
			this.#lines?.close();
		};
		process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', interrupt);
		try {
			await Promise.all(this.#replicas.map((replica) => replica.start()));
			const count = this.#replicas.length;
			process.stdout.write(`${count} replicas, logs in ${this.#dir}\npeers: ${this.#peersText}\n`);
			if (!this.#isInterrupted) await this.#readCommands(interrupt);
		} finally {
			await Promise.all(this.#replicas.map((replica) => replica.stop()));
		}
		return this.#isInterrupted ? EXIT_INTERRUPTED : 0;
	}

	get #peersText(): string {
		return Object.entries(this.#peers)
			.map(([id, address]) => `${id}=${address}`)
			.join(',');
	}

	#killAll(): void {
		for (const replica of this.#replicas) replica.killNow();
	}

	/** What a replica prints: above the prompt, for people; a script gets what it asks for. */
	#say(line: string): void {
		if (!this.#isTerminal) {
			process.stderr.write(`${line}\n`);
			return;
		}
		process.stdout.write(`\r\x1b[K${line}\n`);
		this.#lines?.prompt(true);
	}

	async #readCommands(interrupt: () => void): Promise<void> {
		const lines = createInterface({
			input: process.stdin,
			...(this.#isTerminal ? { output: process.stdout, prompt: 'millrace> ' } : {}),
		});
		this.#lines = lines;
		lines.on('SIGINT', interrupt);
		if (this.#isTerminal) lines.prompt();
		for await (const line of lines) {
			if (this.#isInterrupted || (await this.#execute(line.trim().split(/\s+/)))) break;
			if (this.#isTerminal) lines.prompt();
		}
		this.#lines = null;
		lines.close();
	}

	/** @returns whether it was the last command */
	async #execute([command = '', ...args]: readonly string[]): Promise<boolean> {
		if (command === 'quit' || command === 'exit') return true;
		try {
			await this.#perform(command, args);
		} catch (error) {
			process.stdout.write(`${command}: ${(error as Error).message}\n`);
		}
		return false;
	}

	async #perform(command: string, args: readonly string[]): Promise<void> {
		switch (command) {
			case '':
				return;
			case 'help':
				process.stdout.write(COMMANDS_HELP);
				return;
			case 'peers':
				process.stdout.write(`${this.#peersText}\n`);
				return;
			case 'status':
				process.stdout.write(tableOf(await this.#reports()));
				return;
			case 'kill':
			case 'restart':
			case 'pause':
			case 'resume': {
				const replica = await this.#replica(args[0]);
				await this.#change(command, replica);
				process.stdout.write(`replica ${replica.id} is ${replica.state}\n`);
				return;
			}
			default:
				throw new BadOption('there is no such command; see help');
		}
	}

	async #change(
		command: 'kill' | 'restart' | 'pause' | 'resume',
		replica: ReplicaProcess,
	): Promise<void> {
		switch (command) {
			case 'kill':
				return replica.kill();
			case 'restart':
				await replica.kill();
				return replica.start();
			case 'pause':
				return replica.pause();
			case 'resume':
				return replica.resume();
		}
	}

	async #replica(name: string | undefined): Promise<ReplicaProcess> {
		if (name === undefined) throw new BadOption('which replica?');
		const id = name === 'leader' ? (leaderOf(await this.#reports())?.id ?? 0) : Number(name);
		if (id === 0 && name === 'leader') throw new MillraceError('NO_LEADER', 'there is no leader');
		const replica = this.#replicas.find((candidate) => candidate.id === id);
		if (replica === undefined) throw new BadOption(`there is no replica ${name}`);
		return replica;
	}

	/** What all say of themselves, once one of them leads or that took too long. */
	async #reports(): Promise<PeerReport[]> {
		const client = connect({
			peers: this.#peers,
			cluster: this.#name,
			timeoutMs: STATUS_TIMEOUT_MS,
		});
		try {
			const deadline = performance.now() + LEADER_WAIT_MS;
			for (;;) {
				const reports = await client.status();
				const isLate = performance.now() > deadline || this.#isInterrupted;
				if (leaderOf(reports) !== null || isLate) return reports;
				await new Promise((resolve) => setTimeout(resolve, LEADER_POLL_MS));
			}
		} finally {
			await client.close();
		}
	}
}
