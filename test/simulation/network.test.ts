import { describe, expect, test } from 'vitest';
import { Unavailable } from '../../src/errors.js';
import { expectBytes, pattern } from '../contract/bytes.js';
import { Recorder } from '../contract/network-recorder.js';
import { World } from './world.js';

interface Pair {
	readonly world: World;
	readonly dialled: Recorder;
	/** On machine `a`, dialled by `b`. */
	readonly accepted: Recorder;
}

const seeds = Array.from({ length: 40 }, (_, i) => i);

async function listening(world: World): Promise<Recorder[]> {
	const accepted: Recorder[] = [];
	const { network } = world.machine('a').start();
	await world.complete(
		network.listen({ host: 'a', port: 7 }, (connection) => {
			const recorder = new Recorder(connection);
			accepted.push(recorder);
			return recorder;
		}),
	);
	return accepted;
}

function dial(world: World): Recorder {
	let recorder: Recorder | null = null;
	const { network } = world.machine('b').start();
	network.dial({ host: 'a', port: 7 }, (connection) => {
		recorder = new Recorder(connection);
		return recorder;
	});
	return recorder!;
}

async function pair(seed: number, prepare?: (world: World) => void): Promise<Pair> {
	const world = new World(seed);
	prepare?.(world);
	const accepted = await listening(world);
	const dialled = dial(world);
	await world.complete(dialled.is('opened'));
	return { world, dialled, accepted: accepted[0]! };
}

describe('a connection', () => {
	test('that is cut delivers a beginning of what was sent, to any byte, and an error to both', async () => {
		const lengths = new Set<number>();
		const sent = pattern(1_000_000, 1);
		for (const seed of seeds) {
			const { world, dialled, accepted } = await pair(seed);
			void dialled.send(sent);
			await world.run(world.random.between(0, 4));
			world.network.cut('a', 'b');
			await world.run(100);
			expectBytes(accepted.content, sent.subarray(0, accepted.bytes));
			lengths.add(accepted.bytes);
			for (const end of [dialled, accepted]) {
				expect(end.events.filter((event) => event === 'closed').length).toBe(1);
				expect(end.reason).toMatchObject({ code: 'ECONNRESET' });
			}
			expect(dialled.events).toEqual(['opened', 'done', 'closed']);
		}
		expect(lengths.size).toBeGreaterThan(10);
	});

	test('is cut now and then where the link is so set', async () => {
		const { world, dialled, accepted } = await pair(1, (world) => {
			world.network.defaults.cutChance = 0.2;
		});
		const sent = pattern(10_000_000, 1);
		void dialled.send(sent);
		await world.run(1_000);
		expect(dialled.reason).toMatchObject({ code: 'ECONNRESET' });
		expectBytes(accepted.content, sent.subarray(0, accepted.bytes));
	});

	test('to a machine that crashes is closed by the other end’s kernel, some time later', async () => {
		for (const end of ['crash', 'kill'] as const)
			for (const seed of seeds.slice(0, 10)) {
				const { world, dialled, accepted } = await pair(seed);
				world.machine('a')[end]();
				void dialled.send(pattern(1_000_000, 1));
				await world.complete(dialled.is('closed'), end === 'kill' ? 30 : 3_100);
				expect(dialled.reason).toMatchObject({ code: 'ECONNRESET' });
				expect(accepted.events).toEqual(['opened']);
				const late = dial(world);
				await world.complete(late.is('closed'), 3_000);
				expect(late.reason).toMatchObject({ code: 'ECONNREFUSED' });
			}
	});

	test('holds its sender back when its receiver is paused', async () => {
		const { world, dialled, accepted } = await pair(1);
		accepted.connection.pause();
		let done = 0;
		for (let i = 0; i < 100; i++) void dialled.send(pattern(10_000, i)).then(() => done++);
		await world.run(10_000);
		expect(done).toBeGreaterThan(0);
		expect(done).toBeLessThan(30);
		accepted.connection.resume();
		await world.complete(accepted.has(1_000_000));
		await world.run(1);
		expect(done).toBe(100);
	});

	test('finds memory that changes before it is sent', async () => {
		const { world, dialled } = await pair(1);
		const slice = pattern(100, 1);
		void dialled.send(slice);
		slice[5]!++;
		await expect(world.run(10)).rejects.toThrow('memory given to writev must not change');
	});

	test('waits for a suspended process', async () => {
		const { world, dialled, accepted } = await pair(1);
		world.machine('a').suspend();
		void dialled.send(pattern(1_000, 1));
		const late = dial(world);
		await world.run(1_000);
		expect(accepted.bytes).toBe(0);
		// Its kernel answers in its place.
		expect(late.events).toEqual(['opened']);
		world.machine('a').resume();
		await world.complete(accepted.has(1_000));
		expectBytes(accepted.content, pattern(1_000, 1));
	});
});

