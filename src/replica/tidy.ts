import type { Applier } from './applier.js';
import type { LoopParts } from './loop-parts.js';
import type { Peer } from './peer.js';
import { Retention } from './retention.js';

/** With fewer free slabs than this, the window keeps nothing that could be read from disk. */
const SLABS_FREE_MIN = 2;

/** Lets go of memory and of old segments. */
export class Tidy {
	readonly #parts: LoopParts;
	readonly #retention: Retention;

	constructor(parts: LoopParts) {
		this.#parts = parts;
		const { log, raft, retainBytes, usualBytes } = parts;
		this.#retention = new Retention(log, raft, retainBytes, usualBytes);
	}

	/** What one leader after the other leaves uncommitted adds up: so that there is always memory for hearing that it is
	 * committed, what is durable is let go of in the end, and read back. */
	trimWindow(applied: number): void {
		const { raft, window, pool, tailBytesMax } = this.#parts;
		const isScarce = pool.available < pool.slabsMax / 4;
		window.trim(Math.min(raft.persisted, applied), isScarce ? 0 : tailBytesMax);
		if (pool.available < SLABS_FREE_MIN) window.trim(raft.persisted, 0);
	}

	/** `coveredIndex`: up to there a snapshot has it. @returns whether anything was dropped */
	compact(
		applier: Applier,
		coveredIndex: number,
		now: number,
		peers: ReadonlyMap<number, Peer>,
	): boolean {
		const { raft, members, log } = this.#parts;
		const most = Math.min(raft.persisted, coveredIndex, applier.droppable);
		const droppable = members.droppable(Math.min(raft.persisted, applier.applied), most);
		if (!this.#retention.compact(droppable, now, peers)) return false;
		members.list.compact(log.base.index);
		return true;
	}
}
