import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MillraceError } from '../errors.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const CLOSE_TIMEOUT_MS = 5_000;

export interface ReplicaProcessOptions {
	readonly id: number;
	readonly peers: string;
	readonly dir: string;
	readonly cluster: string;
	readonly durability: string;
	/** As in `--state`; the default is `millrace serve`'s. */
	readonly state?: string;
	/** Bytes of log; likewise. */
	readonly snapshotEvery?: number;
}

/** `millrace serve` in a process of its own, which can be killed, stopped and started again. */
export class ReplicaProcess {
	readonly id: number;
	readonly #options: ReplicaProcessOptions;
	readonly #say: (line: string) => void;
	#child: ChildProcess | null = null;
	#exited: Promise<void> = Promise.resolve();
	#isExpected = false;
	/** While the replica is stopped: kills it should this process die, for a stopped one can't notice that. */
	#warden: ChildProcess | null = null;

	/** `say`: told what the replica prints, and when it ends by itself. */
	constructor(options: ReplicaProcessOptions, say: (line: string) => void) {
		this.id = options.id;
		this.#options = options;
		this.#say = say;
	}

	get state(): 'running' | 'paused' | 'down' {
		if (this.#child === null) return 'down';
		return this.#warden === null ? 'running' : 'paused';
	}

	/** Resolves when it listens. Rejects with its own words if it can't. */
	start(): Promise<void> {
		const { snapshotEvery, ...named } = this.#options;
		const { id } = named;
		const args = Object.entries(named).map(([name, value]) => `--${name}=${value}`);
		if (snapshotEvery !== undefined) args.push(`--snapshot-every=${snapshotEvery}`);
		// Its stdin is never written to: it ends when this process does, however that comes about.
		const child = spawn(process.execPath, [MAIN, 'serve', '--exit-with-stdin', ...args], {
			stdio: ['pipe', 'pipe', 'pipe'],
			// A Ctrl-C in the terminal is for the prompt alone.
			detached: true,
		});
		this.#child = child;
		this.#isExpected = false;
		return new Promise((resolve, reject) => {
			let lastComplaint = '';
			let isReady = false;
			eachLine(child.stdout!, (line) => {
				if (line.startsWith(`replica ${id} listening on `)) {
					isReady = true;
					resolve();
				} else this.#say(line);
			});
			eachLine(child.stderr!, (line) => {
				lastComplaint = line;
				if (isReady) this.#say(line);
			});
			this.#exited = new Promise((exited) => {
				child.once('error', (error) => reject(error));
				child.once('close', (code, signal) => {
					this.#child = null;
					this.#dropWarden();
					const how = lastComplaint || `replica ${id} ended with ${code ?? signal}`;
					reject(new MillraceError('NOT_STARTED', how));
					if (isReady && !this.#isExpected) this.#say(`replica ${id} ended: ${code ?? signal}`);
					exited();
				});
			});
		});
	}

	/** SIGKILL, and waits until it is gone. */
	async kill(): Promise<void> {
		this.#isExpected = true;
		this.#child?.kill('SIGKILL');
		await this.#exited;
	}

	/** SIGTERM, and SIGKILL if that takes too long. */
	async stop(): Promise<void> {
		const child = this.#child;
		if (child === null) return;
		this.resume();
		this.#isExpected = true;
		child.kill('SIGTERM');
		const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_TIMEOUT_MS);
		await this.#exited;
		clearTimeout(timer);
	}

	/** SIGSTOP. */
	pause(): void {
		if (this.state !== 'running') return;
		const command = `read line || kill -9 ${this.#child!.pid}`;
		const stdio = ['pipe', 'ignore', 'ignore'] as const;
		this.#warden = spawn('sh', ['-c', command], { stdio: [...stdio], detached: true });
		this.#warden.once('error', () => {});
		this.#child!.kill('SIGSTOP');
	}

	/** SIGCONT. */
	resume(): void {
		if (this.state !== 'paused') return;
		this.#child!.kill('SIGCONT');
		this.#dropWarden();
	}

	/** For the end of this process: now, without waiting. */
	killNow(): void {
		this.#isExpected = true;
		this.#dropWarden();
		this.#child?.kill('SIGKILL');
	}

	#dropWarden(): void {
		this.#warden?.kill('SIGKILL');
		this.#warden = null;
	}
}

function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
	let rest = '';
	stream.setEncoding('utf8');
	stream.on('data', (text: string) => {
		const lines = (rest + text).split('\n');
		rest = lines.pop()!;
		for (const line of lines) take(line);
	});
}
