import { Memory } from '../format/memory.js';

const PLACE_BYTES = 64 * 1024;

/**
 * Where those who have said little are read into, all of them: there may be thousands, and most say nothing most of the time. What
 * lies here lies here for the length of one `received`; who has a rest takes it along.
 */
class SharedPlace {
	#memory: Memory | null = null;
	/** What it contains is being handed over: nobody may have it meanwhile. */
	isBusy = false;

	/** Made for the first who needs it. */
	get memory(): Memory {
		this.#memory ??= new Memory(PLACE_BYTES);
		return this.#memory;
	}
}

export const sharedPlace = new SharedPlace();
