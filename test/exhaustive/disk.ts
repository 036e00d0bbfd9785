import { assert } from '../../src/assert.js';
import type { ProbationOptions } from '../../src/raft/types.js';

/** One write: what it makes durable, and what the core is told then. Entries are terms. */
export type Write =
	| { readonly kind: 'hardState'; readonly term: number; readonly vote: number }
	| { readonly kind: 'truncate'; readonly index: number }
	| {
			readonly kind: 'append';
			readonly index: number;
			readonly term: number;
			readonly epoch: number;
	  }
	/** That probation is over. */
	| { readonly kind: 'admission' };

/** What is durable of one replica. Nothing of it is ever changed. */
export interface Disk {
	readonly term: number;
	readonly vote: number;
	readonly log: readonly number[];
	readonly hurt: 'no' | 'new' | 'damaged';
	/** What it held when it was hurt, since its replica was last a voter: `entryCode` of each, ascending. The judge
	 * alone knows. */
	readonly lost: readonly number[];
	/** Starts on probation so far: questions of two of them differ. */
	readonly probations: number;
}

/** What a disk in good order holds. */
export function soundDisk(term: number, vote: number, log: readonly number[]): Disk {
	return { term, vote, log, hurt: 'no', lost: [], probations: 0 };
}

/** Questions of one start on probation; one for each leader that it follows. */
const QUESTIONS = 32;

/** What the core is told at a start from this disk. */
export function probationOf({ hurt, probations }: Disk): ProbationOptions | null {
	if (hurt === 'no') return null;
	return { question: probations * QUESTIONS, isNew: hurt === 'new' };
}

/** The disk as the next start of its replica finds it. */
export function restarted(disk: Disk): Disk {
	return disk.hurt === 'no' ? disk : { ...disk, probations: disk.probations + 1 };
}

/** The disk with nothing on it. */
export function wiped(disk: Disk): Disk {
	return { ...disk, ...{ term: 0, vote: 0, log: [], hurt: 'new', lost: lostBehind(disk, 0) } };
}

/** The disk with its first `kept` entries; of term and vote it has what was certainly written before those. */
export function damaged(disk: Disk, kept: number): Disk {
	const log = disk.log.slice(0, kept);
	const term = log.at(-1) ?? 0;
	return { ...disk, ...{ term, vote: 0, log, hurt: 'damaged', lost: lostBehind(disk, kept) } };
}

/** Does this disk have the entry, or did it have it and lose it? */
export function hasHeld({ log, lost }: Disk, at: number, term: number): boolean {
	return log[at] === term || lost.includes(entryCode(at, term));
}

/** The disk when one more write is done. */
export function written(disk: Disk, write: Write): Disk {
	const { log } = disk;
	switch (write.kind) {
		case 'hardState':
			return { ...disk, term: write.term, vote: write.vote };
		case 'truncate':
			return { ...disk, log: log.slice(0, write.index) };
		case 'append':
			assert(write.index === log.length + 1, 'the disk’s log has no gap');
			return { ...disk, log: [...log, write.term] };
		case 'admission':
			// From here on it has to hold all that it promised.
			return { ...disk, hurt: 'no', lost: [] };
	}
}

function entryCode(at: number, term: number): number {
	return at * 16 + term;
}

function lostBehind({ log, lost }: Disk, kept: number): number[] {
	const codes = log.map((term, at) => entryCode(at, term)).slice(kept);
	return [...new Set([...lost, ...codes])].sort((a, b) => a - b);
}
