import type { Timer } from '../../src/io.js';
import type { Scheduler } from './scheduler.js';

/**
 * One life of a program on a machine. Everything the doors call back goes through `schedule`, so the
 * end of a process is one flag: no timer fires, no write completes and no promise of a door settles
 * after it.
 */
export class SimulatedProcess {
	readonly scheduler: Scheduler;
	readonly identifier: number;
	/** How often anything of it has run: who looks at it again and again looks when this has changed. */
	runs = 0;
	#alive = true;
	#waiting: (() => void)[] | null = null;

	constructor(scheduler: Scheduler, identifier: number) {
		this.scheduler = scheduler;
		this.identifier = identifier;
	}

	get alive(): boolean {
		return this.#alive;
	}

	schedule(delayMs: number, callback: () => void): Timer {
		return this.scheduler.schedule(delayMs, () => this.enter(callback));
	}

	/** Runs it in this process now: not at all if it ended, later if it is suspended. */
	enter(callback: () => void): void {
		if (!this.#alive) return;
		if (this.#waiting === null) {
			this.runs += 1;
			callback();
		} else this.#waiting.push(callback);
	}

	/** Like SIGSTOP, or a long garbage collection: the world goes on, this process doesn't notice. */
	suspend(): void {
		this.#waiting ??= [];
	}

	/** Everything that happened meanwhile reaches it now, in order, each in a turn of its own. */
	resume(): void {
		const waiting = this.#waiting ?? [];
		this.#waiting = null;
		for (const callback of waiting) this.schedule(0, callback);
	}

	end(): void {
		this.#alive = false;
		this.#waiting = null;
	}
}
