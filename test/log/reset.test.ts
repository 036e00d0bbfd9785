/** A log that begins anew behind a snapshot: whatever moment a crash comes at, the snapshot and all that was acknowledged
 * behind it are there, and so is the hard state. */
import { describe, expect, it, test } from 'vitest';
import { Compacted, Corruption } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import { recover } from '../../src/log/recovery.js';
import { SegmentStore, segmentName } from '../../src/log/segment-store.js';
import type { LogOptions, LogPosition } from '../../src/log/types.js';
import { LIMITS, verdictOn } from './exhaustive.js';
import { type Files, LogUnderTest, Machine, SMALL_LIMITS } from './harness.js';
import { MemoryDisk } from './memory-disk.js';

const snapshotAt = ({ index, term, checksum }: LogPosition) => ({ index, term, checksum, time: 1 });

async function grown(seed: string, batches: number): Promise<LogUnderTest> {
	const log = await LogUnderTest.start(seed, { limits: LIMITS });
	for (let i = 0; i < batches; i++) {
		log.append(400);
		await log.settle();
	}
	return log;
}

/** The numbers of the segments that hold what is not zeros. */
const segments = (log: LogUnderTest) => [...log.machine.files().keys()];

describe('a log that begins anew', () => {
	it('has nothing of what was before, and goes on behind the snapshot', async () => {
		const log = await grown('anew', 20);
		const before = log.counter('segmentsLive');
		expect(before).toBeGreaterThan(2);
		log.receiveSnapshot(100);
		log.reset();
		await log.machine.pass(1000);
		expect(log.counter('segmentsLive')).toBe(1);
		log.append(100);
		await log.settle();
		const memory = new Memory(LIMITS.slabBytes);
		await expect(log.log.read(20, 20, memory, 1)).rejects.toThrow(Compacted);
		await expect(log.log.read(100, 100, memory, 1)).rejects.toThrow(Compacted);
		await log.restart();
		expect(log.log.base.index).toBe(100);
		expect(log.end.index).toBe(101);
		await log.close();
	});

	it('tells when that is durable, with nothing else to say', async () => {
		const log = await grown('tells', 3);
		const flushes = log.counter('flushes');
		log.persisted.length = 0;
		log.receiveSnapshot(50);
		log.reset();
		await log.machine.pass(20);
		expect(log.persisted).toEqual([{ index: 0, epoch: 0, term: 1, vote: 0 }]);
		expect(log.counter('flushes')).toBe(flushes + 1);
		await log.close();
	});

	it('does so in the middle of a flush, and again before that is durable', async () => {
		const log = await grown('flight', 2);
		log.append(1000);
		await log.machine.pass(0.01);
		log.receiveSnapshot(40);
		log.reset();
		log.append(70);
		await log.machine.pass(0.01);
		log.receiveSnapshot(60);
		log.reset();
		log.append(80);
		log.append(90);
		await log.settle();
		await log.expectReadBack();
		log.machine.crash();
		await log.recover();
		expect([log.log.base.index, log.end.index]).toEqual([60, 62]);
		await log.close();
	});

	it('uses the old segments again', async () => {
		const log = await grown('recycles', 60);
		const created = log.counter('segmentsCreated');
		log.receiveSnapshot(200);
		log.reset();
		await log.machine.pass(1000);
		expect(log.counter('segmentsRecycled')).toBeGreaterThan(1);
		for (let i = 0; i < 20; i++) {
			log.append(400);
			await log.settle();
		}
		// One was on its way already.
		expect(log.counter('segmentsCreated')).toBeLessThanOrEqual(created + 1);
		await log.restart();
		await log.close();
	});

	it('keeps its old segments until the first flush of the new one is durable', async () => {
		const log = await grown('keeps', 20);
		await log.machine.pass(300);
		const old = segments(log);
		log.receiveSnapshot(100);
		log.machine.disk.failNext('write', 'EIO', { path: '.segment' });
		log.reset();
		expect(log.log.compact(100, 0)).toBe(false);
		await log.machine.pass(1000);
		expect(log.failures).toHaveLength(1);
		expect(segments(log)).toEqual(expect.arrayContaining(old));
		log.machine.kill();
		await log.recover();
		await log.restart();
		await log.close();
	});
});

