import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ReplicaStatus } from '../../src/replica/types.js';
import type { Applied } from './register-machine.js';
import type { FromReplica, ReplicaArguments, ToReplica } from './replica-messages.js';

const MAIN = fileURLToPath(new URL('./replica-main.js', import.meta.url));

/** How a replica ended by itself. */
export interface Failure {
	readonly code: string;
	readonly message: string;
}

/** A program to run, as `spawn` wants it. */
export type Wrap = (program: string, parameters: readonly string[]) => [string, string[]];

/** One replica's process: started, killed, stopped and resumed; what it tells of itself. */
export class ReplicaProcess {
	readonly id: number;
	readonly directory: string;
	readonly #parameters: ReplicaArguments;
	readonly #logFile: string;
	readonly #wrap: Wrap;
	#child: ChildProcess | null = null;
	#exited: Promise<unknown> = Promise.resolve();
	/** While the replica is stopped: kills it should this process die, for a stopped one can't notice that. */
	#warden: ChildProcess | null = null;
	#isExpected = false;
	/** The last it told, and when; null before. */
	status: ReplicaStatus | null = null;
	statusAt = 0;
	/** The first impossible thing that its state machine saw. */
	fault: string | null = null;
	/** Why it ended by itself, or could not start; null again when it starts. */
	failure: Failure | null = null;

	constructor(parameters: ReplicaArguments, logFile: string, wrap: Wrap) {
		this.id = parameters.id;
		this.directory = parameters.dir;
		this.#parameters = parameters;
		this.#logFile = logFile;
		this.#wrap = wrap;
	}

	get state(): 'running' | 'paused' | 'down' {
		if (this.#child === null) return 'down';
		return this.#warden === null ? 'running' : 'paused';
	}

	/** Resolves when it is open, or when it has ended: then `failure` says why. */
	async start(): Promise<void> {
		const [program, parameters] = this.#wrap(process.execPath, [
			MAIN,
			JSON.stringify(this.#parameters),
		]);
		const log = openSync(this.#logFile, 'a');
		const child = spawn(program, parameters, {
			stdio: ['ignore', log, log, 'ipc'],
			// A Ctrl-C in the terminal is not for it.
			detached: true,
			serialization: 'advanced',
		});
		closeSync(log);
		this.#child = child;
		this.#isExpected = false;
		this.failure = null;
		await new Promise<void>((resolve) => {
			child.on('message', (message: FromReplica) => {
				if (this.#child !== child) return;
				this.#hear(message);
				if (message.kind === 'ready') resolve();
			});
			// Of the channel too, when it is being killed.
			child.on('error', () => {});
			this.#exited = once(child, 'close').then(
				([code, signal]) => {
					this.#ended(child, `ended with ${code ?? signal}`);
					resolve();
				},
				(error: Error) => {
					this.#ended(child, error.message);
					resolve();
				},
			);
		});
	}

	#hear(message: FromReplica): void {
		if (message.kind === 'status') {
			this.status = message.status;
			this.statusAt = performance.now();
			this.fault ??= message.fault;
		} else if (message.kind === 'failed') {
			this.failure = { code: message.code, message: message.message };
		}
	}

	#ended(child: ChildProcess, how: string): void {
		if (this.#child !== child) return;
		this.#child = null;
		this.status = null;
		this.#dropWarden();
		if (!this.#isExpected) this.failure ??= { code: 'ENDED', message: how };
	}

	/** SIGKILL, and waits until it is gone. */
	async kill(): Promise<void> {
		this.killNow();
		await this.#exited;
	}

	/** SIGSTOP. */
	pause(): void {
		if (this.state !== 'running') return;
		const command = `read line || kill -9 ${this.#child!.pid}`;
		this.#warden = spawn('sh', ['-c', command], {
			stdio: ['pipe', 'ignore', 'ignore'],
			detached: true,
		});
		this.#warden.once('error', () => {});
		this.#child!.kill('SIGSTOP');
	}

	/** SIGCONT. */
	resume(): void {
		if (this.state !== 'paused') return;
		this.#child!.kill('SIGCONT');
		this.#dropWarden();
	}

	/** SIGKILL, without waiting. */
	killNow(): void {
		if (this.#child === null) return;
		this.#isExpected = true;
		this.#dropWarden();
		this.#child.kill('SIGKILL');
	}

	#dropWarden(): void {
		this.#warden?.kill('SIGKILL');
		this.#warden = null;
	}

	/** Everything it has applied. */
	async applied(timeoutMs: number): Promise<Applied> {
		const child = this.#child;
		if (child === null) throw new Error(`replica ${this.id} is down`);
		const answer = new Promise<Applied>((resolve, reject) => {
			const timer = setTimeout(() => {
				reject(new Error(`replica ${this.id} did not tell what it applied`));
			}, timeoutMs);
			child.on('message', (message: FromReplica) => {
				if (message.kind !== 'applied') return;
				clearTimeout(timer);
				resolve(message.applied);
			});
		});
		child.send({ kind: 'applied' } satisfies ToReplica);
		return answer;
	}
}
