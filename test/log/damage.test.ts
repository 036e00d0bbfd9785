import { describe, expect, test } from 'vitest';
import { Corruption, WrongDirectory } from '../../src/errors.js';
import { segmentName } from '../../src/log/segment-store.js';
import { SimulatedRandom } from '../simulation/random.js';
import { type Files, LogUnderTest, Machine, SMALL_LIMITS } from './harness.js';
import { changed, goOn, openDamaged, RECORDED, record } from './recorded.js';

/** Behind the header, the mark of the first flush and its own. */
const FIRST_BATCH = 3 * 96;

describe.each(['cut off', 'zeros', 'garbage'])(
	'the end of the log is %s from a byte on',
	(kind) => {
		const random = new SimulatedRandom(kind);
		const spoil = (bytes: Uint8Array, from: number): Uint8Array => {
			if (kind === 'cut off') return bytes.slice(0, from);
			if (kind === 'zeros') bytes.fill(0, from);
			else for (let i = from; i < bytes.length; i++) bytes[i] = random.below(256);
			return bytes;
		};
		// A roll between the last two flushes, both in one segment, and recycled segments below.
		test.each([
			['over two segments', 'roll', 0, 0],
			['in recycled segments', 'c', 6, 3],
		])('%s', async (_where, seed, count, dropped) => {
			let recording = await record(seed, count === 0 ? 3 : count, dropped);
			const rolls = () => recording.flushes.at(-1)!.start === 0;
			for (let more = 4; count === 0 && !rolls(); more++) recording = await record(seed, more);
			const { files, flushes } = recording;
			for (const flush of flushes.slice(-2)) {
				const before = flushes[flushes.indexOf(flush) - 1]!;
				for (let from = flush.start; from < flush.end; from++) {
					const spoiled = changed(files, flush.segment, (bytes) => spoil(bytes, from));
					const isLast = flush === flushes.at(-1);
					const { index, log, refusal } = await openDamaged(recording, spoiled);
					// Whoever cuts a file is found out.
					if (kind === 'cut off' && flush.segment === flushes.at(-1)!.segment) {
						expect(refusal, `from byte ${from}`).toMatchObject({ offset: from });
						continue;
					}
					// A whole last flush in the next segment proves that the one before was whole.
					if (!isLast && flush.segment < flushes.at(-1)!.segment && refusal !== null) continue;
					expect(index, `from byte ${from}`).toBeGreaterThanOrEqual(before.index);
					if (from % 24 === flush.start % 24) await goOn(log);
				}
			}
		});
	},
);

test('every flipped bit is noticed, or in a place that does not matter', async () => {
	const limits = { ...RECORDED.limits!, slabBytes: 4096, segmentBytes: 4096 };
	const recording = await record('flips', 9, 0, { limits });
	const { files, flushes } = recording;
	const last = flushes.at(-1)!;
	const before = flushes.at(-2)!;
	expect(last.segment).toBe(2);
	let refusals = 0;
	for (const [name, bytes] of files) {
		const segment = Number.parseInt(name, 10);
		for (let at = 0; at < bytes.length; at++) {
			const inLast = segment === last.segment && at >= last.start && at < last.end;
			const inLog = segment < last.segment || (segment === last.segment && at < last.end);
			// Every bit of one byte in 8 and of all marks of some flushes; few of those behind the log.
			const isDense = inLast || flushes.some((f, i) => i % 8 === 3 && covers(f, segment, at));
			if (!isDense && at % (inLog ? 8 : 512) !== at % 7) continue;
			for (let bit = 0; bit < 8; bit++) {
				const flipped = changed(files, segment, (copy) => {
					copy[at]! ^= 1 << bit;
					return copy;
				});
				const { index, refusal } = await openDamaged(recording, flipped);
				const where = `bit ${bit} of byte ${at} of ${name}`;
				if (inLast) {
					if (refusal === null) expect(index, where).toBeGreaterThanOrEqual(before.index);
				} else if (refusal === null) expect(index, where).toBe(last.index);
				else {
					refusals += 1;
					expect(refusal.path, where).toContain(name);
					expect(Math.abs(refusal.offset - at), where).toBeLessThan(1024);
				}
				const isUnused = !inLog || !flushes.some((f) => covers(f, segment, at));
				if (isUnused && at >= 96) expect(refusal, where).toBeNull();
				if (!isUnused && !inLast) expect(refusal, where).not.toBeNull();
			}
		}
	}
	expect(refusals).toBeGreaterThan(4_000);
});

function covers(
	flush: { segment: number; start: number; end: number },
	segment: number,
	at: number,
) {
	return flush.segment === segment && at >= flush.start && at < flush.end;
}

