/** The log's bookkeeping: where an index lies, what is to be written, whose memory it is. */
import { SlabPool } from '../../src/format/slab.js';
import { LogIndex } from '../../src/log/log-index.js';
import { PendingBatches } from '../../src/log/pending-batches.js';
import { batchOf } from './batches.js';
import type { Pair } from './pair.js';

const MIB = 1024 * 1024;
const BATCHES = 1024;
const ENTRIES_PER_BATCH = 64;
/** As far apart as two points of the index are. */
const BATCH_BYTES = 16 * 1024;

interface Place {
	readonly segment: number;
	readonly position: number;
}

/** An index whose batches each begin a range, so that both ways know as much. */
function fillIndex(index: LogIndex): void {
	index.startBehind(0);
	for (let i = 0; i < BATCHES; i++) {
		const first = 1 + i * ENTRIES_PER_BATCH;
		index.add(first, first + ENTRIES_PER_BATCH - 1, 1, i * BATCH_BYTES);
	}
}

function fillMap(map: Map<number, Place>): void {
	map.clear();
	for (let i = 0; i < BATCHES; i++) {
		const place = { segment: 1, position: i * BATCH_BYTES };
		for (let j = 1; j <= ENTRIES_PER_BATCH; j++) map.set(i * ENTRIES_PER_BATCH + j, place);
	}
}

function findPair(): Pair {
	const index = new LogIndex(MIB);
	const map = new Map<number, Place>();
	fillIndex(index);
	fillMap(map);
	const entries = BATCHES * ENTRIES_PER_BATCH;
	let [at, naiveAt] = [0, 0];
	return {
		name: `log index: find one of ${entries} entries`,
		ours: {
			how: 'LogIndex: binary search of points',
			call: () => {
				at = (at + 40_503) % entries;
				return index.positionOf(index.find(at + 1));
			},
		},
		naive: {
			how: 'Map with each entry',
			call: () => {
				naiveAt = (naiveAt + 40_503) % entries;
				return map.get(naiveAt + 1)!.position;
			},
		},
	};
}

function addPair(): Pair {
	const index = new LogIndex(MIB);
	const map = new Map<number, Place>();
	return {
		name: `log index: note ${BATCHES} batches of ${ENTRIES_PER_BATCH}`,
		ours: {
			how: 'LogIndex',
			call: () => {
				fillIndex(index);
				return index.last;
			},
		},
		naive: {
			how: 'Map with each entry',
			call: () => {
				fillMap(map);
				return map.size;
			},
		},
	};
}

function pendingPair(): Pair {
	const { memory, length } = batchOf(64, 256);
	const slab = new SlabPool(MIB, 1).acquire()!;
	const places = Array.from({ length: 16 }, (_, i) => i * length);
	for (const at of places) slab.bytes.set(memory.slice(0, length), at);
	const pending = new PendingBatches();
	const slices: Uint8Array[] = [];
	let queue: { readonly bytes: Uint8Array }[] = [];
	let joined = Buffer.alloc(0);
	return {
		name: 'gather a flush of 16 x 17 KiB',
		ours: {
			how: 'PendingBatches: neighbours in a slab are one slice',
			call: () => {
				for (const at of places) pending.push(slab, at, length, 0);
				slices.length = 0;
				const bytes = pending.take(MIB, slices);
				while (pending.taken > 0) pending.shift();
				return bytes;
			},
			made: () => Buffer.concat(slices),
		},
		naive: {
			how: 'objects in an array, Buffer.concat',
			call: () => {
				for (const at of places) queue.push({ bytes: slab.slice(at, length) });
				joined = Buffer.concat(queue.map(({ bytes }) => bytes));
				queue = [];
				return joined.length;
			},
			made: () => joined,
		},
	};
}

function slabPair(): Pair {
	const pool = new SlabPool(MIB, 4);
	return {
		name: 'memory for a MiB, shared by three',
		ours: {
			how: 'SlabPool: lent, counted, given back',
			call: () => {
				const slab = pool.acquire()!;
				slab.retain();
				slab.retain();
				slab.bytes[MIB - 1] = 7;
				slab.release();
				slab.release();
				slab.release();
				return slab.size + slab.bytes[MIB - 1]!;
			},
		},
		naive: {
			how: 'Buffer.allocUnsafe, and the collector',
			call: () => {
				const buffer = Buffer.allocUnsafe(MIB);
				buffer[MIB - 1] = 7;
				return buffer.length + buffer[MIB - 1]!;
			},
		},
	};
}

export const logPairs: readonly Pair[] = [findPair(), addPair(), pendingPair(), slabPair()];
