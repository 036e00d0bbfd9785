import { expect, test } from 'vitest';
import { numbered } from '../replica/machines.js';
import { HostWorld } from './host-world.js';

function isIdle(own: HostWorld): boolean {
	return [...own.lives.values()].every(({ groups }) =>
		[...groups.values()].every(({ replica }) => replica.status().isResting),
	);
}

async function resting(seed: string, hosts = 3, groups = 3): Promise<HostWorld> {
	const own = await HostWorld.open(seed, hosts, groups);
	const leaders = await own.leaders();
	for (const { replica } of leaders) await own.world.complete(replica.propose(numbered(1)));
	expect(await own.world.until(() => isIdle(own), 10_000)).toBe(true);
	return own;
}

function frames(own: HostWorld): number {
	const counters = [...own.lives.values()].map(({ host }) => host.counters());
	return counters.reduce((sum, each) => sum + each['linkFrames']!, 0);
}

test('idle groups rest: nothing is said of them any more, and nobody stands for election', async () => {
	const own = await resting('rest');
	const terms = (await own.leaders()).map(({ replica }) => replica.status().term);
	const before = frames(own);
	await own.world.run(60_000);
	expect(frames(own)).toBe(before);
	expect(isIdle(own)).toBe(true);
	expect((await own.leaders()).map(({ replica }) => replica.status().term)).toEqual(terms);
	await own.close();
});

test('a group that rests is woken by what is wanted of it, on any replica, and the others sleep on', async () => {
	const own = await resting('woken');
	await own.world.run(30_000);
	const { groups } = [...own.lives.values()].find(
		({ groups }) => groups.get(2)!.replica.status().role === 'follower',
	)!;
	expect(await own.world.complete(groups.get(2)!.replica.read('count'))).toBe(1);
	await own.world.complete(own.leader(2)!.replica.propose(numbered(2)));
	expect(own.leader(2)!.replica.status().isResting).toBe(false);
	expect(own.leader(1)!.replica.status().isResting).toBe(true);
	expect(await own.world.until(() => isIdle(own), 10_000)).toBe(true);
	const numbers = [...own.lives.values()].map((life) => life.groups.get(2)!.machine.numbers);
	expect(numbers).toEqual([
		[1, 2],
		[1, 2],
		[1, 2],
	]);
	await own.close();
});

test.each(['crash', 'kill', 'partition', 'suspend'] as const)(
	'when a host is lost while all rest (%s), its groups get other leaders',
	async (how) => {
		const own = await resting(`lost ${how}`, 3, 6);
		await own.world.run(20_000);
		const lost = own.leader(1)!.replica.id;
		const led = [1, 2, 3, 4, 5, 6].filter((group) => own.leader(group)!.replica.id === lost);
		const others = own.ids.filter((id) => id !== lost);
		const life = own.lives.get(lost)!;
		own.lives.delete(lost);
		if (how === 'partition')
			own.world.network.partition(
				[`h${lost}`],
				others.map((id) => `h${id}`),
			);
		else if (how === 'suspend') own.machine(lost).suspend();
		else own.machine(lost)[how]();
		const hasOther = () => led.every((group) => own.leader(group) !== undefined);
		expect(await own.world.until(hasOther, 10_000)).toBe(true);
		for (const group of led) {
			await own.world.complete(own.leader(group)!.replica.propose(numbered(2)));
		}
		if (how === 'partition') own.world.network.heal();
		if (how === 'suspend') own.machine(lost).resume();
		if (how === 'partition' || how === 'suspend') own.lives.set(lost, life);
		else await own.start(lost);
		// Whoever was away has all, and all rest again.
		expect(await own.world.until(() => isIdle(own), 20_000)).toBe(true);
		for (const { groups } of own.lives.values()) {
			for (const group of led) expect(groups.get(group)!.machine.numbers).toEqual([1, 2]);
		}
		await own.close();
	},
);

test('a group of which a replica is away does not rest', async () => {
	const own = await resting('away');
	const lost = own.ids.find((id) => id !== own.leader(1)!.replica.id)!;
	own.crash(lost);
	await own.world.run(20_000);
	expect(own.leader(1)!.replica.status().isResting).toBe(false);
	await own.start(lost);
	expect(await own.world.until(() => isIdle(own), 20_000)).toBe(true);
	await own.close();
});
