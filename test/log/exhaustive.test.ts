/** Every byte at which the last two flushes can be cut, every length a file can be cut to, every bit that can flip:
 * what was acknowledged is recovered, or recovery refuses and names the file and the place. */
import { describe, expect, test } from 'vitest';
import { segmentName, segmentNumber } from '../../src/log/segment-store.js';
import { SimulatedRandom } from '../simulation/random.js';
import {
	LIMITS,
	type RecordedFlush,
	recordFlushes,
	type Script,
	same,
	tornFlush,
	type Verdict,
	verdictOn,
	withSegment,
} from './exhaustive.js';
import type { Files, LogUnderTest } from './harness.js';

/** Header and mark: the log's first flush, of the hard state, comes before what is recorded. */
const FIRST_FLUSH_BYTES = 192;
const SECTOR_BYTES = 512;
/** Everything, not only what is most likely to go wrong: `EXHAUSTIVE=1`. */
const ALL = process.env['EXHAUSTIVE'] !== undefined;
/** Of these, all bits of the last segment; of the others, some. */
const FLIPPED_ALL = ['a vote behind many small batches', 'batches in a recycled segment'];

async function fill(log: LogUnderTest, flushes: number): Promise<void> {
	for (let i = 0; i < flushes; i++) {
		for (let n = log.machine.random.below(3); n >= 0; n--) log.append(log.machine.random.below(90));
		await log.settle();
	}
}

/** Goes on until it is in a segment that was used before, and `bytes` from its start. */
async function recycle(log: LogUnderTest): Promise<void> {
	while (log.counter('segmentsRecycled') < 6) {
		await fill(log, 1);
		log.commit(log.required);
		log.log.compact(log.committed, LIMITS.segmentBytes);
		await log.machine.pass(5);
	}
}

const SCRIPTS: Record<string, Script> = {
	'a vote behind many small batches': async (log) => {
		await fill(log, 4);
		for (let i = 0; i < 6; i++) log.append(20 + i);
		await log.settle();
		log.setHardState(2, 3);
		await log.settle();
	},
	'a truncation behind a large batch': async (log) => {
		await fill(log, 5);
		log.append(1_400);
		await log.settle();
		log.truncate(2);
		log.append(100, 3);
		await log.settle();
	},
	'the first flush of a segment': async (log) => {
		await fill(log, 2);
		while (log.counter('segmentsLive') < 3) {
			log.append(700 + log.machine.random.below(200));
			log.append(10);
			await log.settle();
		}
	},
	'batches in a recycled segment': async (log) => {
		await recycle(log);
		await fill(log, 2);
		log.append(900);
		log.append(300, 2);
		await log.settle();
		for (let i = 0; i < 4; i++) log.append(60, 2);
		await log.settle();
	},
	'a vote in a recycled segment': async (log) => {
		await recycle(log);
		await fill(log, 3);
		log.setHardState(7, 1);
		await log.settle();
	},
	'the first flush of a recycled segment': async (log) => {
		await recycle(log);
		const live = log.counter('segmentsLive');
		while (log.counter('segmentsLive') === live) {
			log.append(150);
			await log.settle();
		}
	},
};

const recordings = new Map<string, Promise<RecordedFlush[]>>();
const recordingOf = (name: string): Promise<RecordedFlush[]> => {
	const recording = recordings.get(name) ?? recordFlushes(name, SCRIPTS[name]!);
	recordings.set(name, recording);
	return recording;
};

/** The last two flushes that say anything. */
const lastTwo = (flushes: readonly RecordedFlush[]) => flushes.slice(-3, -1);

/** How many outcomes there were of each class. */
class Tally {
	readonly counts: Record<string, number> = {};

	add(name: string): void {
		this.counts[name] = (this.counts[name] ?? 0) + 1;
	}

	of(name: string): number {
		return this.counts[name] ?? 0;
	}

	/** For docs/TESTING.md. */
	report(test: string): void {
		if (ALL) console.info(test, JSON.stringify(this.counts));
	}
}

