/** A log of a few small segments, with the place of every flush in it. */
import { expect } from 'vitest';
import { Corruption } from '../../src/errors.js';
import { segmentName } from '../../src/log/segment-store.js';
import type { LogOptions } from '../../src/log/types.js';
import { type Files, LogUnderTest, Machine, SMALL_LIMITS, type Written } from './harness.js';

export const RECORDED: Partial<LogOptions> = {
	limits: {
		...SMALL_LIMITS,
		slabBytes: 8 * 1024,
		segmentBytes: 8 * 1024,
		flushBytesMax: 4 * 1024,
		freeBytesMin: 0,
	},
};

export interface Flush {
	readonly segment: number;
	/** Where its mark (or the segment's header before it) begins, and where its last batch ends. */
	readonly start: number;
	readonly end: number;
	/** The log's last index behind it. */
	readonly index: number;
}

export interface Recording {
	readonly files: Files;
	readonly written: readonly Written[];
	/** What else the log may be a prefix of. */
	readonly branch?: readonly Written[];
	readonly flushes: readonly Flush[];
	readonly options: Partial<LogOptions>;
}

/** Writes `flushes` times one to four batches, after `dropped` segments have been recycled. */
export async function record(
	seed: string,
	flushes: number,
	dropped = 0,
	options = RECORDED,
): Promise<Recording> {
	const log = await LogUnderTest.start(seed, options);
	const { random } = log.machine;
	const flush = async () => {
		for (let i = random.below(4); i >= 0; i--) log.append(random.below(100), 1 + random.below(2));
		await log.settle();
	};
	while (log.counter('segmentsRecycled') < dropped) {
		await flush();
		log.commit(log.required);
		log.log.compact(log.committed, 2 * log.limits.segmentBytes);
		await log.machine.pass(10);
	}
	for (let i = 0; i < flushes; i++) await flush();
	await log.machine.pass(50);
	const files = log.machine.files();
	await log.close();
	return { files, written: log.written, flushes: flushesOf(files), options };
}

/** Finds the flushes of an undamaged log, by nothing but the offsets in FORMAT.md. */
function flushesOf(files: Files): Flush[] {
	const flushes: Flush[] = [];
	for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
		const words = new Uint32Array(bytes.slice().buffer);
		const identifier = (at: number) => Buffer.from(bytes).toString('latin1', at + 8, at + 12);
		const segment = Number.parseInt(name, 10);
		if (identifier(0) !== 'MRS1' || words[14] !== segment) continue;
		let sequence = words[20]!;
		let start = 0;
		let at = 96;
		while (identifier(at) === 'MRF1' && words[at / 4 + 10] === sequence) {
			const end = at + 96 + words[at / 4 + 22]!;
			let index = words[at / 4 + 14]!;
			for (at += 96; at < end; at += words[at / 4]! + 4) index += words[at / 4 + 22]!;
			flushes.push({ segment, start, end, index });
			start = end;
			sequence += 1;
		}
	}
	return flushes;
}

export interface Outcome {
	/** The last index recovered; -1 = refused as `Corruption`. */
	readonly index: number;
	readonly refusal: Corruption | null;
	readonly log: LogUnderTest;
}

/** Opens damaged files, and checks that what is recovered is a prefix of what was written. */
export async function openDamaged(recording: Recording, files: Files): Promise<Outcome> {
	const log = new LogUnderTest(new Machine('damaged', files), recording.options);
	log.adopt(recording.written, recording.branch);
	try {
		await log.open();
	} catch (error) {
		if (!(error instanceof Corruption)) throw error;
		return { index: -1, refusal: error, log };
	}
	await log.check(false);
	return { index: log.end.index, refusal: null, log };
}

/** The log that was recovered reads back, takes more, and is recovered again. */
export async function goOn(log: LogUnderTest): Promise<void> {
	await log.expectReadBack();
	log.append(10);
	log.append(900);
	await log.settle();
	log.append(20);
	await log.settle();
	const { index } = log.end;
	log.machine.crash();
	await log.recover();
	expect(log.end.index).toBe(index);
}

export function changed(
	files: Files,
	segment: number,
	change: (bytes: Uint8Array) => Uint8Array,
): Files {
	const name = segmentName(segment);
	return new Map(files).set(name, change(files.get(name)!.slice()));
}
