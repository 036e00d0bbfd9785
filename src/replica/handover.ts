import { NotLeader } from '../errors.js';
import type { Timer } from '../io.js';
import type { ReplicaParts } from './open.js';

/**
 * What becomes of proposals when leadership was handed over, rather than lost:
 *
 * - What wasn't appended waits until it is clear who leads (`isOpen`), so that whoever proposes is told the new leader, who
 *   is ready then, and not that nobody is known.
 * - What is in the log stays acknowledged here: the successor has all of it, commits it with its own first entry, and
 *   this replica applies it as a follower.
 *
 * Both end after one election time-out, as if there had been no transfer.
 */
export class Handover {
	readonly #parts: ReplicaParts;
	/** Those who wait for room may try again. */
	readonly #roomMayBe: () => void;
	#timer: Timer | null = null;
	#isOpen = false;
	#ending: (() => void)[] = [];

	constructor(parts: ReplicaParts, roomMayBe: () => void) {
		this.#parts = parts;
		this.#roomMayBe = roomMayBe;
	}

	/** Nobody is known to lead, but soon somebody will be: proposals may be left here, and wait. */
	get isOpen(): boolean {
		return this.#isOpen;
	}

	/** This replica has made way for another one. */
	begin(): void {
		const { doors, settings } = this.#parts;
		this.#timer?.cancel();
		this.#isOpen = true;
		this.#timer = doors.clock.after(settings.electionTimeoutMs, () => this.#end());
		this.look();
	}

	/** Somebody may be known to lead, or what was proposed be applied. */
	look(): void {
		if (this.#timer === null) return;
		const { raft, proposals } = this.#parts;
		if (this.#isOpen && raft.leader !== 0) this.#close();
		if (!this.#isOpen && proposals.isSettled) this.#end();
	}

	/** Resolves when all proposals have their answers. */
	settled(): Promise<void> {
		if (this.#timer === null) return Promise.resolve();
		return new Promise((resolve) => this.#ending.push(resolve));
	}

	/** The replica stops. */
	stop(): void {
		this.#timer?.cancel();
		this.#timer = null;
		this.#isOpen = false;
		for (const resolve of this.#ending.splice(0)) resolve();
	}

	#close(): void {
		this.#isOpen = false;
		this.#parts.proposals.failUnsent(new NotLeader(this.#parts.raft.leader));
		this.#roomMayBe();
	}

	#end(): void {
		if (this.#isOpen) this.#close();
		// Whoever leads again has settled this, and what is there now is of the new term.
		if (!this.#parts.loop.isLeader) this.#parts.proposals.failSent('leadership was handed over');
		this.stop();
		this.#roomMayBe();
	}
}
