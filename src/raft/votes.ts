import { majorityOf } from './quorum.js';

/** Who granted a vote or pre-vote in this round. Each replica counts once, whatever is repeated. */
export class Votes {
	/** A leader asked for this election: voters don't insist on their live leader. */
	readonly isByTransfer: boolean;
	readonly #voters: readonly number[];
	readonly #granted: Uint8Array;
	#count = 0;

	constructor(voters: readonly number[], isByTransfer: boolean) {
		this.isByTransfer = isByTransfer;
		this.#voters = voters;
		this.#granted = new Uint8Array(voters.length);
	}

	get hasMajority(): boolean {
		return this.#count >= majorityOf(this.#voters.length);
	}

	has(id: number): boolean {
		return this.#granted[this.#voters.indexOf(id)] === 1;
	}

	add(id: number): void {
		if (this.has(id)) return;
		this.#granted[this.#voters.indexOf(id)] = 1;
		this.#count += 1;
	}
}
