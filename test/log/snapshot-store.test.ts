import { describe, expect, it } from 'vitest';
import { Corruption, TooLarge, WrongDirectory } from '../../src/errors.js';
import { SnapshotStore } from '../../src/log/snapshot-store.js';
import { Machine } from './harness.js';
import {
	headAt,
	openStore,
	readChunks,
	readFile,
	SNAPSHOT_DIRECTORY,
	snapshotOptions,
	write,
} from './snapshots.js';

const CHUNKS = [
	Buffer.from('one'),
	Buffer.alloc(0),
	Buffer.alloc(400_000, 'three'),
	Buffer.from('4'),
];

const names = (machine: Machine) => machine.disk.fileSystem.list(SNAPSHOT_DIRECTORY);

const fileOf = ({ latest }: SnapshotStore) => ({
	identity: latest!.identity,
	bytes: latest!.bytes,
});

async function written(machine: Machine, index = 10): Promise<SnapshotStore> {
	const store = await openStore(machine);
	await machine.until(write(store, headAt(index), CHUNKS));
	return store;
}

describe('a snapshot', () => {
	it('is read back as it was given, chunk by chunk, also after a crash', async () => {
		const machine = new Machine('read back');
		const before = await written(machine);
		machine.crash();
		const store = await openStore(machine);
		expect(store.latest).toEqual({ ...before.latest });
		expect(store.latest).toEqual({ ...headAt(10), ...fileOf(store), stateBytes: 400_004 });
		const chunks = await machine.until(readChunks(store));
		expect(chunks.map((chunk, i) => Buffer.compare(chunk, CHUNKS[i]!))).toEqual([0, 0, 0, 0]);
	});

	it('of a state machine that keeps itself has no chunks', async () => {
		const machine = new Machine('metadata');
		const store = await openStore(machine);
		await machine.until(write(store, headAt(7, { isFull: false, members: new Uint8Array(0) }), []));
		machine.crash();
		const again = await openStore(machine);
		expect(again.latest).toMatchObject({ index: 7, isFull: false, stateBytes: 0 });
		expect(again.latest!.members).toHaveLength(0);
		expect(await machine.until(readChunks(again))).toEqual([]);
	});

	it('takes the place of the one before', async () => {
		const machine = new Machine('next');
		const store = await written(machine, 10);
		await machine.until(write(store, headAt(20), [Buffer.from('newer')]));
		expect(store.latest!.index).toBe(20);
		expect(names(machine)).toHaveLength(1);
		machine.crash();
		const again = await openStore(machine);
		expect(again.latest!.index).toBe(20);
		expect(await machine.until(readChunks(again))).toEqual([new Uint8Array(Buffer.from('newer'))]);
	});

	it('stays readable for who holds it, whatever comes after', async () => {
		const machine = new Machine('held');
		const store = await written(machine, 10);
		const whole = await machine.until(readFile(store));
		const held = (await machine.until(store.holdFull()))!;
		await machine.until(write(store, headAt(20), []));
		const again = new Uint8Array(whole.length);
		expect(await machine.until(held.read(0, again))).toBe(whole.length);
		expect(Buffer.compare(again, whole)).toBe(0);
		await machine.until(held.release());
	});

	it('without the state is held for nobody', async () => {
		const machine = new Machine('not held');
		const store = await written(machine, 10);
		await machine.until(write(store, headAt(20, { isFull: false }), []));
		expect(await machine.until(store.holdFull())).toBeNull();
	});

	it('that is abandoned, or whose writer died, was never there', async () => {
		const machine = new Machine('abandoned');
		const store = await written(machine, 10);
		const writer = await machine.until(store.begin(headAt(20)));
		await machine.until(writer.chunk(Buffer.alloc(900_000)));
		await machine.until(writer.abandon());
		expect(names(machine)).toHaveLength(1);
		const second = await machine.until(store.begin(headAt(20)));
		await machine.until(second.chunk(Buffer.alloc(900_000)));
		machine.kill();
		expect(names(machine)).toContain('snapshot.taking');
		const again = await openStore(machine);
		expect(again.latest!.index).toBe(10);
		expect(names(machine)).toHaveLength(1);
	});

	it('refuses a chunk that nobody could hold in memory', async () => {
		const machine = new Machine('large');
		const store = await openStore(machine);
		const writer = await machine.until(store.begin(headAt(1)));
		await expect(writer.chunk(new Uint8Array(64 * 1024 * 1024 + 1))).rejects.toThrow(TooLarge);
	});

	it("of another cluster's is not taken for ours", async () => {
		const machine = new Machine('whose');
		await written(machine);
		const options = { ...snapshotOptions(machine), clusterNumber: 78 };
		await expect(machine.until(SnapshotStore.open(options))).rejects.toThrow(WrongDirectory);
	});
});

