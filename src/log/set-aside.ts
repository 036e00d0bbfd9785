import { Memory } from '../format/memory.js';
import {
	readSegmentHeader,
	SEGMENT_HEADER_BYTES,
	writeSegmentHeader,
} from '../format/segment-frames.js';
import type { DiskFile } from '../io.js';
import type { ScanStop } from './scan.js';
import { type SegmentStore, writeSlices } from './segment-store.js';
import type { LogOptions } from './types.js';

const SUFFIX = '.damaged';
const COPY_BYTES = 1024 * 1024;

/** Is it the name of a file that was set aside? */
export function isSetAside(name: string): boolean {
	return name.endsWith(SUFFIX);
}

/**
 * Takes everything from the damage on out of the log, and keeps it in files of other names until the replica has
 * got it back from its peers. Leaves a log that ends where the damage begins.
 *
 * Whatever moment a crash comes at, what is left is the damaged log, or one that ends before the damage: the last
 * segments go first. And nothing that lay behind the damage stays in a segment of the log, where flushes that are
 * yet to come could be continued by it: their sequence numbers are used again.
 */
export async function setAside(
	options: LogOptions,
	store: SegmentStore,
	numbers: readonly number[],
	stop: ScanStop,
): Promise<void> {
	const { disk } = options;
	const isWithin = stop.mark !== null && numbers.includes(stop.segment);
	for (const number of numbers.toReversed()) {
		if (isWithin && number <= stop.segment) break;
		await disk.rename(store.path(number), store.path(number) + SUFFIX);
	}
	if (isWithin) await keepBeginning(options, store, stop);
	await disk.syncDirectory(store.directory);
}

/** Leaves of the segment in which the log ends what is before the damage, and zeros. */
async function keepBeginning(
	options: LogOptions,
	store: SegmentStore,
	stop: ScanStop,
): Promise<void> {
	const path = store.path(stop.segment);
	// A mark that can't be is damage itself; batches that can't be have a mark before them that is cut short.
	const end = Math.min(stop.position, stop.damage?.position ?? stop.position);
	await copy(options, path, path + SUFFIX, Number.POSITIVE_INFINITY);
	const length = await copy(options, path, store.unfinishedPath, end);
	if (length < stop.fileBytes) await shorten(options, store.unfinishedPath, length);
	await options.disk.syncDirectory(store.directory);
	await options.disk.rename(store.unfinishedPath, path);
}

/** Of a file that was cut, the beginning is the whole segment from now on. */
async function shorten(options: LogOptions, path: string, bytes: number): Promise<void> {
	const file = await options.disk.open(path, 'write', true);
	try {
		const memory = new Memory(SEGMENT_HEADER_BYTES);
		await file.read(memory.bytes, 0);
		writeSegmentHeader(memory, 0, { ...readSegmentHeader(memory, 0), bytes });
		await writeSlices(file, [memory.bytes], 0);
	} finally {
		await file.close();
	}
}

/** Makes a file that is as long, with the bytes before `end` and zeros behind them. @returns its length */
async function copy(options: LogOptions, from: string, to: string, end: number): Promise<number> {
	const { disk } = options;
	const name = to.slice(to.lastIndexOf('/') + 1);
	if ((await disk.list(to.slice(0, -name.length - 1))).includes(name)) await disk.remove(to);
	const source = await disk.open(from, 'read', false);
	const target = await disk.open(to, 'create', false);
	try {
		const length = Math.max(options.limits.segmentBytes, await source.size());
		await copyBytes(source, target, length, end);
		await target.sync();
		return length;
	} finally {
		await source.close();
		await target.close();
	}
}

async function copyBytes(
	source: DiskFile,
	target: DiskFile,
	length: number,
	end: number,
): Promise<void> {
	const buffer = new Uint8Array(COPY_BYTES);
	for (let position = 0; position < length; position += buffer.length) {
		buffer.fill(0);
		const wanted = Math.max(0, Math.min(buffer.length, end - position));
		if (wanted > 0) await source.read(buffer.subarray(0, wanted), position);
		const slice = buffer.subarray(0, Math.min(buffer.length, length - position));
		await writeSlices(target, [slice], position);
	}
}
