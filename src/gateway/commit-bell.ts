import type { Replica } from '../replica/replica.js';

/** Wakes all tails of a gateway when something is committed. The replica has one callback of it, however many they are. */
export class CommitBell {
	readonly #replica: Pick<Replica, 'whenCommitted'>;
	readonly #waiting = new Set<() => void>();
	#isArmed = false;

	constructor(replica: Pick<Replica, 'whenCommitted'>) {
		this.#replica = replica;
	}

	/** Calls back once. @returns what takes it back */
	wait(callback: () => void): () => void {
		this.#waiting.add(callback);
		if (!this.#isArmed) {
			this.#isArmed = true;
			this.#replica.whenCommitted(() => {
				this.#isArmed = false;
				this.ring();
			});
		}
		return () => this.#waiting.delete(callback);
	}

	/** Wakes all of them now. */
	ring(): void {
		const woken = [...this.#waiting];
		this.#waiting.clear();
		for (const callback of woken) callback();
	}
}
