/** From `propose` to the answer, without Raft, disk or network in between. */
import { stampBatch } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { SlabPool } from '../../src/format/slab.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';
import { Proposals, type Waiter } from '../../src/replica/proposals.js';
import type { Pair } from './pair.js';

const MIB = 1024 * 1024;
const ENTRIES = 64;
const ENTRY = new Uint8Array(256).fill(7);

/** Counts the answers, and sums up where the entries lie. */
class Counter implements Waiter {
	readonly count = 1;
	answers = 0;
	places = 0;
	applied(index: number): void {
		this.answers += 1;
		this.places += index;
	}
	failed(error: Error): void {
		throw error;
	}
}

function proposePair(): Pair {
	const proposals = new Proposals(new SlabPool(MIB, 8), DEFAULT_LIMITS, 1);
	const view = new BatchView();
	const counter = new Counter();
	let next = 1;
	const naiveCounter = new Counter();
	let naiveNext = 1;
	return {
		name: `propose, batch and answer ${ENTRIES} x 256 B`,
		ours: {
			how: 'Proposals: one frame, stamped, with both checksums',
			call: () => {
				for (let i = 0; i < ENTRIES; i++) proposals.add(ENTRY, counter);
				const frame = proposals.next(true)!;
				const { slab, offset, length, count } = frame;
				stampBatch(slab, offset, 1, next, 0, 0);
				slab.retain();
				proposals.appended(frame, next, 1);
				proposals.applied(view.moveTo(slab, offset, length), undefined);
				slab.release();
				next += count;
				return counter.answers;
			},
			made: () => counter.places,
		},
		naive: {
			how: 'a copy of each entry, a Map of who waits; no frame, no checksum',
			call: () => {
				const waiting = new Map<number, { entry: Uint8Array; waiter: Waiter }>();
				for (let i = 0; i < ENTRIES; i++) {
					waiting.set(naiveNext++, { entry: ENTRY.slice(), waiter: naiveCounter });
				}
				for (const [index, { waiter }] of waiting) waiter.applied(index, 1, undefined, 0);
				return naiveCounter.answers;
			},
			made: () => naiveCounter.places,
		},
	};
}

export const proposingPairs: readonly Pair[] = [proposePair()];
