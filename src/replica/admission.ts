import type { Clock, Disk, Timer } from '../io.js';
import type { Log } from '../log/log.js';
import { leaveProbation } from '../log/probation-file.js';
import type { Tell } from './events.js';

/** How often it is looked whether the log has files, and after which time it is told who is waited for. */
const POLL_MS = 20;
const PATIENCE_MS = 5000;

export interface AdmissionParts {
	readonly disk: Disk;
	readonly clock: Clock;
	readonly directory: string;
	readonly log: Log;
	/** Whom it waits for; null once this replica is a voter. */
	readonly missing: () => readonly number[] | null;
	readonly tell: Tell;
	/** The end of the probation is durable. */
	readonly admitted: () => void;
	readonly fail: (error: Error) => void;
}

/** Sees a replica on probation through to the end: tells what it waits for, and makes the end of it durable. */
export class Admission {
	readonly #parts: AdmissionParts;
	#timer: Timer | null = null;
	#ending: Promise<void> = Promise.resolve();
	#isClosed = false;

	constructor(parts: AdmissionParts) {
		this.#parts = parts;
		const { clock, missing, tell } = parts;
		this.#timer = clock.after(PATIENCE_MS, () => {
			const waited = missing() ?? [];
			if (waited.length === 0) return;
			const line = `neither votes nor stands before it hears from replicas ${waited.join(', ')}`;
			tell(line, 'waiting-for-peers', { peers: [...waited] });
		});
	}

	/** The probation is over, as far as the core is concerned. */
	end(): void {
		this.#timer?.cancel();
		this.#timer = null;
		if (this.#isClosed) return;
		// A directory that isn't on probation and has no log file has lost its log: one must be there first.
		if (!this.#parts.log.hasSegments) {
			this.#timer = this.#parts.clock.after(POLL_MS, () => this.end());
			return;
		}
		this.#ending = this.#makeDurable();
	}

	/** Waits for what is under way; begins nothing new. */
	close(): Promise<void> {
		this.#isClosed = true;
		this.#timer?.cancel();
		return this.#ending;
	}

	async #makeDurable(): Promise<void> {
		const { disk, directory, admitted, tell, fail } = this.#parts;
		try {
			await leaveProbation(disk, directory);
			tell('has all that it may have promised: it is a voter', 'admitted', {});
			admitted();
		} catch (error) {
			fail(error as Error);
		}
	}
}
