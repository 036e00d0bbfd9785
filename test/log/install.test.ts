/** A leader's snapshot is received, becomes durable, and the log begins anew behind it: cut at every event of the disk, by
 * a power failure or a kill, and opened again. */
import { expect, test } from 'vitest';
import { Log } from '../../src/log/log.js';
import { SnapshotStore } from '../../src/log/snapshot-store.js';
import type { StoredSnapshot } from '../../src/log/snapshot-types.js';
import { LIMITS } from './exhaustive.js';
import { LogUnderTest, Machine } from './harness.js';
import { headAt, openStore, readChunks, readFile, snapshotOptions, write } from './snapshots.js';

const CHUNKS = [new Uint8Array(30_000).fill(1), new Uint8Array(9).fill(2)];

/** A leader's snapshot, as a file. */
async function leadersSnapshot(): Promise<{ latest: StoredSnapshot; bytes: Uint8Array }> {
	const machine = new Machine('leader');
	const store = await openStore(machine);
	await machine.until(write(store, headAt(100, { term: 2 }), CHUNKS));
	return { latest: store.latest!, bytes: await machine.until(readFile(store)) };
}

/** What the replica knew when it was cut off. */
interface Known {
	isReceived: boolean;
	isOver: boolean;
}

async function install(
	log: LogUnderTest,
	store: SnapshotStore,
	{ latest, bytes }: Awaited<ReturnType<typeof leadersSnapshot>>,
	known: Known,
): Promise<void> {
	log.setHardState(2, 0);
	const received = await store.receive(latest, bytes.length);
	for (let at = received.offset; at < bytes.length; at += 16_384) {
		await received.write(at, bytes.subarray(at, at + 16_384));
	}
	await received.finish();
	known.isReceived = true;
	log.installed(latest);
	log.reset();
	log.append(100);
	log.append(700);
	log.setHardState(3, 1);
}

/** @returns whether the snapshot was found */
async function cutAfter(
	events: number,
	how: 'crash' | 'kill',
	snapshot: Awaited<ReturnType<typeof leadersSnapshot>>,
): Promise<{ isFound: boolean; known: Known }> {
	const log = await LogUnderTest.start(`cut ${events}`, { limits: LIMITS });
	const { machine } = log;
	for (let i = 0; i < 16; i++) {
		log.append(300);
		await log.settle();
	}
	const store = await openStore(machine);
	const own = log.written[4]!.end;
	await machine.until(write(store, headAt(own.index, { ...own }), CHUNKS));
	log.takeSnapshotAt(own);
	const known = { isReceived: false, isOver: false };
	install(log, store, snapshot, known).catch((error: Error) => log.failures.push(error));
	let passed = 0;
	await machine.scheduler.run(machine.scheduler.now + 1_000, () => passed++ === events);
	known.isOver = passed <= events;
	machine[how]();
	const again = await openStore(machine);
	const isFound = again.latest!.index === 100;
	if (known.isReceived) expect(isFound).toBe(true);
	// The rename may have been durable before it was told.
	if (isFound && !known.isReceived) log.installed(again.latest!);
	await log.recover();
	if (!isFound) expect(log.end.index).toBe(16);
	else expect(log.log.base).toMatchObject({ index: 100, term: 2, checksum: 0xc0ffee });
	expect((await machine.until(readChunks(again))).map((chunk) => chunk.length)).toEqual([
		30_000, 9,
	]);
	// It goes on: the rest is fetched, or what was there before continues.
	log.append(50);
	await log.settle();
	await machine.pass(200);
	await log.restart();
	expect(log.failures).toEqual([]);
	await log.close();
	return { isFound, known };
}

test.each(['crash', 'kill'] as const)('cut at every event: %s', async (how) => {
	const snapshot = await leadersSnapshot();
	const seen = { old: 0, untold: 0, told: 0 };
	for (let events = 0; ; events++) {
		const { isFound, known } = await cutAfter(events, how, snapshot);
		seen[known.isReceived ? 'told' : isFound ? 'untold' : 'old'] += 1;
		if (known.isOver) break;
	}
	expect(seen.old).toBeGreaterThan(5);
	expect(seen.told).toBeGreaterThan(5);
	// A kill leaves the rename, told or not.
	if (how === 'kill') expect(seen.untold).toBeGreaterThan(0);
});

test('a snapshot that was damaged since: refused, until the log reaches back, or a leader sends another', async () => {
	const snapshot = await leadersSnapshot();
	const log = await LogUnderTest.start('damaged since', { limits: LIMITS });
	const { machine } = log;
	const store = await openStore(machine);
	await machine.until(install(log, store, snapshot, { isReceived: false, isOver: false }));
	await log.settle();
	await machine.pass(300);
	await log.close();
	const [name] = machine.disk.fileSystem.list('/data/snapshots');
	machine.disk.flipBit(`/data/snapshots/${name}`, 20_000, 3);
	const damaged = await openStore(machine);
	const open = (setsDamageAside: boolean) =>
		machine.until(
			Log.open(
				machine.options({
					limits: LIMITS,
					setsDamageAside,
					snapshot: damaged.latest,
					snapshotDamage: damaged.damage,
				}),
				{ onPersisted: () => {}, onFailure: () => {} },
			),
		);
	await expect(open(false)).rejects.toBe(damaged.damage);
	const empty = await open(true);
	expect(empty.recovered.end.index).toBe(0);
	// What comes next from the leader takes the place of both.
	const received = await machine.until(damaged.receive(snapshot.latest, snapshot.bytes.length));
	await machine.until(received.write(0, snapshot.bytes));
	await machine.until(received.finish());
	empty.reset(snapshot.latest);
	await machine.pass(300);
	await machine.until(empty.close());
	const mended = await machine.until(SnapshotStore.open(snapshotOptions(machine)));
	expect(mended.damage).toBeNull();
	const log2 = await machine.until(
		Log.open(machine.options({ limits: LIMITS, snapshot: mended.latest }), {
			onPersisted: () => {},
			onFailure: () => {},
		}),
	);
	expect(log2.recovered.end.index).toBe(100);
	await machine.until(log2.close());
});
