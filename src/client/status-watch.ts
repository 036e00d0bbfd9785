import { Unavailable } from '../errors.js';
import { MessageFrameKind } from '../format/message.js';
import type { ReplicaStatus } from '../replica/types.js';
import { readStatus, requestStatus, STATUS_TIMEOUT_MS } from './ask-status.js';
import type { Environment } from './environment.js';
import { Link } from './link.js';
import type { PeerReport } from './types.js';

/** One replica, asked over a connection that is kept as long as it answers. */
class Watched {
	readonly #environment: Environment;
	readonly #id: number;
	/** Null: the next question makes one. */
	#link: Link | null = null;
	/** Of the open question, if there is one. */
	#answered: (status: ReplicaStatus) => void = () => {};
	#failed: (reason: Error) => void = () => {};

	constructor(environment: Environment, id: number) {
		this.#environment = environment;
		this.#id = id;
	}

	/** Not before the last answer is there. Errors: `Unavailable`, `ProtocolError`. */
	async ask(): Promise<ReplicaStatus> {
		const { clock, timeoutMs } = this.#environment;
		// An answer that is late must not be taken for that to the next question: so the connection goes.
		const late = () => this.lose(new Unavailable(`replica ${this.#id} did not answer in time`));
		const timer = clock.after(Math.min(STATUS_TIMEOUT_MS, timeoutMs), late);
		try {
			return await new Promise<ReplicaStatus>((resolve, reject) => {
				this.#answered = resolve;
				this.#failed = reject;
				if (this.#link === null) this.#dial();
				else requestStatus(this.#environment, this.#link, false);
			});
		} finally {
			timer.cancel();
		}
	}

	#dial(): void {
		this.#link = new Link(this.#environment, this.#id, {
			ready: (link) => requestStatus(this.#environment, link, false),
			message: (message, memory, offset) => {
				if (message.kind !== MessageFrameKind.statusReply) return;
				const status = readStatus(memory, offset);
				if (status !== null) this.#answered(status);
			},
			batch: () => true,
			written: () => {},
			lost: (reason) => this.lose(reason),
		});
	}

	lose(reason: Error): void {
		this.#link?.close();
		this.#link = null;
		this.#failed(reason);
	}
}

/**
 * Asks all replicas what they are doing, again and again, over connections that it keeps. Who is gone is dialled anew with each
 * question, whoever joins is asked as well, and who was removed no more.
 */
export class StatusWatch {
	readonly #environment: Environment;
	readonly #watched = new Map<number, Watched>();
	#asked: Promise<PeerReport[]> | null = null;

	/** For `watchStatus`. */
	constructor(environment: Environment) {
		this.#environment = environment;
	}

	/** In the order of the ids. Never rejects. Who asks before the last answer is there gets the same. */
	status(): Promise<PeerReport[]> {
		this.#asked ??= this.#askAll().finally(() => {
			this.#asked = null;
		});
		return this.#asked;
	}

	#askAll(): Promise<PeerReport[]> {
		const { addresses } = this.#environment;
		for (const [id, watched] of this.#watched) {
			if (addresses.has(id)) continue;
			watched.lose(new Unavailable('it belongs to the cluster no more'));
			this.#watched.delete(id);
		}
		return Promise.all([...addresses.keys()].map((id) => this.#report(id)));
	}

	async #report(id: number): Promise<PeerReport> {
		const { host, port } = this.#environment.addressOf(id);
		const address = `${host}:${port}`;
		let watched = this.#watched.get(id);
		if (watched === undefined) {
			watched = new Watched(this.#environment, id);
			this.#watched.set(id, watched);
		}
		try {
			const status = await watched.ask();
			this.#environment.learn(status);
			return { id, address, status, error: null };
		} catch (error) {
			return { id, address, status: null, error: error as Error };
		}
	}

	/** Nobody is asked any more. */
	close(): void {
		for (const watched of this.#watched.values())
			watched.lose(new Unavailable('the watch is over'));
	}
}
