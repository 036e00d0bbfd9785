/** A log on a simulated disk, with a model of what it must hold. */
import { expect } from 'vitest';
import { BatchKind, batchHeaderChecksum, batchLength, stampBatch } from '../../src/format/batch.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { Memory } from '../../src/format/memory.js';
import { type Slab, SlabPool } from '../../src/format/slab.js';
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.js';
import { Log } from '../../src/log/log.js';
import { LOG_START, type LogOptions, type LogPosition } from '../../src/log/types.js';
import { SimulatedClock } from '../simulation/clock.js';
import { SimulatedDisk } from '../simulation/disk.js';
import { DiskControl } from '../simulation/disk-control.js';
import { Inode } from '../simulation/file-system.js';
import { SimulatedProcess } from '../simulation/process.js';
import { SimulatedRandom } from '../simulation/random.js';
import { Scheduler } from '../simulation/scheduler.js';

export const DIRECTORY = '/data';
export const LOG_DIRECTORY = `${DIRECTORY}/log`;

export const SMALL_LIMITS: Limits = {
	...DEFAULT_LIMITS,
	slabBytes: 16 * 1024,
	slabsMax: 4096,
	segmentBytes: 16 * 1024,
	flushBytesMax: 12 * 1024,
	freeBytesMin: 64 * 1024,
};

/** Bytes of the files of a log directory, by name. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** One disk, and the processes that live on it one after the other. */
export class Machine {
	readonly scheduler = new Scheduler();
	readonly random: SimulatedRandom;
	readonly disk: DiskControl;
	#process: SimulatedProcess;
	#processes = 1;

	constructor(seed: string, files: Files = new Map()) {
		this.random = new SimulatedRandom(seed);
		this.disk = new DiskControl(this.scheduler, this.random.fork('disk'));
		this.#process = new SimulatedProcess(this.scheduler, 1);
		this.disk.fileSystem.makeDirectory(LOG_DIRECTORY);
		for (const [name, bytes] of files) this.install(name, bytes);
	}

	/** Puts a file in a directory, durably. */
	install(name: string, bytes: Uint8Array, into = LOG_DIRECTORY): void {
		const inode = new Inode();
		inode.writeThrough(0, bytes.slice());
		const directory = this.disk.fileSystem.directory(into)!;
		directory.change([[name, inode]]);
		directory.sync(directory.changes);
	}

	files(): Files {
		const names = this.disk.fileSystem.list(LOG_DIRECTORY);
		return new Map(
			names.map((name) => [name, this.disk.bytes(`${LOG_DIRECTORY}/${name}`).slice()]),
		);
	}

	options(overrides: Partial<LogOptions> = {}): LogOptions {
		return {
			disk: new SimulatedDisk(this.#process, this.disk),
			clock: new SimulatedClock(this.#process, { wallOffsetMs: 0, rate: 1, aheadMs: 0 }, 0),
			directory: DIRECTORY,
			clusterNumber: 77,
			replica: 2,
			group: 1,
			newSalt: 4711,
			durability: 'sync',
			mustExist: false,
			setsDamageAside: false,
			limits: SMALL_LIMITS,
			...overrides,
		};
	}

	/** Lets virtual time pass until the promise has settled. */
	async until<T>(promise: Promise<T>): Promise<T> {
		let settled = false;
		const end = () => {
			settled = true;
		};
		promise.then(end, end);
		if (!(await this.scheduler.run(this.scheduler.now + 60_000, () => settled)))
			throw new Error('the promise never settled');
		return promise;
	}

	async pass(milliseconds: number): Promise<void> {
		await this.scheduler.run(this.scheduler.now + milliseconds);
	}

	/** The power fails, and a new process begins. */
	crash(): void {
		this.#process.end();
		this.disk.crash();
		this.#begin();
	}

	/** The process is killed; what the kernel has stays. */
	kill(): void {
		this.#process.end();
		this.disk.abandon();
		this.#begin();
	}

	#begin(): void {
		this.#processes += 1;
		this.#process = new SimulatedProcess(this.scheduler, this.#processes);
	}
}

export interface Written {
	readonly first: number;
	readonly end: LogPosition;
	readonly bytes: Uint8Array;
	readonly length: number;
}

export interface HardState {
	readonly term: number;
	readonly vote: number;
}

/** A log and what it must hold. */
export class LogUnderTest {
	readonly machine: Machine;
	readonly #overrides: Partial<LogOptions>;
	log!: Log;
	pool!: SlabPool;
	/** The whole log, from index 1. */
	written: Written[] = [];
	/** What the log may be after a crash instead: as it was before truncations that aren't acknowledged. */
	#branches: Written[][] = [];
	/** What every recovery must find. */
	required = 0;
	epoch = 0;
	committed = 0;
	/** For who drives it: this life is over. */
	isEnding = false;
	/** The latest durable one. */
	snapshot: (LogPosition & { time: number }) | null = null;
	hardState: HardState = { term: 0, vote: 0 };
	#hardStates: HardState[] = [{ term: 0, vote: 0 }];
	readonly persisted: { index: number; epoch: number; term: number; vote: number }[] = [];
	readonly failures: Error[] = [];
	#slab: Slab | null = null;
	#offset = 0;
	#times = 1;
	readonly #writer = new BatchWriter(1024);