describe('a partition', () => {
	test('holds what is under way, and lets it pass when it is healed', async () => {
		for (const seed of seeds) {
			const { world, dialled, accepted } = await pair(seed);
			void dialled.send(pattern(300_000, 1));
			void accepted.send(pattern(200_000, 2));
			await world.run(world.random.between(0, 0.5));
			world.network.partition(['a'], ['b', 'c']);
			const { bytes } = accepted;
			await world.run(5_000);
			expect(accepted.bytes).toBe(bytes);
			world.network.heal();
			await world.complete(Promise.all([accepted.has(300_000), dialled.has(200_000)]));
			expectBytes(accepted.content, pattern(300_000, 1));
			expectBytes(dialled.content, pattern(200_000, 2));
			expect(dialled.reason).toBeUndefined();
		}
	});

	test('may be of one direction only', async () => {
		const { world, dialled, accepted } = await pair(1);
		world.network.block(['b'], ['a']);
		void dialled.send(pattern(1_000, 1));
		void accepted.send(pattern(1_000, 2));
		await world.run(5_000);
		expect([accepted.bytes, dialled.bytes]).toEqual([0, 1_000]);
		world.network.heal();
		await world.complete(accepted.has(1_000));
	});

	test.each([
		['there', 'b', 'a'],
		['back', 'a', 'b'],
	])('on the way %s keeps a dialled address from answering', async (_, from, to) => {
		const world = new World(1);
		await listening(world);
		world.network.block([from], [to]);
		const dialled = dial(world);
		await world.run(1_999);
		expect(dialled.events).toEqual([]);
		await world.run(10);
		expect(dialled.events).toEqual(['closed']);
		expect(dialled.reason).toBeInstanceOf(Unavailable);
		const patient = dial(world);
		await world.run(1_000);
		world.network.heal();
		await world.complete(patient.is('opened'), 100);
	});

	test('hides the end of the other one until it is healed', async () => {
		const { world, dialled, accepted } = await pair(1);
		world.network.partition(['a'], ['b']);
		accepted.connection.close();
		await world.run(5_000);
		expect(accepted.events).toEqual(['opened', 'closed']);
		expect(dialled.events).toEqual(['opened']);
		world.network.heal();
		await world.complete(dialled.is('closed'), 100);
		expect(dialled.reason).toBeNull();
	});

	test('doesn’t keep a machine from itself', async () => {
		const world = new World(1);
		await listening(world);
		world.network.partition(['a'], ['a', 'b']);
		let own: Recorder | null = null;
		world
			.machine('a')
			.start()
			.network.dial({ host: '127.0.0.1', port: 7 }, (connection) => {
				own = new Recorder(connection);
				return own;
			});
		await world.complete(own!.is('opened'), 100);
	});
});

test('a process listens on addresses of its machine only', async () => {
	const world = new World(1);
	const { network } = world.machine('a').start();
	const listening = network.listen({ host: 'b', port: 7 }, (own) => new Recorder(own));
	await expect(world.complete(listening)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
});