describe.each(Object.keys(SCRIPTS))('%s', { timeout: 600_000 }, (name) => {
	const expectAfterCrash = async (flush: RecordedFlush, files: Files, what: string) => {
		const { found, refusal } = await verdictOn(files);
		expect(refusal, `${what}: a crash alone is no damage`).toBeNull();
		const allowed = [flush.acknowledged, ...flush.parts];
		expect(allowed, what).toContainEqual(found);
		return same(found!, flush.parts.at(-1)!) ? 'whole' : 'cut';
	};

	test('a crash at every byte of the last two flushes and of the seal', async () => {
		const flushes = await recordingOf(name);
		const tally = new Tally();
		for (const flush of [...lastTwo(flushes), flushes.at(-1)!]) {
			for (let cut = flush.start; cut <= flush.end; cut++) {
				const files = tornFlush(flush, (at) => at < cut);
				tally.add(await expectAfterCrash(flush, files, `cut at ${cut}`));
			}
		}
		tally.report('crash at every byte');
		expect(tally.of('cut')).toBeGreaterThan(80);
		expect(tally.of('whole')).toBeGreaterThan(2);
	});

	test('a crash that leaves any sectors of the last two flushes, and parts of them', async () => {
		const flushes = await recordingOf(name);
		const random = new SimulatedRandom(name);
		const tally = new Tally();
		for (const flush of lastTwo(flushes)) {
			for (let round = 0; round < 400; round++) {
				const keep = random.next();
				const ends = new Map<number, number>();
				const isWritten = (at: number) => {
					const sector = Math.floor(at / SECTOR_BYTES);
					if (!ends.has(sector)) {
						const part = random.chance(0.3) ? random.below(SECTOR_BYTES) : SECTOR_BYTES;
						ends.set(sector, random.chance(keep) ? part : 0);
					}
					return at % SECTOR_BYTES < ends.get(sector)!;
				};
				tally.add(await expectAfterCrash(flush, tornFlush(flush, isWritten), `round ${round}`));
			}
		}
		tally.report('crash, any sectors');
		expect(tally.of('cut')).toBeGreaterThan(100);
	});

	test('every file cut to every length', async () => {
		const flushes = await recordingOf(name);
		const tally = new Tally();
		for (const flush of [flushes.at(-2)!, flushes.at(-1)!]) {
			const whole = flush.parts.at(-1)!;
			for (const [file, bytes] of flush.after) {
				const segment = segmentNumber(file);
				if (segment === null) continue;
				const isDense = ALL || (segment === flush.segment && !flush.isSeal);
				for (let size = 0; size < bytes.length; size += isDense ? 1 : 8 + (size % 7)) {
					const files = withSegment(flush.after, segment, (all) => all.slice(0, size));
					const verdict = await verdictOn(files);
					const what = `${file} cut to ${size}`;
					tally.add(expectNothingLost(verdict, whole, file, size, what));
					if (segment === flush.segment) expect(verdict.refusal, what).not.toBeNull();
				}
			}
		}
		tally.report('every length');
		expect(tally.of('refused')).toBeGreaterThan(4096);
		expect(tally.of('recovered')).toBeGreaterThan(500);
	});

	test('every bit flipped, in a log that was sealed', async () => {
		const flushes = await recordingOf(name);
		const { after, parts, segment: last } = flushes.at(-1)!;
		const tally = new Tally();
		for (const segment of [last - 1, last]) {
			const file = segmentName(segment);
			if (!after.has(file)) continue;
			const isPart = partOf(flushes, segment);
			for (let at = 0; at < after.get(file)!.length; at++) {
				const isDense = ALL || (segment === last && FLIPPED_ALL.includes(name));
				if (!isDense && at % 16 !== at % 7) continue;
				for (let bit = 0; bit < 8; bit++) {
					const verdict = await verdictOn(flipped(after, segment, at, bit));
					const what = `bit ${bit} of byte ${at} of ${file}`;
					tally.add(expectNothingLost(verdict, parts.at(-1)!, file, at, what));
					// Every bit of every flush but the seal is missed; no other is.
					if (isPart(at) !== (verdict.refusal !== null))
						expect(verdict.refusal !== null, what).toBe(isPart(at));
				}
			}
		}
		tally.report('every bit, sealed');
		expect(tally.of('refused')).toBeGreaterThan(50);
		expect(tally.of('recovered')).toBeGreaterThan(50);
	});

	test('every bit of the last flush flipped, before it is sealed', async () => {
		const flush = (await recordingOf(name)).at(-2)!;
		const { segment, start, end, after } = flush;
		const file = segmentName(segment);
		const tally = new Tally();
		for (let at = start; at < end; at++) {
			for (let bit = 0; bit < 8; bit++) {
				const files = flipped(after, segment, at, bit);
				const verdict = await verdictOn(files);
				const what = `bit ${bit} of byte ${at} of ${file}`;
				if (verdict.refusal !== null || same(verdict.found, flush.parts.at(-1)!)) {
					tally.add(expectNothingLost(verdict, flush.parts.at(-1)!, file, at, what));
					continue;
				}
				// Lost, and not noticed: only where a crash could have left the very same.
				expect([flush.acknowledged, ...flush.parts], what).toContainEqual(verdict.found);
				const sectorEnd = Math.min(end, at - (at % SECTOR_BYTES) + SECTOR_BYTES);
				const rest = files.get(file)!.subarray(at, sectorEnd);
				const isUsed = after
					.get(file)!
					.subarray(end, end + 4096)
					.some((byte) => byte !== 0);
				const isFew = isUsed && sectorEnd - at <= 16;
				const couldBeTorn = isFew || rest.subarray(isUsed ? 1 : 0).every((byte) => byte === 0);
				expect(couldBeTorn, what).toBe(true);
				tally.add('as if torn');
			}
		}
		tally.report('every bit of the last flush, not sealed');
		expect(tally.of('refused')).toBeGreaterThan(0.8 * 8 * (end - start));
		expect(tally.of('recovered')).toBe(0);
	});
});

/** Whether a byte of a segment is of a flush that says something. */
function partOf(flushes: readonly RecordedFlush[], segment: number): (at: number) => boolean {
	const extents = flushes.filter((flush) => flush.segment === segment && !flush.isSeal);
	return (at) =>
		(segment === 1 && at < FIRST_FLUSH_BYTES) ||
		extents.some(({ start, end }) => at >= start && at < end);
}

function flipped(files: Files, segment: number, at: number, bit: number): Files {
	return withSegment(files, segment, (bytes) => {
		bytes[at]! ^= 1 << bit;
		return bytes;
	});
}

/** @returns which of both outcomes it was */
function expectNothingLost(
	{ found, refusal }: Verdict,
	whole: RecordedFlush['acknowledged'],
	file: string,
	at: number,
	what: string,
): 'recovered' | 'refused' {
	if (refusal === null) {
		if (!same(found, whole)) expect(found, `${what}: nothing is lost in silence`).toEqual(whole);
		return 'recovered';
	}
	if (!refusal.path.endsWith(file)) expect(refusal.path, what).toContain(file);
	if (refusal.offset > at) expect(refusal.offset, what).toBeLessThanOrEqual(at);
	return 'refused';
}
