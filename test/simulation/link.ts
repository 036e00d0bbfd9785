import type { SimulatedRandom } from './random.js';
import type { Scheduler } from './scheduler.js';

export interface LinkSettings {
	/** What a way takes, drawn anew for each. */
	latencyMs: readonly [number, number];
	/** Now and then something takes up to this. */
	spikeMs: number;
	spikeChance: number;
	/** Per chunk: the chance that its connection is lost there. */
	cutChance: number;
	/** Bytes arrive in chunks of any length up to this. */
	chunkBytesMax: number;
	/** Per chunk: the chance that it is only a few bytes long. */
	crumbChance: number;
}

/** One direction between two hosts: how long things take on it and what goes wrong. */
export class Link implements LinkSettings {
	latencyMs: readonly [number, number] = [0.05, 0.5];
	spikeMs = 20;
	spikeChance = 0.002;
	cutChance = 0;
	chunkBytesMax = 65_536;
	crumbChance = 0.05;
	readonly random: SimulatedRandom;
	readonly #scheduler: Scheduler;
	#blocked = false;
	#held: (() => void)[] = [];

	constructor(scheduler: Scheduler, random: SimulatedRandom) {
		this.#scheduler = scheduler;
		this.random = random;
	}

	get blocked(): boolean {
		return this.#blocked;
	}

	block(): void {
		this.#blocked = true;
	}

	unblock(): void {
		this.#blocked = false;
		const held = this.#held;
		this.#held = [];
		for (const arrive of held) this.carry(arrive);
	}

	/** Draws how long something takes that begins now. */
	durationMs(): number {
		const [low, high] = this.latencyMs;
		const spikeMs = this.random.chance(this.spikeChance) ? this.random.next() * this.spikeMs : 0;
		return this.random.between(low, high) + spikeMs;
	}

	/** Something arrives at the other end after a while, or when the link is open again. */
	carry(arrive: () => void, delayMs = this.durationMs()): void {
		this.#scheduler.schedule(delayMs, () => {
			if (this.#blocked) this.#held.push(arrive);
			else arrive();
		});
	}

	/** How many of these bytes travel together. */
	cutChunk(bytes: number): number {
		const most = this.random.chance(this.crumbChance) ? 16 : this.chunkBytesMax;
		return Math.min(bytes, 1 + this.random.below(most));
	}
}
