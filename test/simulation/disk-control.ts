import type { WriteInFlight } from './disk.js';
import { FileSystem } from './file-system.js';
import type { SimulatedProcess } from './process.js';
import type { SimulatedRandom } from './random.js';
import type { Scheduler } from './scheduler.js';

interface Fault {
	readonly operation: string;
	readonly errno: string;
	readonly matches: (path: string) => boolean;
	remaining: number;
}

/** A write at its end, well or not. */
export interface FinishedWrite {
	readonly path: string;
	readonly position: number;
	readonly bytes: Uint8Array;
}

/** A machine's disk from the outside: its contents, its speed and what goes wrong with it. It outlives
 * the processes that use it. */
export class DiskControl {
	readonly fileSystem = new FileSystem();
	readonly random: SimulatedRandom;
	/** Locked directories. The entry of a process that ended counts for nothing. */
	readonly locks = new Map<string, SimulatedProcess>();
	readonly inFlight = new Set<WriteInFlight>();
	/** What an operation takes, drawn anew for each. */
	latencyMs: readonly [number, number] = [0.05, 0.4];
	/** Now and then one takes up to this. */
	spikeMs = 5;
	spikeChance = 0.005;
	bytesPerMs = 500_000;
	/** For who keeps account of what the disk holds: writes that are about to be done, those that will be reported done
	 * next, and those of which anything may have reached it. */
	onWriting: ((write: FinishedWrite) => void) | null = null;
	onWritten: ((write: FinishedWrite, isDurable: boolean) => void) | null = null;
	onTorn: ((write: FinishedWrite) => void) | null = null;
	/** How often operations failed as ordered, by `operation errno`. */
	readonly seen = new Map<string, number>();
	readonly #scheduler: Scheduler;
	readonly #faults: Fault[] = [];
	#stalled: (() => void)[] | null = null;

	constructor(scheduler: Scheduler, random: SimulatedRandom) {
		this.#scheduler = scheduler;
		this.random = random;
	}

	/** Makes the next `count` operations of this kind (as `DiskError.operation` names it) fail, on paths
	 * that contain `path`. */
	failNext(operation: string, errno: string, { path = '', count = 1 } = {}): void {
		const matches = (candidate: string): boolean => candidate.includes(path);
		this.#faults.push({ operation, errno, matches, remaining: count });
	}

	/** What was to go wrong goes well. */
	forgetFaults(): void {
		this.#faults.length = 0;
	}

	/** Nothing ends any more, until `unstall`. */
	stall(): void {
		this.#stalled ??= [];
	}

	unstall(): void {
		const stalled = this.#stalled ?? [];
		this.#stalled = null;
		for (const callback of stalled) this.#scheduler.schedule(0, callback);
	}

	/** Bit rot: in the file as it is on disk and in the page cache. */
	flipBit(path: string, byte: number, bit: number): void {
		const inode = this.#inode(path);
		inode.current.view[byte]! ^= 1 << bit;
		if (byte < inode.durable.length) inode.durable.view[byte]! ^= 1 << bit;
	}

	/** The bytes a read would see now: the memory itself, so a test can also change them. */
	bytes(path: string): Uint8Array {
		return this.#inode(path).current.view;
	}

	/** The bytes that certainly survive a power failure. */
	durableBytes(path: string): Uint8Array {
		return this.#inode(path).durable.view;
	}

	/** The power fails. */
	crash(): void {
		this.abandon();
		this.fileSystem.crash(this.random);
		this.#stalled = null;
	}

	/** The processes that used it were killed: what was written stays, what was being written is there
	 * in part. */
	abandon(): void {
		for (const write of this.inFlight) {
			const bytes = write.take();
			write.inode.writePartly(write.position, bytes, this.random);
			this.onTorn?.({ path: write.path, position: write.position, bytes });
		}
		this.inFlight.clear();
	}

	schedule(
		process: SimulatedProcess,
		operation: string,
		bytes: number,
		callback: () => void,
	): void {
		const end = (): void => {
			if (this.#stalled === null) process.enter(callback);
			else this.#stalled.push(end);
		};
		this.#scheduler.schedule(this.#durationMs(operation, bytes), end);
	}

	/** The errno this operation is to fail with. */
	fault(operation: string, path: string): string | null {
		if (this.#faults.length === 0) return null;
		const index = this.#faults.findIndex(
			(fault) => fault.operation === operation && fault.matches(path),
		);
		if (index < 0) return null;
		const fault = this.#faults[index]!;
		fault.remaining--;
		if (fault.remaining === 0) this.#faults.splice(index, 1);
		const kind = `${operation} ${fault.errno}`;
		this.seen.set(kind, (this.seen.get(kind) ?? 0) + 1);
		return fault.errno;
	}

	trace(operation: string, path: string, value: number, checksum: number | null): void {
		const { trace } = this.#scheduler;
		trace.text(operation);
		trace.text(path);
		trace.number(value);
		if (checksum !== null) trace.word(checksum);
	}

	#durationMs(operation: string, bytes: number): number {
		const [low, high] = this.latencyMs;
		const transferMs = operation === 'write' || operation === 'read' ? bytes / this.bytesPerMs : 0;
		const spikeMs = this.random.chance(this.spikeChance) ? this.random.next() * this.spikeMs : 0;
		return this.random.between(low, high) + transferMs + spikeMs;
	}

	#inode(path: string) {
		const inode = this.fileSystem.inode(path);
		if (inode === undefined) throw new Error(`${path}: no such file`);
		return inode;
	}
}
