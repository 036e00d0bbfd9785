import type { ReplicaParts } from './open.js';

/** So many election time-outs pass before it is tried again: where nobody has room, leadership shall not go round. */
const PAUSE_TIMEOUTS = 20;

/** A leader whose disk is full refuses whatever is proposed. Others may have room: one that has everything shall lead. */
export class FullDisk {
	readonly #parts: ReplicaParts;
	#nextAt = Number.NEGATIVE_INFINITY;
	#isFull = false;

	constructor(parts: ReplicaParts) {
		this.#parts = parts;
	}

	/** Time passes. */
	tick(): void {
		const { log, loop, doors, settings, chronicle } = this.#parts;
		if (log.noSpace !== this.#isFull) this.#changed(log.noSpace);
		if (!this.#isFull || !loop.isReadyLeader) return;
		const now = doors.clock.now();
		if (now < this.#nextAt) return;
		this.#nextAt = now + PAUSE_TIMEOUTS * settings.electionTimeoutMs;
		if (!loop.transfer(0)) return;
		const why = 'the disk is full';
		chronicle.tell(`${why}: hands leadership over`, 'handing-over', { why });
	}

	#changed(isFull: boolean): void {
		this.#isFull = isFull;
		this.#parts.chronicle.tell('', isFull ? 'disk-full' : 'disk-has-room', {});
	}
}