test('a flush of which any sectors are missing hurts no earlier one', async () => {
	for (const dropped of [0, 2]) {
		const recording = await record(`sectors ${dropped}`, 2, dropped);
		const before = new Map(recording.files);
		const log = new LogUnderTest(new Machine('torn', before), RECORDED);
		log.adopt(recording.written);
		await log.open();
		await log.check();
		const earlier = log.end.index;
		for (let i = 0; i < 5; i++) log.append(300, 2);
		await log.settle();
		const after = log.machine.files();
		const later = { ...recording, written: log.written };
		const random = new SimulatedRandom('subsets');
		for (let round = 0; round < 300; round++) {
			const torn = tear(before, after, random);
			const { index, log: reopened } = await openDamaged(later, torn);
			expect(index).toBeGreaterThanOrEqual(earlier);
			if (round % 8 === 0) await goOn(reopened);
		}
	}
});

test('a torn flush where another one was torn before is one or the other, never both', async () => {
	const recording = await record('twice', 2);
	const place = recording.flushes.at(-1)!;
	const attempt = async (times: number) => {
		const log = new LogUnderTest(new Machine('attempt', recording.files), RECORDED);
		log.adopt(recording.written);
		await log.open();
		await log.check(false);
		// The same batches but for their payloads, and so for their checksums.
		for (let i = 0; i < 5; i++) log.append(200 + times, 2);
		await log.settle();
		return { files: log.machine.files(), written: log.written };
	};
	const one = await attempt(1);
	const other = await attempt(2);
	// Of the first attempt all but the mark has reached the disk.
	const first = changed(one.files, place.segment, (bytes) =>
		bytes.fill(0, place.end, place.end + 96),
	);
	const both = { ...recording, written: one.written, branch: other.written };
	const random = new SimulatedRandom('both');
	const found = new Set<number>();
	for (let round = 0; round < 300; round++) {
		const { index, log } = await openDamaged(both, tear(first, other.files, random));
		expect(index).toBeGreaterThanOrEqual(place.index);
		found.add(index - place.index);
		await log.expectReadBack();
		if (round % 16 === 0) await goOn(log);
	}
	expect(found.size).toBeGreaterThan(3);
	// Where a batch happens to end with a sector, the next one may be of the other attempt.
	const mark = place.end + 96;
	for (let cut = mark; cut < mark + 3_000; cut += 8) {
		const mixed = changed(other.files, place.segment, (bytes) => {
			bytes.set(first.get(segmentName(place.segment))!.subarray(mark, cut), mark);
			return bytes;
		});
		await (await openDamaged(both, mixed)).log.expectReadBack();
	}
});

/** Files in which each sector is the one before or after. */
function tear(before: Files, after: Files, random: SimulatedRandom): Files {
	const keep = random.next();
	const torn = new Map<string, Uint8Array>();
	for (const [name, bytes] of after) {
		const old = before.get(name) ?? new Uint8Array(bytes.length);
		const mixed = old.slice();
		for (let at = 0; at < bytes.length; at += 512) {
			if (random.chance(keep)) mixed.set(bytes.subarray(at, at + 512), at);
		}
		torn.set(name, mixed);
	}
	return torn;
}

