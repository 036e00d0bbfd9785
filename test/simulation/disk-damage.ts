import { Corruption } from '../../src/errors.js';
import { segmentName, segmentNumber } from '../../src/log/segment-store.js';
import type { DiskControl, FinishedWrite } from './disk-control.js';
import { type Inode, sectorBytes } from './file-system.js';
import type { SimulatedRandom } from './random.js';

/** Bytes of a segment that are not what was written there. */
interface Patch {
	readonly number: number;
	readonly inode: Inode;
	readonly position: number;
	readonly original: Uint8Array;
	readonly damaged: Uint8Array;
}

interface Extent {
	readonly number: number;
	readonly position: number;
	readonly length: number;
}

/** A write that the disk will turn out not to have done, or to have done elsewhere. */
interface Astray {
	readonly write: FinishedWrite;
	readonly before: Uint8Array;
	/** It was reported done. */
	isDone: boolean;
}

/**
 * What rots, gets lost or goes astray on one disk after it was reported durable.
 *
 * The last flush is spared, until another one is behind it: nothing on the disk tells its damage from a write that a
 * crash interrupted. So a write that was lost shows when the next one is done: until then the page cache had it.
 */
export class DiskDamage {
	readonly #disk: DiskControl;
	readonly #directory: string;
	readonly #random: SimulatedRandom;
	readonly #patches: Patch[] = [];
	/** Of each segment, the flushes that were reported durable. */
	readonly #flushes = new Map<number, Extent[]>();
	/** The last flush, and behind it those of which only a part may be there. */
	#tail: Extent[] = [];
	#order: 'lost' | 'misdirected' | null = null;
	#astray: Astray | null = null;

	/** `directory`: of the segments. */
	constructor(disk: DiskControl, directory: string, random: SimulatedRandom) {
		this.#disk = disk;
		this.#directory = directory;
		this.#random = random;
	}

	/** Something is damaged, or is going to be. */
	get isHurt(): boolean {
		return this.#patches.length > 0 || this.#order !== null || this.#astray !== null;
	}

	// ---- What the disk does

