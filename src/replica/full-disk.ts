import type { ReplicaParts } from './open.js';

/** So many election time-outs pass before it is tried again: where nobody has room, leadership shall not go round. */
const PAUSE_TIMEOUTS = 20;

/** A leader whose disk is full refuses whatever is proposed. Others may have room: one that has everything shall lead. */
export class FullDisk {
	readonly #parts: ReplicaParts;
	#nextAt = Number.NEGATIVE_INFINITY;

	constructor(parts: ReplicaParts) {
		this.#parts = parts;
	}

	/** Time passes. */
	tick(): void {
		const { log, loop, doors, settings, logLine } = this.#parts;
		if (!log.noSpace || !loop.isReadyLeader) return;
		const now = doors.clock.now();
		if (now < this.#nextAt) return;
		this.#nextAt = now + PAUSE_TIMEOUTS * settings.electionTimeoutMs;
		if (loop.transfer(0)) logLine('the disk is full: hands leadership over');
	}
}
