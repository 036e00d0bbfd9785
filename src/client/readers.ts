import { BadOption, Stopped } from '../errors.js';
import type { Environment } from './environment.js';
import { LeaderFinder } from './leader-finder.js';
import { readTermsOf } from './read-terms.js';
import { Reader } from './reader.js';
import type { ClientReadOptions } from './types.js';

/** Reads that needn't be answered by the leader: a connection, kept while it is used, for each place they may go to. */
export class Readers {
	readonly #environment: Environment;
	readonly #leader: Reader;
	readonly #others = new Map<'any' | number, { finder: LeaderFinder; reader: Reader }>();
	#isClosed = false;

	/** `leader`: who reads there. */
	constructor(environment: Environment, leader: Reader) {
		this.#environment = environment;
		this.#leader = leader;
	}

	/** Errors: `BadOption`, and those of `Client.read`. */
	async read(query: Uint8Array, options: ClientReadOptions): Promise<Uint8Array> {
		const { consistency = 'linearizable', from = 'leader' } = options;
		return this.#at(from).read(query, readTermsOf(consistency));
	}

	#at(from: 'leader' | 'any' | number): Reader {
		if (this.#isClosed) throw new Stopped('the client is closed');
		if (from === 'leader') return this.#leader;
		if (from !== 'any' && !this.#environment.addresses.has(from)) {
			throw new BadOption(`from is 'leader', 'any' or the id of a replica, not '${from}'`);
		}
		const known = this.#others.get(from);
		if (known !== undefined) return known.reader;
		const finder = new LeaderFinder(this.#environment, from);
		const reader = new Reader(this.#environment, finder, 'here');
		finder.serve([reader]);
		this.#others.set(from, { finder, reader });
		return reader;
	}

	close(): void {
		this.#isClosed = true;
		this.#leader.close();
		for (const { finder, reader } of this.#others.values()) {
			reader.close();
			finder.close();
		}
	}
}
