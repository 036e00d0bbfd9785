/** Snapshots on a simulated disk. */
import { SnapshotStore } from '../../src/log/snapshot-store.js';
import type { SnapshotHead, SnapshotOptions } from '../../src/log/snapshot-types.js';
import { DIRECTORY, type Machine } from './harness.js';

export const SNAPSHOT_DIRECTORY = `${DIRECTORY}/snapshots`;

export function headAt(index: number, changes: Partial<SnapshotHead> = {}): SnapshotHead {
	return {
		index,
		term: 3,
		checksum: 0xc0ffee,
		time: 1_764_000_000_000,
		isFull: true,
		members: new TextEncoder().encode('{"voters":[1,2,3]}'),
		sessions: new Uint8Array(100).fill(7),
		...changes,
	};
}

export function snapshotOptions(machine: Machine): SnapshotOptions {
	const { disk, directory, clusterNumber, group } = machine.options();
	return { disk, random: machine.random.fork('snapshots'), directory, clusterNumber, group };
}

export function openStore(machine: Machine): Promise<SnapshotStore> {
	return machine.until(SnapshotStore.open(snapshotOptions(machine)));
}

export async function write(
	store: SnapshotStore,
	head: SnapshotHead,
	chunks: readonly Uint8Array[],
): Promise<void> {
	const writer = await store.begin(head);
	for (const chunk of chunks) await writer.chunk(chunk);
	await writer.finish();
}

export async function readChunks(store: SnapshotStore): Promise<Uint8Array[]> {
	const chunks: Uint8Array[] = [];
	for await (const chunk of store.chunks()) chunks.push(chunk);
	return chunks;
}

/** The whole file of the latest snapshot, in ranges as a leader reads them. */
export async function readFile(store: SnapshotStore, range = 1000): Promise<Uint8Array> {
	const held = (await store.holdFull())!;
	const bytes = new Uint8Array(held.snapshot.bytes);
	for (let offset = 0; offset < bytes.length; offset += range) {
		await held.read(offset, bytes.subarray(offset, offset + range));
	}
	await held.release();
	return bytes;
}