	constructor(machine: Machine, overrides: Partial<LogOptions> = {}) {
		this.machine = machine;
		this.#overrides = overrides;
	}

	static async start(seed: string, overrides: Partial<LogOptions> = {}): Promise<LogUnderTest> {
		const test = new LogUnderTest(new Machine(seed), overrides);
		await test.open();
		test.setHardState(1, 0);
		await test.settle();
		test.persisted.length = 0;
		return test;
	}

	async open(): Promise<void> {
		this.log = await this.machine.until(this.beginOpen());
	}

	/** Begins to open it; time must pass for it to end. */
	beginOpen(): Promise<Log> {
		const options = this.machine.options({ snapshot: this.snapshot, ...this.#overrides });
		this.pool = new SlabPool(options.limits.slabBytes, options.limits.slabsMax);
		this.#slab = null;
		return Log.open(options, {
			onPersisted: (index, epoch, term, vote) => this.#onPersisted(index, epoch, term, vote),
			onFailure: (error) => this.failures.push(error),
		});
	}

	#onPersisted(index: number, epoch: number, term: number, vote: number): void {
		this.persisted.push({ index, epoch, term, vote });
		const state = this.#hardStates.findIndex((s) => s.term === term && s.vote === vote);
		if (state > 0) this.#hardStates.splice(0, state);
		if (index === 0 || epoch !== this.epoch) return;
		this.required = Math.max(this.required, index);
		this.#branches = [];
	}

	get end(): LogPosition {
		return this.written.at(-1)?.end ?? LOG_START;
	}

	counter(name: string): number {
		return this.log.counters()[name]!;
	}

	get limits(): Limits {
		return this.#overrides.limits ?? SMALL_LIMITS;
	}

	/** Appends a batch of `count` entries of `bytes` bytes each. */
	append(bytes = 40, count = 1, payload?: Uint8Array): Written {
		const room = batchLength(payload?.length ?? count * bytes, count);
		const { memory, offset } = this.#room(room);
		this.#writer.begin(memory, offset, room);
		for (let i = 0; i < count; i++) {
			const text = `${this.end.index + 1 + i}:${this.#times}.`;
			this.#writer.add(payload ?? Buffer.alloc(bytes, text));
		}
		const length = this.#writer.finish({
			group: 1,
			session: 0,
			sequence: 0,
			kind: BatchKind.entries,
		});
		const { index, checksum: parent } = this.end;
		stampBatch(memory, offset, this.hardState.term, index + 1, parent, this.#times++);
		this.#offset = offset + length;
		this.log.append(memory, offset, length, this.epoch);
		const checksum = batchHeaderChecksum(memory, offset);
		const end = { index: index + count, term: this.hardState.term, checksum };
		this.written.push({
			first: index + 1,
			end,
			length,
			bytes: memory.slice(offset, length).slice(),
		});
		expect(this.log.end).toEqual(end);
		return this.written.at(-1)!;
	}

	#room(bytes: number): { memory: Slab; offset: number } {
		if (this.#slab === null || this.#offset + bytes > this.#slab.size) {
			this.#slab?.release();
			this.#slab = this.pool.acquire()!;
			this.#offset = 0;
		}
		return { memory: this.#slab, offset: this.#offset };
	}

	/** Cuts the last `count` batches off, as a new leader would. */
	truncate(count: number): void {
		this.#branches.push(this.written.slice());
		this.written.length -= count;
		this.epoch += 1;
		this.required = Math.min(this.required, this.end.index);
		this.setHardState(this.hardState.term + 1, 0);
		this.log.truncate(this.end);
		expect(this.log.end).toEqual(this.end);
	}

	/** What is durable is committed, up to this index at most: it is never cut again. */
	commit(index: number): void {
		const border = this.written.findLast(({ end }) => end.index <= Math.min(index, this.required));
		this.committed = Math.max(this.committed, border?.end.index ?? 0);
		this.log.setCommitted(this.committed);
	}

	/** A snapshot of what is committed here is durable. */
	takeSnapshot(): void {
		const border = this.written.findLast(({ end }) => end.index <= this.committed);
		if (border !== undefined) this.takeSnapshotAt(border.end);
	}

