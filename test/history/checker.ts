import { describe, explain, type Window } from './explain.js';
import type { HistoryEvent, Key, Value } from './history.js';
import { operationsByKey } from './operations.js';
import { type Outcome, Search } from './search.js';

/** Of one key; each takes some 100 bytes. */
const CONFIGURATIONS_MAX = 1_000_000;

export interface CheckOptions {
	/** Configurations that are looked at for one key before it counts as undecided: bounds time and memory. */
	readonly configurationsMax?: number;
	/** What every key holds at the beginning. Default `null`. */
	readonly initial?: Value;
}

export interface Failure {
	readonly key: Key;
	readonly window: Window;
	/** For people, in several lines. */
	readonly explanation: string;
}

export interface Verdict {
	/** `undecided`: no key is impossible as far as is known, and for some the limit didn't suffice. */
	readonly outcome: Outcome;
	readonly keys: number;
	/** Those that constrain anything. */
	readonly operations: number;
	readonly configurations: number;
	readonly failures: readonly Failure[];
	readonly undecided: readonly Key[];
}

/**
 * Whether the history is one of a store that does one thing at a time: registers are linearizable together exactly
 * when each is by itself, so every key is looked at alone. Errors: `BadHistory`.
 */
export function checkHistory(events: readonly HistoryEvent[], options: CheckOptions = {}): Verdict {
	const { configurationsMax = CONFIGURATIONS_MAX, initial = null } = options;
	const keys = operationsByKey(events);
	const failures: Failure[] = [];
	const undecided: Key[] = [];
	let count = 0;
	let sum = 0;
	for (const [key, operations] of keys) {
		const { outcome, configurations } = new Search(operations, initial, configurationsMax).run();
		count += operations.length;
		sum += configurations;
		if (outcome === 'undecided') undecided.push(key);
		if (outcome !== 'not linearizable') continue;
		const window = explain(operations, initial);
		const indexOf = (position: number) => events[position]!.index;
		const title = `key ${JSON.stringify(key)} (${operations.length} operations): `;
		failures.push({ key, window, explanation: title + describe(window, indexOf) });
	}
	const outcome =
		failures.length > 0 ? 'not linearizable' : undecided.length > 0 ? 'undecided' : 'linearizable';
	return { outcome, keys: keys.size, operations: count, configurations: sum, failures, undecided };
}