describe('a snapshot that a peer sends', () => {
	async function both() {
		const machine = new Machine('sent');
		const store = await written(machine, 30);
		const bytes = await machine.until(readFile(store));
		const other = new Machine('receiver');
		return { latest: store.latest!, bytes, other, target: await openStore(other) };
	}

	it('is the same file there', async () => {
		const { latest, bytes, other, target } = await both();
		const received = await other.until(target.receive(latest, bytes.length));
		expect(received.offset).toBe(0);
		for (let at = 0; at < bytes.length; at += 5000) {
			await other.until(received.write(at, bytes.subarray(at, at + 5000)));
		}
		expect(received.isComplete).toBe(true);
		await other.until(received.finish());
		expect(target.latest).toEqual(latest);
		other.crash();
		const again = await openStore(other);
		expect(again.latest).toEqual(latest);
		expect(Buffer.compare(await other.until(readFile(again)), bytes)).toBe(0);
	});

	it('goes on where it stopped, after a pause and after a restart', async () => {
		const { latest, bytes, other, target } = await both();
		const first = await other.until(target.receive(latest, bytes.length));
		await other.until(first.write(0, bytes.subarray(0, 200_000)));
		await other.until(first.pause());
		const second = await other.until(target.receive(latest, bytes.length));
		// Only whole frames count.
		expect(second.offset).toBeGreaterThan(100_000);
		expect(second.offset).toBeLessThan(200_000);
		const { offset } = second;
		await other.until(second.write(offset, bytes.subarray(offset, 300_000)));
		other.kill();
		const store = await openStore(other);
		const third = await other.until(store.receive(latest, bytes.length));
		expect(third.offset).toBeGreaterThan(200_000);
		await other.until(third.write(third.offset, bytes.subarray(third.offset)));
		await other.until(third.finish());
		expect(store.latest).toEqual(latest);
		expect(names(other)).toHaveLength(1);
	});

	it('that is not what was announced, or damaged on the way, is refused and gone', async () => {
		const { latest, bytes, other, target } = await both();
		const wrong = { ...latest, term: 4 };
		const first = await other.until(target.receive(wrong, bytes.length));
		await other.until(first.write(0, bytes));
		await expect(other.until(first.finish())).rejects.toThrow(Corruption);
		const damaged = bytes.slice();
		damaged[300_000]! ^= 1;
		const second = await other.until(target.receive(latest, bytes.length));
		expect(second.offset).toBe(0);
		await other.until(second.write(0, damaged));
		await expect(other.until(second.finish())).rejects.toThrow(Corruption);
		expect(names(other)).toEqual([]);
		expect(target.latest).toBeNull();
	});

	it('that is older than the latest one changes nothing', async () => {
		const { latest, bytes, other, target } = await both();
		const received = await other.until(target.receive(latest, bytes.length));
		await other.until(received.write(0, bytes));
		await other.until(write(target, headAt(40), []));
		await other.until(received.finish());
		expect(target.latest!.index).toBe(40);
		expect(names(other)).toHaveLength(1);
	});
});

describe('a damaged snapshot', () => {
	it('is told of, by file and offset, and not taken; whatever bit it is', async () => {
		const machine = new Machine('bits');
		const store = await openStore(machine);
		await machine.until(write(store, headAt(5), [Buffer.from('some state'), Buffer.from('more')]));
		const [name] = names(machine);
		const path = `${SNAPSHOT_DIRECTORY}/${name}`;
		const bytes = machine.disk.bytes(path);
		for (let bit = 0; bit < 8 * bytes.length; bit++) {
			bytes[bit >>> 3]! ^= 1 << (bit & 7);
			const opened = await openStore(machine);
			expect(opened.latest, `bit ${bit}`).toBeNull();
			expect(opened.damage).toBeInstanceOf(Corruption);
			expect(opened.damage!.path).toBe(path);
			expect(opened.damage!.offset).toBeLessThanOrEqual(bit >>> 3);
			bytes[bit >>> 3]! ^= 1 << (bit & 7);
		}
		expect((await openStore(machine)).latest!.index).toBe(5);
	});

	it('is one of which a part is missing, at any border of its frames', async () => {
		const machine = new Machine('parts');
		const store = await openStore(machine);
		const chunks = [1, 2, 3, 4].map((n) => new Uint8Array(1000 * n).fill(n));
		await machine.until(write(store, headAt(5), chunks));
		const whole = await machine.until(readFile(store));
		const borders = [0];
		const lengthAt = (at: number) => new DataView(whole.buffer).getUint32(at, true) + 4;
		while (borders.at(-1)! < whole.length)
			borders.push(borders.at(-1)! + lengthAt(borders.at(-1)!));
		const [name] = names(machine);
		for (let i = 0; i + 1 < borders.length; i++) {
			const before = whole.subarray(0, borders[i]);
			const without = Buffer.concat([before, whole.subarray(borders[i + 1])]);
			machine.install(name!, without, SNAPSHOT_DIRECTORY);
			expect((await openStore(machine)).damage, `without frame ${i}`).toBeInstanceOf(Corruption);
			machine.install(name!, before, SNAPSHOT_DIRECTORY);
			expect((await openStore(machine)).damage, `up to frame ${i}`).toBeInstanceOf(Corruption);
		}
		expect(borders).toHaveLength(9);
		machine.install(name!, Buffer.concat([whole, new Uint8Array(8)]), SNAPSHOT_DIRECTORY);
		expect((await openStore(machine)).damage!.message).toContain('8 bytes behind the end');
	});

	it('gives way to the one before it, and to the next one', async () => {
		const machine = new Machine('older');
		const store = await written(machine, 10);
		const [older] = names(machine);
		const kept = machine.disk.bytes(`${SNAPSHOT_DIRECTORY}/${older}`).slice();
		await machine.until(write(store, headAt(20), []));
		const [newer] = names(machine);
		machine.disk.bytes(`${SNAPSHOT_DIRECTORY}/${newer}`)[50]! ^= 4;
		machine.install(older!, kept, SNAPSHOT_DIRECTORY);
		const opened = await openStore(machine);
		expect(opened.latest!.index).toBe(10);
		expect(opened.damage!.path).toContain(newer);
		await machine.until(write(opened, headAt(15), []));
		expect(opened.damage).toBeNull();
		expect(names(machine)).toHaveLength(1);
	});
});
