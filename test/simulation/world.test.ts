import { describe, expect, test } from 'vitest';
import type { Connection, ConnectionHandler } from '../../src/io.js';
import { pattern } from '../contract/bytes.js';
import { write } from '../contract/disk.js';
import { SimulatedRandom } from './random.js';
import { Scheduler } from './scheduler.js';
import { type ProcessDoors, World } from './world.js';

/** Programs that write files, talk to each other, wait and start again, on a world that fails. */
async function turmoil(seed: number): Promise<{ hash: string; log: string[] }> {
	const world = new World(seed);
	const log: string[] = [];
	const names = ['a', 'b', 'c'];
	world.network.defaults.cutChance = 0.01;

	function program({ disk, network, clock, random }: ProcessDoors, name: string): void {
		const talk = (connection: Connection, lost: () => void = () => {}): ConnectionHandler => {
			const memory = new Uint8Array(1_000);
			const say = (): void => {
				const bytes = pattern(random.below(3_000), random.below(100));
				connection.writev([bytes, bytes.subarray(0, 10)], () =>
					clock.after(random.next() * 5, say),
				);
			};
			return {
				opened: say,
				space: () => memory.subarray(random.below(999)),
				received: (bytes) => log.push(`${name} ${bytes} ${memory[0]} ${clock.now()}`),
				closed(reason) {
					log.push(`${name} closed ${reason?.message} ${clock.wall()}`);
					lost();
				},
			};
		};
		const dial = (): void => {
			network.dial({ host: names[random.below(3)]!, port: 80 }, (connection) =>
				talk(connection, () => clock.after(random.next() * 50, dial)),
			);
		};
		const persist = async (): Promise<void> => {
			await disk.makeDirectory('/data');
			const lock = await disk.lock('/data');
			const names = await disk.list('/data');
			log.push(`${name} found ${names} ${(await disk.readSmall('/data/state'))?.byteLength}`);
			const file = await disk.open(`/data/${random.identifier()}`, 'create', true);
			for (let i = 0; i < 20; i++) {
				await write(file, [pattern(random.below(5_000), i)], random.below(10_000));
				await disk.writeSmall('/data/state', pattern(i, i));
			}
			await file.close();
			await lock.release();
		};
		void network.listen({ host: name, port: 80 }, (connection) => talk(connection));
		dial();
		persist().catch((error: Error) => log.push(`${name} ${error.message}`));
	}

	for (const name of names) program(world.machine(name).start(), name);
	for (let round = 0; round < 12; round++) {
		await world.run(world.random.between(1, 60));
		const [one, other] = [names[world.random.below(3)]!, names[world.random.below(3)]!];
		const machine = world.machine(one);
		switch (world.random.below(7)) {
			case 0:
				machine.crash();
				break;
			case 1:
				machine.kill();
				break;
			case 2:
				machine.suspend();
				break;
			case 3:
				world.network.partition([one], [other]);
				break;
			case 4:
				world.network.block([one], [other]);
				break;
			case 5:
				world.network.cut(one, other);
				break;
			default:
				world.network.heal();
				for (const each of world.machines) each.resume();
		}
		for (const each of world.machines) if (!each.running) program(each.start(), each.name);
	}
	await world.run(200);
	expect(world.network.handlerErrors).toEqual([]);
	return { hash: world.hash, log };
}

