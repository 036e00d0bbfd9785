/** Logs that were written by the shipping log on a simulated disk: one that grew over some segments, one that was cut,
 * one whose segments were recycled, one of a single flush. */
import { BatchKind, batchHeaderChecksum, stampBatch } from '../../src/format/batch.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { type Slab, SlabPool } from '../../src/format/slab.js';
import type { Disk } from '../../src/io.js';
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.js';
import { Log } from '../../src/log/log.js';
import { LOG_START, type LogPosition } from '../../src/log/types.js';
import { SimulatedClock } from '../simulation/clock.js';
import { SimulatedDisk } from '../simulation/disk.js';
import { DiskControl } from '../simulation/disk-control.js';
import { Inode } from '../simulation/file-system.js';
import { SimulatedProcess } from '../simulation/process.js';
import { SimulatedRandom } from '../simulation/random.js';
import { Scheduler } from '../simulation/scheduler.js';
import { Dice } from './dice.js';
import { demand, Finding } from './finding.js';

const DIRECTORY = '/data/log';
const SEGMENT_BYTES = 4096;
/** What opening a log of so few segments may take. */
const OPERATIONS_MAX = 2_000;

const LIMITS: Limits = {
	...DEFAULT_LIMITS,
	slabBytes: 4096,
	slabsMax: 64,
	segmentBytes: SEGMENT_BYTES,
	flushBytesMax: 2048,
	freeBytesMin: 0,
};

export type Files = ReadonlyMap<string, Uint8Array>;

export interface Recording {
	readonly files: Files;
	/** Every frame that was ever written, by its index: dead branches too. */
	readonly written: ReadonlyMap<number, readonly Uint8Array[]>;
	/** The log's last index behind each flush, of those at the end. */
	readonly flushEnds: readonly number[];
	readonly limits: Limits;
}

/** A simulated disk that counts: nothing may go on for ever. */
export class DiskOfFiles {
	readonly scheduler = new Scheduler();
	readonly process = new SimulatedProcess(this.scheduler, 1);
	readonly control: DiskControl;
	readonly disk: Disk;
	operations = 0;

	constructor(files: Files) {
		const random = new SimulatedRandom('disk');
		this.control = new DiskControl(this.scheduler, random);
		this.control.latencyMs = [0.1, 0.1];
		this.control.fileSystem.makeDirectory(DIRECTORY);
		const directory = this.control.fileSystem.directory(DIRECTORY)!;
		for (const [name, bytes] of files) {
			const inode = new Inode();
			inode.writeThrough(0, bytes);
			directory.change([[name, inode]]);
		}
		directory.sync(directory.changes);
		this.disk = this.#counted(new SimulatedDisk(this.process, this.control));
	}

	#counted(disk: SimulatedDisk): Disk {
		const count = (): void => {
			this.operations += 1;
			if (this.operations > OPERATIONS_MAX) throw new Finding('it goes on and on');
		};
		const counted: ProxyHandler<object> = {
			get: (target, name: string | symbol): unknown => {
				const value: unknown = Reflect.get(target, name, target);
				if (typeof value !== 'function') return value;
				return (...args: unknown[]): unknown => {
					count();
					const result: unknown = Reflect.apply(value, target, args);
					return name === 'open'
						? (result as Promise<object>).then((file) => watched(file))
						: result;
				};
			},
		};
		const watched = <T extends object>(target: T): T => new Proxy<T>(target, counted);
		return watched(disk);
	}

	/** Lets virtual time pass until the promise has settled. */
	async until<T>(promise: Promise<T>): Promise<T> {
		let isSettled = false;
		const settle = (): void => {
			isSettled = true;
		};
		promise.then(settle, settle);
		const hasEnded = await this.scheduler.run(this.scheduler.now + 10_000, () => isSettled);
		demand(hasEnded, 'it never ends');
		return promise;
	}

	async pass(milliseconds: number): Promise<void> {
		await this.scheduler.run(this.scheduler.now + milliseconds);
	}

	files(): Files {
		const { fileSystem } = this.control;
		const names = fileSystem.list(DIRECTORY);
		return new Map(names.map((name) => [name, this.control.bytes(`${DIRECTORY}/${name}`).slice()]));
	}
}

/** `setsDamageAside`: what is damaged is not refused, but kept apart. */
export function openLog(
	disk: DiskOfFiles,
	{ limits }: Pick<Recording, 'limits'>,
	setsDamageAside = false,
): Promise<Log> {
	const options = {
		disk: disk.disk,
		clock: new SimulatedClock(disk.process, { wallOffsetMs: 0, rate: 1, aheadMs: 0 }, 0),
		directory: '/data',
		clusterNumber: 77,
		replica: 2,
		group: 1,
		newSalt: 4711,
		durability: 'sync' as const,
		mustExist: false,
		setsDamageAside,
		limits,
	};
	const onFailure = (error: Error): void => disk.scheduler.fail(error);
	return disk.until(Log.open(options, { onPersisted: () => {}, onFailure }));
}

