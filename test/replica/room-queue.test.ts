import { describe, expect, it } from 'vitest';
import { RoomQueue } from '../../src/replica/room-queue.js';

/** Callers that each want one piece of what there is. */
function callers(count: number) {
	const queue = new RoomQueue();
	const world = { queue, room: 0, asked: 0, served: [] as number[] };
	for (let i = 0; i < count; i++) {
		const ask = (): void => {
			world.asked += 1;
			if (world.room === 0) return queue.wait(ask);
			world.room -= 1;
			world.served.push(i);
		};
		queue.wait(ask);
	}
	return world;
}

describe('who waits for room', () => {
	it('gets it in order, and room for three costs four questions however many wait', () => {
		const world = callers(10_000);
		for (let round = 0; round < 5; round++) {
			world.room = 3;
			world.queue.offer();
		}
		expect(world.served).toEqual(Array.from({ length: 15 }, (_, i) => i));
		expect(world.asked).toBe(20);
		world.room = 1e6;
		world.queue.offer();
		expect(world.served).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
		expect(world.queue.isEmpty).toBe(true);
	});

	it('comes behind those who waited before, also when it comes while they are asked', () => {
		const queue = new RoomQueue();
		const said: string[] = [];
		queue.wait(() => {
			said.push('first');
			queue.wait(() => said.push('first again'));
			queue.wait(() => said.push('third'));
		});
		queue.wait(() => said.push('second'));
		queue.offer();
		expect(said).toEqual(['first']);
		queue.offer();
		expect(said).toEqual(['first', 'first again', 'second', 'third']);
	});

	it('loses only itself when it throws', () => {
		const queue = new RoomQueue();
		const said: string[] = [];
		queue.wait(() => {
			throw new Error('a bug');
		});
		queue.wait(() => said.push('second'));
		expect(() => queue.offer()).toThrow('a bug');
		queue.offer();
		expect(said).toEqual(['second']);
	});

	it('that has room is not asked again from within its own question', () => {
		const queue = new RoomQueue();
		let asked = 0;
		queue.wait(() => {
			asked += 1;
			queue.offer();
		});
		queue.offer();
		expect(asked).toBe(1);
	});
});