	/** A flush is about to be written. */
	writing(write: FinishedWrite): void {
		if (this.#order === null || this.#astray !== null) return;
		const inode = this.#disk.fileSystem.inode(write.path)!;
		const { position, bytes } = write;
		const before = new Uint8Array(bytes.length);
		before.set(inode.durable.view.subarray(position, position + bytes.length));
		this.#astray = { write, before, isDone: false };
	}

	/** A flush is durable. @returns what has come of it that went astray before */
	written(write: FinishedWrite): 'lost' | 'misdirected' | null {
		const extent = extentOf(write);
		this.#writtenOver(extent, write.bytes);
		const flushes = this.#flushes.get(extent.number);
		if (flushes === undefined) this.#flushes.set(extent.number, [extent]);
		else flushes.push(extent);
		this.#tail = [extent];
		if (this.#astray === null) return null;
		if (this.#astray.isDone) return this.#goAstray(this.#astray);
		this.#astray.isDone = true;
		return null;
	}

	/** Of what was damaged before, this is there now, and meant to be. */
	#writtenOver({ number, position, length }: Extent, bytes: Uint8Array): void {
		for (const patch of this.#patches) {
			const from = Math.max(patch.position, position);
			const to = Math.min(patch.position + patch.original.length, position + length);
			if (patch.number !== number || !this.#isThere(patch) || from >= to) continue;
			patch.original.set(bytes.subarray(from - position, to - position), from - patch.position);
		}
	}

	/** A flush may be there in part, and count as durable once it was recovered. */
	torn(write: FinishedWrite): void {
		this.#tail.push(extentOf(write));
		this.ended();
	}

	/** The process has ended: what was to be seen to be lost isn't, because nothing came behind it. */
	ended(): void {
		this.#order = null;
		this.#astray = null;
	}

	// ---- What goes wrong

	/** One of the next writes goes astray. */
	loseNext(order: 'lost' | 'misdirected'): void {
		this.#order ??= order;
	}

	#goAstray({ write, before }: Astray): 'lost' | 'misdirected' {
		const order = this.#order!;
		this.ended();
		const { number, position, length } = extentOf(write);
		// A disk that loses a write may have done a part of it.
		const isPart = order === 'lost' && this.#random.chance(0.5);
		const from = isPart ? this.#sector(position + this.#random.below(length)) : position;
		const begin = Math.max(from, position);
		const end = isPart
			? Math.min(this.#sector(begin) + sectorBytes, position + length)
			: position + length;
		this.#patch(number, begin, before.subarray(begin - position, end - position));
		if (order === 'misdirected') this.#misdirect(write);
		return order;
	}

	/** It hits what lies somewhere else. */
	#misdirect({ position, bytes }: FinishedWrite): void {
		const number = this.#pickSegment();
		if (number === null) return;
		const end = this.#endOf(number);
		const shift = position % sectorBytes;
		const at = this.#sector(this.#random.below(end)) + shift;
		if (at < end) this.#patch(number, at, bytes.subarray(0, end - at));
	}

	/** Bytes change where they lie. @returns false if there are none that may */
	rot(): boolean {
		const number = this.#pickSegment();
		if (number === null) return false;
		const end = this.#endOf(number);
		const flushes = this.#flushes.get(number);
		let position = this.#random.below(end);
		if (flushes !== undefined && this.#random.chance(0.7)) {
			const flush = flushes[this.#random.below(flushes.length)]!;
			position = flush.position + this.#random.below(flush.length);
		}
		if (position >= end) return false;
		const kind = this.#random.next();
		if (kind < 0.6) this.#flip(number, position, position + 1, kind < 0.5 ? 1 : 3);
		else {
			const sector = this.#sector(position);
			const sectors = kind < 0.9 ? 1 : 1 + this.#random.below(16);
			const length = Math.min(sectors * sectorBytes, end - sector);
			if (kind < 0.75) this.#patch(number, sector, new Uint8Array(length));
			else this.#flip(number, sector, sector + length, length);
		}
		return this.#patches.length > 0;
	}

	/** Flips bits of bytes in [from, to). */
	#flip(number: number, from: number, to: number, count: number): void {
		const bytes = this.#inode(number)!.durable.view.slice(from, to);
		for (let i = 0; i < count; i++)
			bytes[this.#random.below(bytes.length)]! ^= 1 << this.#random.below(8);
		this.#patch(number, from, bytes);
	}

	/** A segment of which some bytes may change; null if there is none. */
	#pickSegment(): number | null {
		const last = this.#tail[0];
		if (last === undefined) return null;
		const numbers = this.#numbers().filter((number) => this.#endOf(number) > 0);
		return numbers.length === 0 ? null : numbers[this.#random.below(numbers.length)]!;
	}

	/** Up to where a segment's bytes may change. */
	#endOf(number: number): number {
		const last = this.#tail[0]!;
		if (number === last.number) return last.position;
		return number < last.number ? (this.#inode(number)?.durable.length ?? 0) : 0;
	}

	#sector(position: number): number {
		return position - (position % sectorBytes);
	}

	#patch(number: number, position: number, damaged: Uint8Array): void {
		const inode = this.#inode(number);
		if (inode === undefined) return;
		const original = inode.durable.view.slice(position, position + damaged.length);
		if (Buffer.compare(original, damaged) === 0) return;
		this.#patches.push({ number, inode, position, original, damaged: damaged.slice() });
		inode.damage(position, damaged);
	}

	// ---- What becomes of it

	/** Nothing that was known of this disk counts any more. */
	forget(): void {
		this.ended();
		this.#patches.length = 0;
		this.#flushes.clear();
		this.#tail = [];
	}

	/** Something was damaged, whether it lies there still or not. */
	get isDamaged(): boolean {
		return this.#patches.length > 0;
	}

	/** Whether a flush that counts lies damaged in a segment that still has its name. */
	get isLive(): boolean {
		const numbers = new Set(
			this.#patches.filter((each) => this.#isThere(each)).map((each) => each.number),
		);
		return [...numbers].some((number) => this.#isSegmentLive(number));
	}

	#isSegmentLive(number: number): boolean {
		const { view } = this.#inode(number)!.durable;
		// What was damaged twice may be whole again.
		const truth = view.slice();
		for (const patch of this.#patches.slice().reverse())
			if (patch.number === number) truth.set(patch.original, patch.position);
		return (this.#flushes.get(number) ?? []).some(({ position, length }) => {
			const was = truth.subarray(position, position + length);
			return Buffer.compare(was, view.subarray(position, position + length)) !== 0;
		});
	}

	/** Whether this error names a place at which something is damaged, or a flush at its front that is. */
	explains(error: Error): boolean {
		if (!(error instanceof Corruption)) return false;
		return this.#patches.some((patch) => {
			const isFile = error.path.endsWith(segmentPath('', patch.number));
			return isFile && error.offset < patch.position + patch.original.length;
		});
	}

	/** Everything is as it was written, where it still has the name it had. */
	undo(): void {
		for (const patch of this.#patches.splice(0).reverse())
			if (this.#isThere(patch)) patch.inode.damage(patch.position, patch.original);
	}

	#isThere({ number, inode }: Patch): boolean {
		return this.#inode(number) === inode;
	}

	#inode(number: number): Inode | undefined {
		return this.#disk.fileSystem.inode(segmentPath(this.#directory, number));
	}

	#numbers(): number[] {
		const names = this.#disk.fileSystem.directory(this.#directory)?.names ?? [];
		const numbers = names.map(segmentNumber).filter((number) => number !== null);
		return numbers.sort((a, b) => a - b);
	}
}

function segmentPath(directory: string, number: number): string {
	return `${directory}/${segmentName(number)}`;
}

function extentOf({ path, position, bytes }: FinishedWrite): Extent {
	const number = segmentNumber(path.slice(path.lastIndexOf('/') + 1))!;
	return { number, position, length: bytes.length };
}