describe('a log and a snapshot', () => {
	it('go on with the suffix, if the entry at the index is the very one', async () => {
		const log = await grown('suffix', 10);
		log.commit(6);
		log.takeSnapshot();
		log.machine.crash();
		await log.recover();
		expect(log.end.index).toBe(10);
		expect(log.log.recovered.committed).toBe(6);
		await log.close();
	});

	it.each([
		['another term', { term: 2 }],
		['another batch', { checksum: 1 }],
		['an index beyond the end', { index: 11 }],
	])('leave an empty log and the hard state, if it has %s', async (_, change) => {
		const log = await grown('other', 10);
		log.setHardState(9, 3);
		await log.settle();
		await log.close();
		const snapshot = { ...snapshotAt(log.written[5]!.end), ...change };
		const options = log.machine.options({ limits: LIMITS, snapshot });
		const { recovered, live } = await log.machine.until(
			recover(options, new SegmentStore(options)),
		);
		const { index, term, checksum } = snapshot;
		expect(recovered).toMatchObject({ end: { index, term, checksum }, term: 9, vote: 3, runs: [] });
		expect(recovered.base).toEqual(recovered.end);
		expect(live).toEqual([]);
	});

	it('never go back to a term before that of the snapshot, whose vote nobody has', async () => {
		const log = await grown('term', 3);
		log.setHardState(4, 2);
		await log.settle();
		await log.close();
		const snapshot = { index: 90, term: 6, checksum: 5, time: 77 };
		const options = log.machine.options({ limits: LIMITS, snapshot });
		const { recovered } = await log.machine.until(recover(options, new SegmentStore(options)));
		expect(recovered).toMatchObject({ term: 6, vote: 0, committed: 90, time: 77 });
	});

	it('are refused, if the log begins behind the snapshot, or what is committed differs', async () => {
		const log = await grown('refused', 40);
		log.commit(30);
		await log.settleCommit();
		log.log.compact(20, 0);
		await log.machine.pass(100);
		const { base } = log.log;
		expect(base.index).toBeGreaterThan(5);
		await log.close();
		const open = (options: Partial<LogOptions>) => {
			const all = log.machine.options({ limits: LIMITS, ...options });
			return log.machine.until(recover(all, new SegmentStore(all)));
		};
		await expect(open({ snapshot: snapshotAt(log.written[2]!.end) })).rejects.toThrow(
			`begins behind index ${base.index}, but the snapshot ends at 3`,
		);
		const other = { ...snapshotAt(log.written[28]!.end), checksum: 7 };
		await expect(open({ snapshot: other })).rejects.toThrow('is committed here, but');
		const damage = new Corruption('/data/snapshots/x', 12, 'rotten');
		await expect(open({ snapshotDamage: damage })).rejects.toBe(damage);
		const older = snapshotAt(log.written[2]!.end);
		await expect(open({ snapshot: older, snapshotDamage: damage })).rejects.toBe(damage);
		// As long as the log reaches back, a snapshot that is damaged costs nothing.
		const { recovered } = await open({ snapshot: snapshotAt(base), snapshotDamage: damage });
		expect(recovered.end.index).toBe(40);
		// With peers to fetch it from, all of it is set aside.
		const aside = await open({ snapshotDamage: damage, setsDamageAside: true });
		expect(aside.recovered.end.index).toBe(0);
		expect(segments(log).every((name) => name.endsWith('.damaged'))).toBe(true);
	});
});

