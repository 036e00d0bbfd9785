import type { Timer } from '../io.js';
import type { ReplicaStatus } from '../replica/types.js';
import { readStatus, requestStatus } from './ask-status.js';
import { backoffMs, type Environment } from './environment.js';
import { Link } from './link.js';

/** Rounds of asking of which each is as quick as the first. */
const QUICK_ROUNDS = 4;

/**
 * Asks all replicas at once, and again, until one says that it leads: so that neither the dead nor the slow hold up who
 * looks for a new leader. Connections are kept meanwhile: a replica says by itself when it knows of another leader.
 */
export class LeaderProbe {
	readonly #environment: Environment;
	readonly #heard: (status: ReplicaStatus) => void;
	readonly #failed: (id: number, reason: Error) => void;
	readonly #links = new Map<number, Link>();
	#timer: Timer | null = null;
	#rounds = 0;

	/** `heard`: what a replica says of itself; whoever leads is there may call `stop`. */
	constructor(
		environment: Environment,
		heard: (status: ReplicaStatus) => void,
		failed: (id: number, reason: Error) => void,
	) {
		this.#environment = environment;
		this.#heard = heard;
		this.#failed = failed;
	}

	get isOn(): boolean {
		return this.#timer !== null;
	}

	start(): void {
		if (this.isOn) return;
		this.#rounds = 0;
		this.#ask();
	}

	stop(): void {
		this.#timer?.cancel();
		this.#timer = null;
		for (const link of this.#links.values()) link.close();
		this.#links.clear();
	}

	#ask(): void {
		const { addresses, clock, random } = this.#environment;
		const pauseMs = backoffMs(random, 2 + Math.floor(this.#rounds / QUICK_ROUNDS));
		this.#rounds += 1;
		this.#timer = clock.after(pauseMs, () => this.#ask());
		for (const id of [...addresses.keys()]) {
			const link = this.#links.get(id);
			if (link === undefined) this.#dial(id);
			else if (link.isReady) requestStatus(this.#environment, link);
		}
	}

	#dial(id: number): void {
		const link = new Link(this.#environment, id, {
			ready: (ready) => requestStatus(this.#environment, ready),
			message: (_message, memory, offset) => {
				const status = readStatus(memory, offset);
				if (status !== null) this.#heard(status);
			},
			batch: () => true,
			written: () => {},
			lost: (reason) => {
				this.#links.delete(id);
				this.#failed(id, reason);
			},
		});
		this.#links.set(id, link);
	}
}