	takeSnapshotAt(end: LogPosition): void {
		this.snapshot = { ...end, time: this.#times };
	}

	/** A leader's snapshot is durable, of entries that aren't here, or that are others: from now on every restart finds it. */
	receiveSnapshot(index: number): void {
		const checksum = this.machine.random.below(2 ** 32);
		this.installed({ index, term: this.hardState.term, checksum });
	}

	/** The same, of this snapshot. */
	installed({ index, term, checksum }: LogPosition): void {
		const end = { index, term, checksum };
		this.takeSnapshotAt(end);
		this.written = [{ first: 1, end, bytes: new Uint8Array(0), length: 0 }];
		this.#branches = [];
		this.epoch += 1;
		this.committed = this.required = index;
		// A term that is not durable yet is known by the snapshot from now on; nobody has a vote in it.
		const first = this.#hardStates.findIndex((state) => state.term === term);
		if (first > 0) this.#hardStates.splice(first, 0, { term, vote: 0 });
	}

	/** The log begins anew behind the snapshot. */
	reset(): void {
		this.log.reset(this.snapshot!);
		expect(this.log.base).toMatchObject(this.log.end);
	}

	setHardState(term: number, vote: number): void {
		this.hardState = { term, vote };
		this.#hardStates.push(this.hardState);
		this.log.setHardState(term, vote);
	}

	/** Waits until what is committed is known on disk, too. */
	async settleCommit(): Promise<void> {
		this.setHardState(this.hardState.term + 1, 0);
		await this.settle();
	}

	/** Waits until everything is durable. */
	async settle(): Promise<void> {
		const before = this.persisted.length;
		await this.machine.scheduler.run(this.machine.scheduler.now + 10_000, () => {
			const last = this.persisted.at(-1);
			if (this.log.pendingBatches > 0 || this.persisted.length === before) return false;
			return last?.term === this.hardState.term && last.vote === this.hardState.vote;
		});
		expect(this.log.pendingBatches).toBe(0);
	}

	/** The files of the machine are of this log; whatever is recovered is a prefix of it, or of a branch. */
	adopt(written: readonly Written[], branch: readonly Written[] = []): void {
		this.#branches.push(branch.slice());
		this.written = written.slice();
		this.#hardStates.push({ term: 1, vote: 0 });
	}

	async close(): Promise<void> {
		this.#slab?.release();
		this.#slab = null;
		await this.machine.until(this.log.close());
		expect(this.pool.available, 'slabs in the pool').toBe(this.pool.slabsMax);
	}

	async restart(): Promise<void> {
		await this.close();
		await this.open();
		await this.check();
	}

	/** Opens after a crash or a kill, and goes on with the log that was found. */
	async recover(): Promise<void> {
		await this.open();
		await this.check();
	}

	/** The log that recovery found is one that it may have been. */
	async check(readsBack = true): Promise<void> {
		const { recovered } = this.log;
		const { end, base, term, vote } = recovered;
		expect(end.index).toBeGreaterThanOrEqual(this.required);
		expect(this.#hardStates).toContainEqual({ term, vote });
		const branch = [this.written, ...this.#branches].find((b) => hasBorder(b, end));
		expect(branch, `a branch that ends at ${end.index}`).toBeDefined();
		this.written = branch!.slice(0, branch!.findIndex((w) => w.end.index === end.index) + 1);
		expect(hasBorder(this.written, base), `a border at ${base.index}`).toBe(true);
		expect(recovered.runs).toEqual(termRuns(this.written, base.index));
		this.#branches = [];
		this.required = end.index;
		this.epoch += 1;
		this.hardState = { term, vote };
		this.#hardStates = [this.hardState];
		if (term < end.term) throw new Error('a term that is older than its entries');
		if (term === 0) this.setHardState(1, 0);
		if (readsBack) await this.expectReadBack();
	}

	/** Everything durable reads back as it was written. */
	async expectReadBack(bytesMax = this.limits.slabBytes): Promise<void> {
		const memory = new Memory(this.limits.slabBytes);
		let index = this.log.base.index + 1;
		const last = this.required;
		for (const batch of this.written) {
			if (batch.first < index || batch.first > last) continue;
			const run = await this.machine.until(this.log.read(index, last, memory, bytesMax));
			expect(run.firstIndex).toBe(index);
			for (const { offset, length } of run.batches) {
				const expected = this.written.find((w) => w.first === index)!;
				const same = Buffer.compare(memory.slice(offset, length), expected.bytes) === 0;
				expect(same, `batch ${index}`).toBe(true);
				index = expected.end.index + 1;
			}
			expect(run.lastIndex).toBe(index - 1);
		}
		expect(index).toBe(last + 1);
	}
}

function hasBorder(batches: readonly Written[], { index, term, checksum }: LogPosition): boolean {
	if (index === 0) return true;
	const { end } = batches.find((batch) => batch.end.index === index) ?? {};
	return end !== undefined && end.term === term && end.checksum === checksum;
}

function termRuns(batches: readonly Written[], base: number): { index: number; term: number }[] {
	const runs: { index: number; term: number }[] = [];
	for (const { first, end } of batches) {
		if (first > base && runs.at(-1)?.term !== end.term) runs.push({ index: first, term: end.term });
	}
	return runs;
}
