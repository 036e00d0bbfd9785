import type { Plant } from './cluster-run.js';
import type { Progress } from './sweep.js';
import { demand } from './violation.js';
import type { World } from './world.js';

/** Far more than the work that any moment begins with. */
const EVENTS_PER_MOMENT_MAX = 100_000;
const EVENTS_PER_REPORT = 4096;
/** Where a planted one begins: in the middle of the hostile time. */
const PLANTED_AT = 1000;

export interface EndlessOptions {
	readonly plant?: Plant;
	readonly onProgress?: (progress: Progress) => void;
}

/** Counts a run's events, says where it is, and notices when time doesn't pass any more. A loop without events is noticed
 * by who is told (`sweep-jobs.ts`). */
export class Endless {
	readonly #world: World;
	readonly #onProgress: (progress: Progress) => void;
	readonly #plant: Plant['how'] | null;
	#phase = '';
	#moment = 0;
	#momentEvents = 0;
	events = 0;

	constructor(world: World, { plant, onProgress = () => {} }: EndlessOptions) {
		this.#world = world;
		this.#onProgress = onProgress;
		this.#plant = plant?.seed === world.seed ? plant.how : null;
	}

	begin(phase: string): void {
		this.#phase = phase;
		this.#report();
	}

	/** To be called with each event. */
	look(): void {
		this.events += 1;
		if (this.events % EVENTS_PER_REPORT === 0) this.#report();
		if (this.events === PLANTED_AT) this.#begin();
		if (this.#world.now !== this.#moment) {
			this.#moment = this.#world.now;
			this.#momentEvents = 0;
		}
		this.#momentEvents += 1;
		demand(
			this.#momentEvents <= EVENTS_PER_MOMENT_MAX,
			() => `time stands still in ${this.#phase}: ${this.#momentEvents} events in one moment`,
		);
	}

	#begin(): void {
		if (this.#plant === 'loop') for (;;);
		const again = (): void => {
			this.#world.scheduler.schedule(0, again);
		};
		if (this.#plant === 'events') again();
	}

	#report(): void {
		this.#onProgress({ phase: this.#phase, events: this.events, virtualMs: this.#world.now });
	}
}
