/** Recorded runs, of which every flush and what was acknowledged before and behind it are known; and what recovery
 * makes of their files once they are damaged. */
import { expect } from 'vitest';
import { Corruption } from '../../src/errors.js';
import { recover } from '../../src/log/recovery.js';
import { SegmentStore, segmentName, segmentNumber } from '../../src/log/segment-store.js';
import type { LogOptions, LogPosition } from '../../src/log/types.js';
import { DiskWitness, type SeenBatch } from '../simulation/cluster-witness.js';
import { type Files, LogUnderTest, Machine, SMALL_LIMITS } from './harness.js';
import { MemoryDisk } from './memory-disk.js';

export const LIMITS = {
	...SMALL_LIMITS,
	slabBytes: 4096,
	segmentBytes: 4096,
	flushBytesMax: 2048,
	freeBytesMin: 0,
};

/** What a log is: what a recovery finds, and what was acknowledged. */
export interface State {
	readonly index: number;
	readonly checksum: number;
	readonly term: number;
	readonly vote: number;
}

/** One write, and the files before and behind it. */
export interface RecordedFlush {
	readonly segment: number;
	readonly start: number;
	readonly end: number;
	readonly isSeal: boolean;
	readonly before: Files;
	readonly after: Files;
	/** Acknowledged when it began. */
	readonly acknowledged: State;
	/** What a crash may leave of it: its mark with any of its batches in front. The last one is the whole. */
	readonly parts: readonly State[];
}

/** What becomes of a log: anything a replica does to it. */
export type Script = (log: LogUnderTest) => Promise<void>;

/** Runs a script and then lets it fall idle. The last flush is its seal. */
export async function recordFlushes(name: string, script: Script): Promise<RecordedFlush[]> {
	const log = await LogUnderTest.start(name, { limits: LIMITS });
	const flushes: RecordedFlush[] = [];
	const witness = new DiskWitness();
	// The first flush, of the hard state, was before.
	witness.term = 1;
	let before: Files = new Map();
	let acknowledged: readonly SeenBatch[] = [];
	const { disk } = log.machine;
	const isFlush = (path: string) => segmentNumber(path.slice(path.lastIndexOf('/') + 1)) !== null;
	disk.onWriting = ({ path }) => {
		if (isFlush(path)) before = log.machine.files();
	};
	disk.onWritten = ({ path, position, bytes }) => {
		if (!isFlush(path)) return;
		const old = stateOf(witness, acknowledged);
		expect(witness.written(bytes)).toBeNull();
		const batches = witness.batches.slice();
		let kept = 0;
		while (kept < batches.length && batches[kept] === acknowledged[kept]) kept += 1;
		const counts = Array.from({ length: batches.length - kept + 1 }, (_, i) => kept + i);
		const parts = counts.map((count) => stateOf(witness, batches.slice(0, count)));
		flushes.push({
			segment: Number.parseInt(path.slice(path.lastIndexOf('/') + 1), 10),
			start: position,
			end: position + bytes.length,
			isSeal: log.counter('seals') + log.counter('flushes') > 0 && same(parts.at(-1)!, old),
			before,
			after: log.machine.files(),
			acknowledged: old,
			parts,
		});
		acknowledged = batches;
	};
	await script(log);
	await log.machine.pass(300);
	disk.onWriting = null;
	disk.onWritten = null;
	await log.close();
	expect(flushes.at(-1)!.isSeal, 'it was sealed').toBe(true);
	expect(flushes.at(-2)!.isSeal, 'only once').toBe(false);
	return flushes;
}

function stateOf({ term, vote }: DiskWitness, batches: readonly SeenBatch[]): State {
	const last = batches.at(-1);
	return { index: last?.last ?? 0, checksum: last?.checksum ?? 0, term, vote };
}

export function same(a: State, b: State): boolean {
	return a.index === b.index && a.checksum === b.checksum && a.term === b.term && a.vote === b.vote;
}

/** What recovery says of a log's files: what it found, or why it refuses. */
export type Verdict =
	| { readonly found: State; readonly refusal: null }
	| { readonly found: null; readonly refusal: Corruption };

export async function verdictOn(
	files: Files,
	overrides: Partial<LogOptions> = {},
): Promise<Verdict> {
	const disk = new MemoryDisk(files);
	const options = new Machine('verdict').options({ limits: LIMITS, disk, ...overrides });
	try {
		const { recovered } = await recover(options, new SegmentStore(options));
		const { end, term, vote } = recovered;
		return { found: stateAt(end, term, vote), refusal: null };
	} catch (error) {
		if (!(error instanceof Corruption)) throw error;
		return { found: null, refusal: error };
	}
}

function stateAt({ index, checksum }: LogPosition, term: number, vote: number): State {
	return { index, checksum, term, vote };
}

/** The files with one of them changed. */
export function withSegment(
	files: Files,
	segment: number,
	change: (bytes: Uint8Array) => Uint8Array,
): Files {
	const name = segmentName(segment);
	return new Map(files).set(name, change(files.get(name)!.slice()));
}

/** The files as a crash in this flush leaves them, if these of its bytes were written. */
export function tornFlush(flush: RecordedFlush, isWritten: (position: number) => boolean): Files {
	const after = flush.after.get(segmentName(flush.segment))!;
	return withSegment(flush.before, flush.segment, (bytes) => {
		for (let at = flush.start; at < flush.end; at++) if (isWritten(at)) bytes[at] = after[at]!;
		return bytes;
	});
}
