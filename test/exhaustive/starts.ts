import { type Disk, soundDisk } from './disk.js';

/** What an exploration begins with: all can be come by within Raft's rules; to begin there saves the way. */
export interface Start {
	readonly disks: readonly Disk[];
	/** The terms of the entries that were already known to be committed, each in its own term. */
	readonly committed: readonly number[];
}

const blank = soundDisk(0, 0, []);
const neverUsed: Disk = { ...blank, hurt: 'new' };

export const starts = {
	/** Three voters that have seen nothing yet. */
	fresh: { disks: [blank, blank, blank], committed: [] },
	/** A new cluster: nobody knows yet that it is new. */
	new: { disks: [neverUsed, neverUsed, neverUsed], committed: [] },
	/** Replica 1 led term 1 and replica 2 led term 2, each elected with 3, and each wrote its first entry for itself
	 * alone before all lost power: where figure 8 of the paper begins. */
	divided: {
		disks: [soundDisk(1, 1, [1]), soundDisk(2, 2, [2]), soundDisk(2, 2, [])],
		committed: [],
	},
	/** Replica 1 led term 1, elected with 2, and its first entry reached 2 and not 3. */
	voted: {
		disks: [soundDisk(1, 1, [1]), soundDisk(1, 1, [1]), soundDisk(0, 0, [])],
		committed: [],
	},
	/** The same, and 1 heard of it, so that it is committed; 3 has heard of the term. */
	committed: {
		disks: [soundDisk(1, 1, [1]), soundDisk(1, 1, [1]), soundDisk(1, 0, [])],
		committed: [1],
	},
	/** Replica 3 stood in term 1, and nobody heard of it. */
	ahead: { disks: [blank, blank, soundDisk(1, 3, [])], committed: [] },
} satisfies Readonly<Record<string, Start>>;
