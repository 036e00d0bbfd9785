import { blankDisks } from './explorer.js';
import type { Disk } from './replica.js';

/** Disks to begin with. All can be come by within Raft's rules; to begin there saves the way. */
export const starts = {
	fresh: blankDisks,
	/** Replica 1 led term 1 and replica 2 led term 2, each elected with 3, and each wrote its first entry for itself
	 * alone before all lost power: where figure 8 of the paper begins. */
	divided: [
		{ term: 1, vote: 1, log: [1] },
		{ term: 2, vote: 2, log: [2] },
		{ term: 2, vote: 2, log: [] },
	],
	/** Replica 1 led term 1, elected with 2, and its first entry reached 2 and not 3. */
	voted: [
		{ term: 1, vote: 1, log: [1] },
		{ term: 1, vote: 1, log: [1] },
		{ term: 0, vote: 0, log: [] },
	],
} satisfies Readonly<Record<string, readonly Disk[]>>;
