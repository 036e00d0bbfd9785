import { describe, expect, it } from 'vitest';
import { profilingArguments } from '../../bench/children.js';
import { Driver, type Load, type Target } from '../../bench/driver.js';
import { EntryChecker, type LoadBatch } from '../../bench/load.js';
import { Placement } from '../../bench/placement.js';
import { SingleDriver } from '../../bench/single-driver.js';

const FOREVER = { ms: 60_000, entriesMax: Number.MAX_SAFE_INTEGER };

/** Acknowledges in the next turn, and remembers what came. */
class Recorder implements Target {
	readonly numbers: number[] = [];
	readonly #checker: EntryChecker;
	inFlight = 0;
	mostInFlight = 0;
	wrong = 0;

	constructor(load: Load) {
		this.#checker = new EntryChecker(load.payloadBytes);
	}

	async submit(batch: LoadBatch): Promise<void> {
		const { first, count } = batch;
		this.inFlight += count;
		this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
		for (let i = 0; i < count; i++) {
			this.numbers.push(first + i);
			const start = i === 0 ? 0 : batch.ends[i - 1]!;
			if (!this.#checker.matches(batch.payload, start, first + i)) this.wrong += 1;
		}
		await new Promise((resolve) => setImmediate(resolve));
		this.inFlight -= count;
	}
}

describe('Driver', () => {
	it.each([
		{ payloadBytes: 16, entriesPerBatch: 10, depth: 40 },
		{ payloadBytes: 3, entriesPerBatch: 8, depth: 20 },
		{ payloadBytes: 21, entriesPerBatch: 1, depth: 1 },
	])('numbers the entries one by one and keeps the depth: %j', async (load) => {
		const recorder = new Recorder(load);
		const driver = new Driver(load, recorder);
		const slice = await driver.run({ ms: 60_000, entriesMax: 205 });
		expect(slice.entries).toBe(205);
		expect(driver.acknowledged).toBe(205);
		expect(recorder.numbers).toEqual(Array.from({ length: 205 }, (_, i) => i));
		expect(recorder.wrong).toBe(0);
		expect(recorder.mostInFlight).toBe(load.depth);
		expect(slice.latency.counts.reduce((a, b) => a + b)).toBe(205);
		expect([...slice.course].at(-1)).toBe(205);
	});

	it('goes on with the next number in the next run', async () => {
		const load = { payloadBytes: 8, entriesPerBatch: 4, depth: 8 };
		const recorder = new Recorder(load);
		const driver = new Driver(load, recorder);
		await driver.run({ ms: 60_000, entriesMax: 10 });
		await driver.run({ ms: 60_000, entriesMax: 10 });
		expect(recorder.numbers).toEqual(Array.from({ length: 20 }, (_, i) => i));
	});

	it('ends when its time is over, and when it is stopped, with nothing in flight', async () => {
		const load = { payloadBytes: 8, entriesPerBatch: 4, depth: 8 };
		const recorder = new Recorder(load);
		const driver = new Driver(load, recorder);
		const timed = await driver.run({ ...FOREVER, ms: 20 });
		expect(timed.ms).toBeGreaterThanOrEqual(20);
		expect(recorder.inFlight).toBe(0);
		setTimeout(() => driver.stop(), 20);
		const stopped = await driver.run(FOREVER);
		expect(recorder.inFlight).toBe(0);
		expect(timed.entries + stopped.entries).toBe(recorder.numbers.length);
	});

	it('fails with its target', async () => {
		const load = { payloadBytes: 8, entriesPerBatch: 4, depth: 8 };
		const driver = new Driver(load, { submit: () => Promise.reject(new Error('no leader')) });
		await expect(driver.run(FOREVER)).rejects.toThrow('no leader');
	});

	it('does not touch a batch that is still held', async () => {
		const load = { payloadBytes: 8, entriesPerBatch: 1, depth: 1 };
		const held: LoadBatch[] = [];
		const driver = new Driver(load, {
			async submit(batch) {
				batch.retain();
				held.push(batch);
			},
		});
		setTimeout(() => driver.stop(), 20);
		await driver.run(FOREVER);
		expect(held.length).toBeGreaterThan(2);
		expect(new Set(held).size).toBe(held.length);
		held[0]!.release();
		const count = held.length;
		await driver.run({ ms: 60_000, entriesMax: 1 });
		expect(held[count]).toBe(held[0]);
	});
});

describe('SingleDriver', () => {
	it('awaits each proposal in one of its loops', async () => {
		const checker = new EntryChecker(16);
		let [inFlight, mostInFlight, next] = [0, 0, 0];
		const propose = async (entry: Uint8Array) => {
			const number = next++;
			expect(checker.matches(entry, 0, number)).toBe(true);
			mostInFlight = Math.max(mostInFlight, ++inFlight);
			await new Promise((resolve) => setImmediate(resolve));
			inFlight -= 1;
			return { index: 8 + number };
		};
		const driver = new SingleDriver(5, 16, propose, new Placement());
		const slice = await driver.run({ ms: 60_000, entriesMax: 42 });
		expect(slice.entries).toBe(42);
		expect(mostInFlight).toBe(5);
		expect(next).toBe(42);
	});

	it('fails if an entry lies elsewhere than behind the one before', async () => {
		let index = 0;
		const propose = async () => {
			index += 2;
			return { index };
		};
		const driver = new SingleDriver(1, 16, propose, new Placement());
		await expect(driver.run({ ms: 60_000, entriesMax: 3 })).rejects.toThrow(/lies at 4, not at 3/);
	});
});

describe('the processes of a bench', () => {
	it('get what the profiler was told, values too, and nothing else', () => {
		const argv = ['--cpu-prof', '--import', 'x', '--cpu-prof-interval', '500', '--heap-prof-dir=d'];
		expect(profilingArguments(argv)).toEqual([
			'--cpu-prof',
			'--cpu-prof-interval',
			'500',
			'--heap-prof-dir=d',
		]);
	});
});
