import type { RunOrder, Slice } from './run.js';
import type { Sample } from './sample.js';

/** The engine or the ceiling, seen from the bench: something that a load is driven through. */
export interface Contender {
	readonly name: 'engine' | 'ceiling';
	/** Entries acknowledged since the start, as far as it has been told. */
	readonly acknowledged: number;
	run(order: RunOrder): Promise<Slice>;
	/** Lets the run that goes on end now. */
	stop(): Promise<void>;
	/** What each of its processes has used up so far. */
	samples(): Promise<Sample[]>;
	close(): Promise<void>;
}