describe('segments that are not where they belong', () => {
	const refused = async (files: Files, recording: Awaited<ReturnType<typeof record>>) => {
		const { refusal } = await openDamaged(recording, files);
		expect(refusal).toBeInstanceOf(Corruption);
		return refusal!;
	};

	test('the first is missing: then the log says that it begins later', async () => {
		const recording = await record('first missing', 40);
		const files = new Map(recording.files);
		files.delete(segmentName(1));
		const { log } = await openDamaged(recording, files);
		expect(log.log.base.index).toBe(recording.flushes.findLast((f) => f.segment === 1)!.index);
	});

	test('one is missing, in the middle or last', async () => {
		const recording = await record('missing', 40);
		const last = recording.flushes.at(-1)!.segment;
		expect(last).toBeGreaterThan(3);
		for (let segment = 2; segment <= last; segment++) {
			const files = new Map(recording.files);
			expect(files.delete(segmentName(segment))).toBe(true);
			const { path } = await refused(files, recording);
			expect(path).toContain(segmentName(segment));
		}
	});

	test('two are swapped', async () => {
		const recording = await record('swapped', 50);
		const last = recording.flushes.at(-1)!.segment;
		for (let a = 1; a <= last; a++) {
			for (let b = a + 1; b <= last + 2; b++) {
				const files = new Map(recording.files);
				files.set(segmentName(a), recording.files.get(segmentName(b))!);
				files.set(segmentName(b), recording.files.get(segmentName(a))!);
				await refused(files, recording);
			}
		}
	});

	test('the last one, of a single flush, is in the file behind its own', async () => {
		let recording = await record('astray', 8);
		for (let more = 9; recording.flushes.at(-1)!.start !== 0; more++) {
			recording = await record('astray', more);
		}
		const { segment } = recording.flushes.at(-1)!;
		const files = new Map(recording.files);
		files.set(segmentName(segment + 1), recording.files.get(segmentName(segment))!);
		files.set(segmentName(segment), recording.files.get(segmentName(segment + 1))!);
		await refused(files, recording);
	});

	test('its header alone proves that a flush before it is missing', async () => {
		const recording = await record('header', 30);
		const { segment } = recording.flushes.at(-1)!;
		const before = recording.flushes.findLast((flush) => flush.segment < segment)!;
		const spoiled = changed(recording.files, segment, (bytes) => bytes.fill(0, 96));
		const files = changed(spoiled, before.segment, (bytes) => bytes.fill(0, before.start));
		const { path, offset } = await refused(files, recording);
		expect(path).toContain(segmentName(before.segment));
		expect(offset).toBe(before.start);
	});

	test('one has lost its front: it is named, not the whole one behind it', async () => {
		const recording = await record('front', 40);
		const last = recording.flushes.at(-1)!.segment;
		expect(last).toBeGreaterThan(3);
		for (let segment = 2; segment < last; segment++) {
			const { end } = recording.flushes.find((flush) => flush.segment === segment)!;
			// All of its flushes, or the first.
			for (const to of [undefined, end]) {
				const files = changed(recording.files, segment, (bytes) => bytes.fill(0, 0, to));
				const { path, offset } = await refused(files, recording);
				expect([path.endsWith(segmentName(segment)), offset], path).toEqual([true, 0]);
			}
		}
	});

	test('one is of another replica, cluster or group', async () => {
		const recording = await record('foreign', 50);
		for (const other of [{ replica: 3 }, { clusterNumber: 78 }, { group: 2 }]) {
			const log = new LogUnderTest(new Machine('foreign', recording.files), {
				...RECORDED,
				...other,
			});
			await expect(log.open()).rejects.toThrow(WrongDirectory);
			await expect(log.open()).rejects.toThrow('belongs to another');
		}
		const stranger = await LogUnderTest.start('stranger', { ...RECORDED, replica: 3 });
		for (let i = 0; i < 60; i++) {
			stranger.append(400);
			await stranger.settle();
		}
		const strange = stranger.machine.files();
		await stranger.close();
		for (const segment of [1, 2, 3]) {
			const files = changed(recording.files, segment, () => strange.get(segmentName(segment))!);
			const opening = openDamaged(recording, files);
			await expect(opening).rejects.toThrow(WrongDirectory);
		}
	});

	test('the only one has lost its only flush: that was durable before others were dropped', async () => {
		const recording = await record('only', 20);
		const { segment } = recording.flushes.at(-1)!;
		const files = changed(recording.files, segment, (bytes) => bytes.fill(0, 96));
		for (let lower = 1; lower < segment; lower++)
			(files as Map<string, unknown>).delete(segmentName(lower));
		const { message } = await refused(files, recording);
		expect(message).toContain('the first segment has no valid flush');
	});

	test('a file whose number is beyond 2^53 is none of the log, whatever else there is', async () => {
		const { files } = await record('beyond', 5);
		const name = `${'9'.repeat(16)}.segment`;
		for (const kept of [files, new Map<string, Uint8Array>()]) {
			const log = new LogUnderTest(new Machine('beyond'), RECORDED);
			for (const [other, bytes] of kept) log.machine.install(other, bytes);
			log.machine.install(name, [...files.values()][0]!);
			await log.open();
			await log.machine.until(log.log.close());
			expect(log.machine.files().has(name)).toBe(true);
		}
	});

	test('a file that a crash left half made is removed', async () => {
		const recording = await record('unfinished', 5);
		const files = new Map(recording.files).set('unfinished.segment', new Uint8Array(5));
		const { log, index } = await openDamaged(recording, files);
		expect(index).toBe(recording.flushes.at(-1)!.index);
		expect(log.machine.files().has('unfinished.segment')).toBe(false);
	});

	test('a damaged length is not taken for that of a batch beyond the limits', async () => {
		const limits = { ...SMALL_LIMITS, slabBytes: 8 * 1024 };
		const log = await LogUnderTest.start('length', { limits });
		// Frames of up to 4096 bytes are allowed; with one bit more, this one is longer, and fits its flush.
		const { length } = log.append(2_080 - 120);
		expect(length & 2048).not.toBe(0);
		for (let i = 0; i < 4; i++) log.append(2_000);
		await log.settle();
		const files = log.machine.files();
		await log.close();
		const flipped = changed(files, 1, (bytes) => {
			expect(Buffer.from(bytes).readUInt32LE(FIRST_BATCH)).toBe(length - 4);
			bytes[FIRST_BATCH + 1]! ^= 0x10;
			return bytes;
		});
		const other = new LogUnderTest(new Machine('flipped', flipped), { limits });
		await expect(other.open()).rejects.toMatchObject({
			code: 'CORRUPTION',
			offset: FIRST_BATCH + 1,
		});
	});

	test('limits that are too small for the log are not taken for damage', async () => {
		const log = await LogUnderTest.start('larger');
		log.append(6_000);
		await log.settle();
		const files = log.machine.files();
		await log.close();
		const small = new LogUnderTest(new Machine('smaller', files), RECORDED);
		await expect(small.open()).rejects.toThrow('limits.slabBytes is too small');
	});
});