describe('a world', () => {
	test.each([1, 2, 3, 4, 5])('repeats bit for bit from seed %s', async (seed) => {
		const first = await turmoil(seed);
		const second = await turmoil(seed);
		expect(second.log).toEqual(first.log);
		expect(second.hash).toBe(first.hash);
		expect(first.log.length).toBeGreaterThan(100);
	});

	test('is another one from another seed', async () => {
		expect((await turmoil(6)).hash).not.toBe((await turmoil(7)).hash);
	});

	test('lets a process end without a trace: nothing of its doors calls back', async () => {
		for (const end of ['crash', 'kill'] as const) {
			const world = new World(1);
			const machine = world.machine('a');
			const { disk, network, clock } = machine.start();
			await world.complete(disk.makeDirectory('/d'));
			const file = await world.complete(disk.open('/d/file', 'create', true));
			const calls: string[] = [];
			const call = (name: string) => (): void => {
				calls.push(name);
			};
			const handler = (): ConnectionHandler => ({
				opened: call('opened'),
				space: () => new Uint8Array(9),
				received: call('received'),
				closed: call('closed'),
			});
			const connection = network.dial({ host: 'b', port: 1 }, handler);
			connection.writev([pattern(5, 1)], call('sent'));
			file.writev([pattern(5, 1)], 0, call('written'));
			clock.after(1, call('timer'));
			clock.afterPendingIo(call('after pending I/O'));
			clock.endOfTurn(call('end of turn'));
			void file.sync().then(call('synced'), call('not synced'));
			void disk.list('/d').then(call('listed'), call('not listed'));
			void network.listen({ host: 'a', port: 1 }, handler).then(call('listening'));
			machine[end]();
			expect(machine.running).toBe(false);
			// Nor do operations that are begun on dead doors.
			void disk.list('/d').then(call('listed'), call('not listed'));
			clock.endOfTurn(call('end of turn'));
			clock.after(1, call('timer'));
			await world.run(10_000);
			expect(calls).toEqual([]);
		}
	});

	test('says when something doesn’t come to an end', async () => {
		const world = new World(1);
		const { disk } = world.machine('a').start();
		world.machine('a').disk.stall();
		const listing = disk.list('/');
		await expect(world.complete(listing, 50)).rejects.toThrow('seed 1: not settled after 50 ms');
		world.machine('a').disk.unstall();
		expect(await world.complete(listing)).toEqual([]);
		await expect(world.complete(disk.list('/missing'))).rejects.toThrow('ENOENT');
	});

	test('gives machines clocks of their own', async () => {
		const world = new World(1);
		const fast = world.machine('fast');
		const slow = world.machine('slow');
		fast.clock.rate = 1.5;
		fast.clock.wallOffsetMs = 10_000;
		slow.clock.wallOffsetMs = 0;
		const [one, other] = [fast.start().clock, slow.start().clock];
		const starts = [one.now(), other.now()];
		const fired: string[] = [];
		one.after(300, () => fired.push('fast'));
		other.after(250, () => fired.push('slow'));
		await world.run(1_000);
		expect(fired).toEqual(['fast', 'slow']);
		expect(one.now() - starts[0]!).toBeCloseTo(1_500);
		expect(other.now() - starts[1]!).toBeCloseTo(1_000);
		expect(one.wall() - other.wall()).toBe(10_000);
	});

	test('lets a suspended process catch up in order, without what it cancels then', async () => {
		const world = new World(1);
		const machine = world.machine('a');
		const { clock } = machine.start();
		const fired: number[] = [];
		const timers = [30, 10, 20, 40].map((ms) =>
			clock.after(ms, () => {
				fired.push(ms);
				if (ms === 10) timers[0]!.cancel();
			}),
		);
		machine.suspend();
		await world.run(35);
		expect(fired).toEqual([]);
		machine.resume();
		await world.run(0);
		expect(fired).toEqual([10, 20]);
		await world.run(100);
		expect(fired).toEqual([10, 20, 40]);
	});
});

describe('the scheduler', () => {
	test('is done with every promise before the next event', async () => {
		const scheduler = new Scheduler();
		const order: string[] = [];
		for (const name of ['one', 'two', 'three'])
			scheduler.schedule(0, () => {
				order.push(`${name} begins`);
				void (async () => {
					for (let i = 0; i < 1_000; i++) await null;
					queueMicrotask(() => {
						void Promise.resolve()
							.then(() => new Promise<void>((resolve) => queueMicrotask(resolve)))
							.finally(() => order.push(`${name} ends`));
					});
				})();
			});
		await scheduler.run(1);
		expect(order).toEqual([
			'one begins',
			'one ends',
			'two begins',
			'two ends',
			'three begins',
			'three ends',
		]);
	});

	test('runs events by time, then by order of scheduling', async () => {
		const scheduler = new Scheduler();
		const random = new SimulatedRandom('order');
		const expected: [number, number][] = [];
		const order: [number, number][] = [];
		for (let i = 0; i < 10_000; i++) {
			const time = random.below(500);
			if (random.chance(0.2)) {
				scheduler.schedule(time, () => expect.unreachable()).cancel();
				continue;
			}
			expected.push([time, i]);
			scheduler.schedule(time, () => {
				order.push([scheduler.now, i]);
			});
		}
		expected.sort(([a, i], [b, j]) => a - b || i - j);
		expect(await scheduler.run(1_000)).toBe(false);
		expect(order).toEqual(expected);
		expect(scheduler.now).toBe(1_000);
	});

	test('stops at a condition, between events', async () => {
		const scheduler = new Scheduler();
		let count = 0;
		for (let i = 1; i <= 10; i++) scheduler.schedule(i, () => void count++);
		expect(await scheduler.run(100, () => count === 4)).toBe(true);
		expect([count, scheduler.now]).toEqual([4, 4]);
		expect(await scheduler.run(7)).toBe(false);
		expect([count, scheduler.now]).toEqual([7, 7]);
	});

	test('rejects with what an event throws, and goes on afterwards', async () => {
		const scheduler = new Scheduler();
		let ran = false;
		scheduler.schedule(1, () => {
			throw new Error('broken');
		});
		scheduler.schedule(2, () => {
			ran = true;
		});
		await expect(scheduler.run(10)).rejects.toThrow('broken');
		expect(ran).toBe(false);
		await scheduler.run(10);
		expect(ran).toBe(true);
	});

	test('rejects with what is thrown at the end of a turn', async () => {
		const world = new World(1);
		const { clock } = world.machine('a').start();
		clock.after(1, () =>
			clock.endOfTurn(() => {
				throw new Error('broken');
			}),
		);
		await expect(world.run(10)).rejects.toThrow('broken');
	});
});
