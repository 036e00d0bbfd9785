import { Compacted, MillraceError, Stopped } from '../../src/errors.js';
import type { Entry } from '../../src/replica/types.js';
import type { Cluster } from './cluster.js';
import type { SimulatedRandom } from './random.js';
import type { RemoteCaller } from './remote-caller.js';

const LOOK_MS = 500;

/** What a tail is read from, while it is there. */
interface Source {
	readonly of: { tail(options: { from: number }): AsyncGenerator<Entry, void, void> };
	isThere(): boolean;
	/** Whether a tail may end with this error. */
	excuses(error: Error): boolean;
}

/** Follows the log on one replica after the other, or as one remote client, and demands that nothing is left out. */
export class TailFollower {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	readonly #remote: RemoteCaller | undefined;
	#next = 1;

	constructor(cluster: Cluster, random: SimulatedRandom, remote: RemoteCaller | undefined) {
		this.#cluster = cluster;
		this.#random = random;
		this.#remote = remote;
	}

	async run(isOver: () => boolean): Promise<void> {
		while (!isOver()) {
			const source = this.#remote === undefined ? this.#local() : this.#distant(this.#remote);
			// A process that has died ends no loop: it is left where it stands.
			if (source !== null) await Promise.race([this.#follow(source), this.#end(source, isOver)]);
			await this.#pause(100);
		}
	}

	#local(): Source | null {
		const { nodes } = this.#cluster;
		const node = nodes[this.#random.below(nodes.length)]!;
		const { replica } = node;
		if (replica === null) return null;
		return {
			of: replica,
			isThere: () => node.replica === replica,
			excuses: (error) => error instanceof Stopped || node.excuses(error),
		};
	}

	#distant(remote: RemoteCaller): Source {
		const { client } = remote;
		return {
			of: client,
			isThere: () => remote.client === client,
			excuses: (error) => error instanceof MillraceError,
		};
	}

	async #follow(source: Source): Promise<void> {
		const stopAt = this.#next + 1 + this.#random.below(500);
		try {
			for await (const { index, data } of source.of.tail({ from: this.#next })) {
				if (!source.isThere()) return;
				this.#cluster.ledger.guard(() => this.#cluster.ledger.tailed(this.#next, index, data));
				this.#next = index + 1;
				if (this.#next > stopAt) return;
			}
		} catch (error) {
			if (!source.isThere()) return;
			if (error instanceof Compacted) this.#next = error.first;
			else if (!(error instanceof Error && source.excuses(error)))
				this.#cluster.ledger.guardError(error);
		}
	}

	/** Resolves when the source is gone, or nobody wants anything any more. */
	async #end(source: Source, isOver: () => boolean): Promise<void> {
		while (source.isThere() && !isOver()) await this.#pause(LOOK_MS);
	}

	#pause(milliseconds: number): Promise<void> {
		return new Promise((resolve) => {
			this.#cluster.world.scheduler.schedule(milliseconds, resolve);
		});
	}
}
