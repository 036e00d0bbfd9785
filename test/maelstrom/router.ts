/** What Maelstrom does, as far as this needs it: starts nodes, carries their messages, late and in any order, and cuts the network. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Body, Message } from '../../examples/maelstrom/messages.js';

const DELAY_MS_MAX = 4;
/** One message in so many is lost, and its stream with it. */
const LOST_ONE_IN = 20_000;

export class Router {
	readonly #nodes = new Map<string, ChildProcess>();
	readonly #clients = new Map<string, (body: Body) => void>();
	readonly #random: () => number;
	readonly exits: Promise<number | null>[] = [];
	/** Whether messages get from the one node to the other. */
	isConnected: (a: string, b: string) => boolean = () => true;
	delivered = 0;
	dropped = 0;

	constructor(random: () => number) {
		this.#random = random;
	}

	start(name: string, program: string, environment: Record<string, string>): void {
		const node = spawn(process.execPath, [program], {
			env: { ...process.env, ...environment },
			stdio: ['pipe', 'pipe', 'inherit'],
		});
		this.#nodes.set(name, node);
		this.exits.push(new Promise((resolve) => node.once('exit', resolve)));
		// Who has ended reads no more.
		node.stdin!.on('error', () => {});
		createInterface({ input: node.stdout! }).on('line', (line) => this.#carry(JSON.parse(line)));
	}

	/** What comes for `name` is handed to `receive`. @returns how it sends */
	client(name: string, receive: (body: Body) => void): (dest: string, body: Body) => void {
		this.#clients.set(name, receive);
		return (dest, body) => this.#carry({ src: name, dest, body });
	}

	/** Lets each node end by itself; resolves with their exit codes. */
	end(): Promise<(number | null)[]> {
		for (const node of this.#nodes.values()) node.stdin!.end();
		return Promise.all(this.exits);
	}

	kill(): void {
		for (const node of this.#nodes.values()) node.kill('SIGKILL');
	}

	/** As Maelstrom's: clients are never cut off. */
	#carry(message: Message): void {
		const { src, dest, body } = message;
		const isBetweenNodes = this.#nodes.has(src) && this.#nodes.has(dest);
		if (isBetweenNodes && (!this.isConnected(src, dest) || this.#isLost())) {
			this.dropped += 1;
			return;
		}
		this.delivered += 1;
		const deliver = () => {
			this.#clients.get(dest)?.(body);
			this.#nodes.get(dest)?.stdin?.write(`${JSON.stringify(message)}\n`);
		};
		setTimeout(deliver, this.#random() * DELAY_MS_MAX);
	}

	#isLost(): boolean {
		return this.#random() * LOST_ONE_IN < 1;
	}
}
