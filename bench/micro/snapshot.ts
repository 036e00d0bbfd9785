/**
 * How fast a snapshot is written, verified and read back, and what memory that takes.
 *
 *     npm run build && node --expose-gc dist/bench/micro/snapshot.js [mebibytes] [chunk bytes] [directory]
 *
 * Memory is that of the whole process beyond what it had before, at its highest: collected first, looked at every 20 ms.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeDisk } from '../../native-free-io/disk.js';
import { SnapshotStore } from '../../src/log/snapshot-store.js';

const MIB = 1024 * 1024;
const [mebibytes = '1024', chunkBytes = '65536', parent = tmpdir()] = process.argv.slice(2);
const totalBytes = Number(mebibytes) * MIB;
const chunk = new Uint8Array(Number(chunkBytes));
for (let i = 0; i < chunk.length; i++) chunk[i] = i * 31;

const head = {
	index: 1_000_000,
	term: 3,
	checksum: 1,
	time: 0,
	isFull: true,
	members: new Uint8Array(100),
	sessions: new Uint8Array(10_000 * 24),
};

async function measured(what: string, work: () => Promise<unknown>): Promise<void> {
	(globalThis as { gc?: () => void }).gc?.();
	const before = process.memoryUsage().rss;
	let highest = before;
	const timer = setInterval(() => {
		highest = Math.max(highest, process.memoryUsage().rss);
	}, 20);
	const start = performance.now();
	await work();
	const seconds = (performance.now() - start) / 1000;
	clearInterval(timer);
	const megabytes = totalBytes / 1e6;
	console.info(
		`${what.padEnd(26)} ${(megabytes / seconds).toFixed(0).padStart(6)} MB/s  ${seconds.toFixed(2).padStart(6)} s` +
			`  ${((highest - before) / MIB).toFixed(1).padStart(6)} MiB more memory`,
	);
}

const directory = mkdtempSync(join(parent, 'millrace-snapshot-'));
try {
	const disk = new NativeDisk();
	const random = { identifier: () => 1 + Math.floor(Math.random() * 2 ** 51) };
	const options = { disk, random, directory, clusterNumber: 1, group: 1 };
	const store = await SnapshotStore.open(options);
	const writer = await store.begin(head);
	await measured('written, durable', async () => {
		for (let bytes = 0; bytes < totalBytes; bytes += chunk.length) await writer.chunk(chunk);
		await writer.finish();
	});
	await measured('verified, at a start', () => SnapshotStore.open(options));
	await measured('read back, chunk by chunk', async () => {
		for await (const { length } of store.chunks()) if (length !== chunk.length) throw new Error();
	});
	const range = new Uint8Array(256 * 1024);
	await measured('read raw, for sending', async () => {
		const held = (await store.holdFull())!;
		for (let at = 0; at < held.snapshot.bytes; at += range.length) await held.read(at, range);
		await held.release();
	});
	await measured('received, and verified', async () => {
		const held = (await store.holdFull())!;
		const other = { ...options, directory: `${directory}/other` };
		const target = await SnapshotStore.open(other);
		const received = await target.receive(held.snapshot, held.snapshot.bytes);
		while (!received.isComplete) {
			const there = await held.read(received.offset, range);
			await received.write(received.offset, range.subarray(0, there));
		}
		await received.finish();
		await held.release();
	});
} finally {
	rmSync(directory, { recursive: true });
}