const writer = new BatchWriter(64);

function write(log: Log, slab: Slab, at: number, term: number, bytes: number, entries: number) {
	writer.begin(slab, at, slab.size - at);
	for (let i = 0; i < entries; i++) {
		writer.add(Buffer.alloc(bytes, `${log.end.index + 1 + i}:${term}.`));
	}
	const length = writer.finish({ group: 1, session: 0, sequence: 0, kind: BatchKind.entries });
	const { index, checksum } = log.end;
	stampBatch(slab, at, term, index + 1, checksum, 1000 + index);
	log.append(slab, at, length, 0);
	return length;
}

/** Appends so many batches of one entry, and waits until they are durable. */
export async function append(
	disk: DiskOfFiles,
	log: Log,
	term: number,
	count: number,
): Promise<void> {
	const slab = new SlabPool(LIMITS.slabBytes, 1).acquire()!;
	log.setHardState(term, 0);
	let at = 0;
	for (let i = 0; i < count; i++) at += write(log, slab, at, term, 20, 1);
	await disk.pass(5);
	// A segment may have to be made first.
	if (log.pendingBatches > 0) await disk.pass(2_000);
	demand(log.pendingBatches === 0, 'what is appended becomes durable');
}

class Recorder {
	readonly disk = new DiskOfFiles(new Map());
	readonly written = new Map<number, Uint8Array[]>();
	readonly flushEnds: number[] = [0];
	readonly borders: LogPosition[] = [LOG_START];
	readonly #dice: Dice;
	log!: Log;
	term = 1;

	constructor(seed: number) {
		this.#dice = new Dice(seed);
	}

	async open(): Promise<void> {
		this.log = await openLog(this.disk, { limits: LIMITS });
		this.log.setHardState(1, 0);
		await this.disk.pass(5);
	}

	async flush(): Promise<void> {
		// One slab for each flush: it is given back when that is durable.
		const slab = new SlabPool(LIMITS.slabBytes, 1).acquire()!;
		let at = 0;
		for (let batches = 1 + this.#dice.below(3); batches > 0; batches--) {
			const first = this.log.end.index + 1;
			const length = write(
				this.log,
				slab,
				at,
				this.term,
				this.#dice.below(120),
				1 + this.#dice.below(3),
			);
			const frame = slab.slice(at, length).slice();
			demand(batchHeaderChecksum(slab, at) === this.log.end.checksum, 'the end is known');
			this.written.set(first, [...(this.written.get(first) ?? []), frame]);
			this.borders.push(this.log.end);
			at += length;
		}
		await this.disk.pass(5);
		this.flushEnds.push(this.log.end.index);
	}

	/** A new leader cuts the last batches off. */
	cut(count: number): void {
		this.term += 1;
		this.borders.length -= count;
		this.log.setHardState(this.term, 3);
		this.log.truncate(this.borders.at(-1)!);
		// Until the next flush is whole, the log may end there or where it did.
		this.flushEnds.push(this.log.end.index);
	}

	async finish(): Promise<Recording> {
		await this.disk.pass(20);
		await this.disk.until(this.log.close());
		return {
			files: this.disk.files(),
			written: this.written,
			flushEnds: this.flushEnds,
			limits: LIMITS,
		};
	}
}

async function record(
	seed: number,
	work: (recorder: Recorder) => Promise<void>,
): Promise<Recording> {
	const recorder = new Recorder(seed);
	recorder.disk.operations = Number.NEGATIVE_INFINITY;
	await recorder.open();
	await work(recorder);
	return recorder.finish();
}

let made: Promise<Recording[]> | null = null;

/** Made once, on first use. */
export function recordings(): Promise<Recording[]> {
	made ??= Promise.all([
		record(1, async (recorder) => {
			for (let i = 0; i < 18; i++) await recorder.flush();
		}),
		record(2, async (recorder) => {
			for (let i = 0; i < 12; i++) {
				if (i % 4 === 3) recorder.cut(2);
				await recorder.flush();
			}
		}),
		record(3, async (recorder) => {
			const { log } = recorder;
			for (let i = 0; i < 50; i++) {
				await recorder.flush();
				log.setCommitted(recorder.flushEnds.at(-2)!);
				log.compact(recorder.flushEnds.at(-2)!, 2 * SEGMENT_BYTES);
			}
		}),
		record(4, (recorder) => recorder.flush()),
	]);
	return made;
}
