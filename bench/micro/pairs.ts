import { batchPairs } from './batches.js';
import { checksumPairs } from './checksums.js';
import { corePairs } from './core.js';
import { logPairs } from './log.js';
import { messagePairs } from './messages.js';
import type { Pair } from './pair.js';
import { proposingPairs } from './proposing.js';
import { recordingPairs } from './recording.js';

/** Every function that each batch, message or flush passes through. */
export const PAIRS: readonly Pair[] = [
	...batchPairs,
	...messagePairs,
	...checksumPairs,
	...corePairs,
	...logPairs,
	...proposingPairs,
	...recordingPairs,
];
