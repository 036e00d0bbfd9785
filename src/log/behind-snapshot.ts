/**
 * How a log and the snapshot before it fit together. What the log needs to have is what lies behind the snapshot.
 *
 * A crash may come between the snapshot and the log's beginning anew behind it: then the log is as it was before. If it
 * has the entry at the snapshot's index, and it is the very one, the log goes on as it is, otherwise it is empty behind
 * the snapshot. Whatever becomes of the entries, the hard state is that of the last mark.
 */

import { Corruption } from '../errors.js';
import { Memory } from '../format/memory.js';
import {
	FLUSH_MARK_BYTES,
	isFlushMark,
	isSegmentHeader,
	readFlushMark,
	readSegmentHeader,
	SEGMENT_HEADER_BYTES,
} from '../format/segment-frames.js';
import type { ScanStop } from './scan.js';
import type { SegmentStore } from './segment-store.js';
import { withWindow } from './segment-window.js';
import type { LogOptions, LogPosition } from './types.js';

/** The log is whole, but doesn't reach back to the snapshot, or to its beginning without one: nothing of it is of use. */
export class Detached extends Error {
	readonly corruption: Corruption;
	constructor(corruption: Corruption) {
		super(corruption.message);
		this.corruption = corruption;
	}
}

/** Where the log that was found goes on. */
export type Place = 'at its end' | 'behind the snapshot';

/** What of a log the scan has told of. */
interface FoundLog {
	readonly committed: number;
	/** What the log has at the snapshot's index. */
	readonly atSnapshot: LogPosition | null;
}

/** Errors: `Detached`; `Corruption` if what is committed in the log is not what the snapshot stands for. */
export function placeBehind(
	options: LogOptions,
	store: SegmentStore,
	stop: ScanStop,
	{ committed, atSnapshot }: FoundLog,
): Place {
	const { snapshot, snapshotDamage } = options;
	const firstPath = store.path(stop.segment === 0 ? 1 : stop.segment);
	if (snapshot === undefined || snapshot === null) {
		if (stop.base.index > 0 && snapshotDamage) throw new Detached(snapshotDamage);
		return 'at its end';
	}
	if (stop.base.index > snapshot.index) {
		const what = `the log begins behind index ${stop.base.index}, but the snapshot ends at ${snapshot.index}`;
		throw new Detached(snapshotDamage ?? new Corruption(firstPath, 0, what));
	}
	const isTheSame =
		atSnapshot !== null &&
		atSnapshot.term === snapshot.term &&
		atSnapshot.checksum === snapshot.checksum;
	if (isTheSame) return 'at its end';
	if (committed >= snapshot.index) {
		const what = `index ${snapshot.index} is committed here, but is not what the snapshot has there`;
		throw new Corruption(firstPath, 0, what);
	}
	return 'behind the snapshot';
}

/**
 * Looks behind damage for segments that have, with those behind them, all that the snapshot doesn't cover: they were begun
 * at its index or before. All that is lost then is covered, and the hard state is in each mark.
 * @returns their numbers
 */
export async function findCoveredStarts(
	options: LogOptions,
	store: SegmentStore,
	numbers: readonly number[],
	stop: ScanStop,
): Promise<number[]> {
	const { snapshot } = options;
	if (snapshot === undefined || snapshot === null) return [];
	const bytes = SEGMENT_HEADER_BYTES + FLUSH_MARK_BYTES;
	const memory = new Memory(bytes);
	const starts: number[] = [];
	for (const number of numbers.filter((candidate) => candidate > stop.segment)) {
		const isStart = await withWindow(options, store, number, memory, async (window) => {
			if ((await window.load(0, bytes)) < bytes) return false;
			if (!isSegmentHeader(memory, 0) || !isFlushMark(memory, SEGMENT_HEADER_BYTES)) return false;
			const header = readSegmentHeader(memory, 0);
			const mark = readFlushMark(memory, SEGMENT_HEADER_BYTES);
			return (
				header.segment === number &&
				header.sequence >= stop.nextSequence &&
				header.sequence === mark.sequence &&
				header.salt === mark.salt &&
				(header.salt === stop.salt || stop.salt === -1) &&
				header.baseIndex <= snapshot.index
			);
		});
		if (isStart) starts.push(number);
	}
	return starts;
}
