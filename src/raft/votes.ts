import type { Configuration } from './configuration.js';
import { majorityOf } from './quorum.js';

/** Who granted a vote or pre-vote in this round. Each replica counts once, whatever is repeated. */
export class Votes {
	/** A leader asked for this election: voters don't insist on their live leader. */
	readonly isByTransfer: boolean;
	readonly #configuration: Configuration;
	readonly #granted = new Set<number>();

	constructor(configuration: Configuration, isByTransfer: boolean) {
		this.isByTransfer = isByTransfer;
		this.#configuration = configuration;
	}

	/** In a joint configuration: a majority of either set. */
	get hasMajority(): boolean {
		const { voters, outgoing } = this.#configuration;
		return this.#isMajorityOf(voters) && (outgoing.length === 0 || this.#isMajorityOf(outgoing));
	}

	has(id: number): boolean {
		return this.#granted.has(id);
	}

	add(id: number): void {
		this.#granted.add(id);
	}

	#isMajorityOf(voters: readonly number[]): boolean {
		return voters.filter((id) => this.#granted.has(id)).length >= majorityOf(voters.length);
	}
}
