import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerPlan } from './peer.js';

const EXIT_MS = 3_000;

/** Server processes that aren't ours. None outlives this process. */
export class Servers {
	readonly #running: { plan: ServerPlan; process: ChildProcess; log: string }[] = [];
	/** Why one of them ended, as far as it said; null as long as all run. */
	#ended: string | null = null;

	constructor() {
		process.once('exit', () => this.#kill());
	}

	get pids(): number[] {
		return this.#running.map((server) => server.process.pid!);
	}

	/** Starts them; what they say goes to a file each in `dir`. Rejects if one isn't there to be started. */
	async start(plans: readonly ServerPlan[], dir: string): Promise<void> {
		await Promise.all(plans.map((plan) => this.#startOne(plan, dir)));
	}

	/** @throws what one of them said before it ended */
	check(): void {
		if (this.#ended !== null) throw new Error(this.#ended);
	}

	/** Ends them, and resolves when none is left. */
	async end(): Promise<void> {
		const exits = this.#running.map(({ process: server }) => {
			if (server.exitCode !== null || server.signalCode !== null) return null;
			return new Promise((resolve) => server.once('exit', resolve));
		});
		this.#ended = 'was stopped';
		for (const server of this.#running) server.process.kill('SIGTERM');
		const patience = setTimeout(() => this.#kill(), EXIT_MS);
		await Promise.all(exits);
		clearTimeout(patience);
	}

	async #startOne(plan: ServerPlan, dir: string): Promise<void> {
		const log = join(dir, `${plan.name.replace(' ', '-')}.log`);
		const file = openSync(log, 'a');
		// In a session of its own: a terminal's Ctrl-C isn't for it.
		const server = spawn(plan.command, plan.args, {
			stdio: ['ignore', file, file],
			detached: true,
		});
		closeSync(file);
		await new Promise<void>((resolve, reject) => {
			server.once('spawn', resolve).once('error', reject);
		});
		this.#running.push({ plan, process: server, log });
		server.once('exit', (code, signal) => {
			const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
			this.#ended ??= `${plan.name} ${how}: ${lastLine(log)}`;
		});
	}

	#kill(): void {
		for (const server of this.#running) server.process.kill('SIGKILL');
	}
}

function lastLine(log: string): string {
	return readFileSync(log, 'utf8').trim().split('\n').at(-1)!.slice(0, 300);
}
