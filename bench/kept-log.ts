import { NativeDisk } from '../native-free-io/index.js';
import { batchIndex } from '../src/format/batch.js';
import { Memory } from '../src/format/memory.js';
import type { FlushMarkNumbers } from '../src/format/segment-frames.js';
import { DEFAULT_LIMITS } from '../src/limits.js';
import { LogScan, type LogVisitor, type ScanStop } from '../src/log/scan.js';
import { segmentName, segmentNumber } from '../src/log/segment-store.js';
import { SegmentWindow } from '../src/log/segment-window.js';

const FRAME_BYTES_MAX = DEFAULT_LIMITS.slabBytes / 2;

/** Where the batches of a log lie that were not truncated later, in order of index. */
class Places implements LogVisitor {
	readonly #firsts: number[] = [];
	readonly #segments: number[] = [];
	readonly #positions: number[] = [];
	readonly #lengths: number[] = [];

	get count(): number {
		return this.#firsts.length;
	}

	flush(mark: FlushMarkNumbers): void {
		while (this.count > 0 && this.#firsts[this.count - 1]! > mark.index) {
			this.#firsts.pop();
			this.#segments.pop();
			this.#positions.pop();
			this.#lengths.pop();
		}
	}

	batch(memory: Memory, offset: number, length: number, segment: number, position: number): void {
		this.#firsts.push(batchIndex(memory, offset));
		this.#segments.push(segment);
		this.#positions.push(position);
		this.#lengths.push(length);
	}

	firstOf(i: number): number {
		return this.#firsts[i]!;
	}

	segmentOf(i: number): number {
		return this.#segments[i]!;
	}

	positionOf(i: number): number {
		return this.#positions[i]!;
	}

	lengthOf(i: number): number {
		return this.#lengths[i]!;
	}
}

/**
 * The log that a closed replica left in its directory, for reading. Each frame, its checksums and its place in the
 * chain are checked when it is opened.
 */
export class KeptLog {
	readonly name: string;
	readonly memory = new Memory(4 * FRAME_BYTES_MAX);
	readonly #directory: string;
	readonly #disk = new NativeDisk();
	readonly #places = new Places();
	#stop: ScanStop | null = null;
	#window: { segment: number; window: SegmentWindow; close: () => Promise<void> } | null = null;
	#next = 0;

	private constructor(name: string, dir: string) {
		this.name = name;
		this.#directory = `${dir}/log`;
	}

	static async open(name: string, dir: string): Promise<KeptLog> {
		const log = new KeptLog(name, dir);
		await log.#scan();
		return log;
	}

	/** Index of the last entry that is no longer kept. */
	get base(): number {
		return this.#stop!.base.index;
	}

	/** Index of the last entry. */
	get end(): number {
		return this.#stop!.end.index;
	}

	/** What the scan found wrong, in words; null if nothing. */
	get damage(): string | null {
		const { damage, segment } = this.#stop!;
		if (damage === null) return null;
		return `${this.name}: ${segmentName(segment)} is damaged at byte ${damage.position}: ${damage.what}`;
	}

	/** Index of the first entry of the batch that `read` brings; above the log's end behind the last one. */
	get nextFirst(): number {
		return this.#next < this.#places.count ? this.#places.firstOf(this.#next) : this.end + 1;
	}

	/** Brings the next batch into `memory`, where it lies until the next call. */
	async read(): Promise<{ offset: number; length: number }> {
		const i = this.#next;
		this.#next += 1;
		const window = await this.#windowOf(this.#places.segmentOf(i));
		const position = this.#places.positionOf(i);
		const length = this.#places.lengthOf(i);
		// Nobody has written to the file since the scan read it; else what follows finds other bytes.
		await window.load(position, length);
		return { offset: window.offsetOf(position), length };
	}

	async close(): Promise<void> {
		await this.#window?.close();
		this.#window = null;
	}

	async #scan(): Promise<void> {
		const scan = new LogScan(this.#places, FRAME_BYTES_MAX);
		const names = await this.#disk.list(this.#directory);
		const numbers = names.map(segmentNumber).filter((number) => number !== null);
		numbers.sort((a, b) => a - b);
		for (const number of numbers) {
			if (!(await scan.scanSegment(number, await this.#windowOf(number)))) break;
		}
		this.#stop = scan.stop;
	}

	async #windowOf(segment: number): Promise<SegmentWindow> {
		if (this.#window?.segment === segment) return this.#window.window;
		await this.close();
		const path = `${this.#directory}/${segmentName(segment)}`;
		const file = await this.#disk.open(path, 'read', false);
		const window = new SegmentWindow(file, this.memory);
		this.#window = { segment, window, close: () => file.close() };
		return window;
	}
}