test('a log that began anew and whose old segments are still there needs the snapshot', async () => {
	const log = await grown('needs it', 12);
	const { machine } = log;
	log.receiveSnapshot(90);
	log.reset();
	// The old segments can't be renamed yet.
	machine.disk.failNext('rename', 'EIO');
	log.append(60);
	await machine.pass(100);
	expect(log.failures).toHaveLength(1);
	machine.kill();
	const open = (options: Partial<LogOptions>) => {
		const all = machine.options({ limits: LIMITS, ...options });
		return machine.until(recover(all, new SegmentStore(all)));
	};
	await expect(open({})).rejects.toThrow('does not join the log before it');
	await expect(open({ snapshot: { ...log.snapshot!, index: 89 } })).rejects.toThrow(Corruption);
	const { recovered, stale } = await open({ snapshot: log.snapshot });
	expect(recovered.base.index).toBe(90);
	expect(stale.length).toBeGreaterThan(1);
	await log.recover();
	await machine.pass(200);
	expect(log.counter('segmentsLive')).toBe(1);
	await log.close();
});

test('a log that began anew below what is left of its old segments begins there', async () => {
	const log = await grown('below', 24);
	const { machine } = log;
	log.receiveSnapshot(3);
	log.reset();
	machine.disk.failNext('rename', 'EIO');
	await machine.pass(100);
	expect(log.failures).toHaveLength(1);
	machine.kill();
	const files = new Map(machine.files());
	const whole = machine.options({ limits: LIMITS, snapshot: log.snapshot! });
	const { stale } = await machine.until(recover(whole, new SegmentStore(whole)));
	expect(stale.length).toBeGreaterThan(2);
	// A crash came when all but the last of them were removed.
	for (const number of stale.slice(0, -1)) files.delete(segmentName(number));
	const options = { ...whole, disk: new MemoryDisk(files) };
	const { recovered, stale: left } = await recover(options, new SegmentStore(options));
	expect(recovered).toMatchObject({ base: { index: 3 }, end: { index: 3 } });
	expect(left).toEqual(stale.slice(-1));
});

describe('damage that the snapshot covers', () => {
	async function covered() {
		const log = await grown('covered', 40);
		log.setHardState(5, 2);
		log.append(30);
		await log.settle();
		await log.close();
		const files = log.machine.files();
		const options = log.machine.options({ limits: LIMITS });
		const { live } = await log.machine.until(recover(options, new SegmentStore(options)));
		return { log, files, live };
	}

	it.each(['a bit', 'the header', 'a missing file'])('costs nothing: %s', async (what) => {
		const { log, files, live } = await covered();
		const damaged = new Map(files);
		const third = segmentName(live[2]!.number);
		const bytes = files.get(third)!.slice();
		bytes[what === 'a bit' ? 700 : 40]! ^= 1;
		if (what === 'a missing file') damaged.delete(third);
		else damaged.set(third, bytes);
		const open = (index: number) => {
			const end = log.written.find((w) => w.end.index === index)!.end;
			const disk = new MemoryDisk(damaged);
			const all = new Machine('c').options({ limits: LIMITS, disk, snapshot: snapshotAt(end) });
			return recover(all, new SegmentStore(all)).then((found) => ({ found, disk }));
		};
		const next = live[3]!.base!.index;
		const { found, disk } = await open(next);
		expect(found.recovered).toMatchObject({ end: log.end, term: 5, vote: 2 });
		expect(found.recovered.covered).toBeInstanceOf(Corruption);
		expect(found.recovered.base.index).toBe(next);
		expect(await disk.list()).not.toContain(third);
		expect(await disk.list()).not.toContain(segmentName(live[0]!.number));
		// One entry less, and something would be lost.
		await expect(open(next - 1)).rejects.toThrow(Corruption);
	});
});

/** What a crash leaves of the flush with which the log begins anew, at every byte, and of the one behind it. */
test('cut at every byte: the old log gives way to the snapshot, with its hard state', async () => {
	const log = await grown('cut', 8);
	log.setHardState(3, 2);
	await log.settle();
	const flushes: { segment: string; start: number; end: number; before: Files; after: Files }[] =
		[];
	let before: Files = new Map();
	const { disk } = log.machine;
	disk.onWriting = () => {
		before = log.machine.files();
	};
	disk.onWritten = ({ path, position, bytes }) => {
		const segment = path.slice(path.lastIndexOf('/') + 1);
		if (!/^\d/.test(segment)) return;
		const end = position + bytes.length;
		flushes.push({ segment, start: position, end, before, after: log.machine.files() });
	};
	log.receiveSnapshot(100);
	log.reset();
	log.append(150);
	log.setHardState(4, 1);
	await log.settle();
	log.append(160);
	await log.settle();
	disk.onWriting = null;
	disk.onWritten = null;
	expect(flushes).toHaveLength(2);
	const snapshot = log.snapshot!;
	for (const [n, { segment, start, end, before: old, after }] of flushes.entries()) {
		for (let cut = start; cut <= end; cut++) {
			const bytes = old.get(segment)!.slice();
			bytes.set(after.get(segment)!.subarray(start, cut), start);
			const verdict = await verdictOn(new Map(old).set(segment, bytes), { snapshot });
			// What is missing up to there are zeros, as the file has them.
			const isThere = (position: number) =>
				after
					.get(segment)!
					.subarray(cut, position)
					.every((byte) => byte === 0);
			const isWhole = isThere(end);
			const isMarked = isThere(start + (n === 0 ? 192 : 96));
			expect(verdict.found, `flush ${n}, byte ${cut}`).toEqual({
				index: 100 + n + (isWhole ? 1 : 0),
				checksum: [log.snapshot!, ...log.written.slice(1).map((w) => w.end)][n + (isWhole ? 1 : 0)]!
					.checksum,
				term: n === 0 && !isMarked ? 3 : 4,
				vote: n === 0 && !isMarked ? 2 : 1,
			});
		}
	}
	await log.close();
});

/** Anything a replica does to its log, with snapshots of its own and of leaders. */
function act(log: LogUnderTest): void {
	const { random } = log.machine;
	const kind = random.below(24);
	if (kind < 11) {
		for (let i = random.below(5); i >= 0; i--) log.append(random.below(300));
	} else if (kind < 13) {
		log.setHardState(log.hardState.term + random.below(2), random.below(4));
	} else if (kind < 15) {
		const uncommitted = log.written.filter((w) => w.end.index > log.committed).length;
		if (uncommitted > 0 && log.log.base.index <= log.committed) {
			log.truncate(1 + random.below(uncommitted));
			log.append(random.below(100));
		}
	} else if (kind < 18) log.commit(log.required - random.below(5));
	else if (kind < 20) log.takeSnapshot();
	else if (kind < 22) {
		const index = log.snapshot?.index ?? 0;
		log.log.compact(Math.min(log.committed, index), random.below(4) * SMALL_LIMITS.segmentBytes);
	} else if (log.log.base.index <= log.committed) {
		log.receiveSnapshot(log.committed + 1 + random.below(30));
		// The process may die before the log begins anew.
		if (random.chance(0.7)) log.reset();
		else log.isEnding = true;
	}
}

test.each(Array.from({ length: 24 }, (_, i) => `reset ${i}`))(
	'at whatever moment the power fails: %s',
	async (seed) => {
		const log = await LogUnderTest.start(seed);
		const { machine } = log;
		for (let life = 0; life < 14; life++) {
			log.isEnding = false;
			for (let i = machine.random.below(40); i >= 0 && !log.isEnding; i--) {
				act(log);
				if (machine.random.chance(0.6)) await machine.pass(machine.random.next() * 2);
			}
			if (machine.random.chance(0.5)) machine.crash();
			else machine.kill();
			while (machine.random.chance(0.3)) {
				const opening = log.beginOpen();
				opening.catch((error: Error) => log.failures.push(error));
				await machine.pass(machine.random.next() * 10);
				machine.crash();
			}
			await log.recover();
		}
		expect(log.failures).toEqual([]);
		await log.restart();
		await log.close();
	},
);
