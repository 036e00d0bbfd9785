import { describe, expect, test } from 'vitest';
import { connect } from '../../src/client/index.js';
import { BadOption, WrongDirectory } from '../../src/errors.js';
import { Host } from '../../src/host/host.js';
import { open } from '../../src/replica/open.js';
import { NumberMachine, numbered } from '../replica/machines.js';
import { HostWorld } from './host-world.js';

describe('many groups in a process', () => {
	test('keep their logs apart, on one connection in each direction between two hosts', async () => {
		const own = await HostWorld.open('apart', 3, 8);
		const leaders = await own.leaders();
		for (const [i, { replica }] of leaders.entries()) {
			for (let n = 0; n < 5; n++) await own.world.complete(replica.propose(numbered(10 * i + n)));
		}
		await own.world.run(500);
		for (const { host, groups } of own.lives.values()) {
			for (const [group, { machine }] of groups) {
				expect(machine.numbers).toEqual([0, 1, 2, 3, 4].map((n) => 10 * (group - 1) + n));
			}
			// Two that it dialled, two that it was dialled by.
			expect(host.counters()['links']).toBe(4);
		}
		await own.close();
	});

	test('share one flush for what they write in one turn', async () => {
		const own = await HostWorld.open('shared flush', 1, 16);
		const leaders = await own.leaders();
		await own.world.run(500);
		const { host } = own.lives.get(1)!;
		const { journalFlushes: before } = host.counters();
		await own.world.complete(
			Promise.all(leaders.map(({ replica }) => replica.propose(numbered(1)))),
		);
		expect(host.counters()['journalFlushes']).toBe(before! + 1);
		await own.close();
	});

	test('have everything that was acknowledged after the power failed everywhere at once', async () => {
		for (let seed = 0; seed < 3; seed++) {
			const own = await HostWorld.open(`power ${seed}`, 3, 4);
			const leaders = await own.leaders();
			const acknowledged = leaders.map(() => 0);
			for (const [i, { replica }] of leaders.entries()) {
				for (let n = 0; n < 300; n++) {
					const entry = numbered(n, 200);
					const count = () => {
						acknowledged[i]! += 1;
					};
					replica.propose(entry, { whenBusy: 'wait' }).then(count, () => {});
				}
			}
			const isEnough = () => acknowledged.every((count) => count > 20 + 40 * seed);
			expect(await own.world.until(isEnough, 10_000)).toBe(true);
			for (const id of own.ids) own.crash(id);
			for (const id of own.ids) await own.start(id);
			for (const [i, { replica, machine }] of (await own.leaders()).entries()) {
				await own.world.complete(replica.read('count'));
				expect(machine.numbers.length).toBeGreaterThanOrEqual(acknowledged[i]!);
				expect(machine.numbers).toEqual(machine.numbers.map((_, n) => n));
			}
			await own.close();
		}
	});

	test('go on when one of them stops for good', async () => {
		const own = await HostWorld.open('one stops', 3, 3);
		const leaders = await own.leaders();
		const [first, second] = leaders;
		first!.machine.before = () => {
			throw new Error('this state machine fails');
		};
		const doomed = first!.replica.propose(numbered(1));
		await expect(own.world.complete(doomed)).rejects.toThrow();
		expect(first!.replica.status().stopped).toMatch(/this state machine fails/);
		await own.world.complete(second!.replica.propose(numbered(2)));
		await own.close();
	});

	test('can be closed and opened one by one', async () => {
		const own = await HostWorld.open('one by one', 1, 2);
		const { host, groups } = own.lives.get(1)!;
		await own.leaders();
		const { replica } = groups.get(1)!;
		await own.world.complete(replica.propose(numbered(7)));
		await expect(host.openGroup(1, { stateMachine: new NumberMachine() })).rejects.toBeInstanceOf(
			BadOption,
		);
		await own.world.complete(replica.close());
		const machine = new NumberMachine();
		const again = await own.world.complete(host.openGroup(1, { stateMachine: machine }));
		expect(await own.world.complete(again.read('last'))).toBe(7);
		await own.close();
		await expect(host.openGroup(3, { stateMachine: machine })).rejects.toThrow('closed');
	});

	test('have clients of their own, by the group’s number', async () => {
		const own = await HostWorld.open('clients', 3, 2);
		await own.leaders();
		const doors = own.world.machine('client').start();
		for (const group of [1, 2]) {
			const client = connect({ peers: own.peers, group, doors });
			await own.world.complete(client.propose(numbered(group)));
			await own.world.complete(client.close());
		}
		expect([1, 2].map((group) => own.leader(group)!.machine.numbers)).toEqual([[1], [2]]);
		const lost = connect({ peers: own.peers, group: 9, doors, timeoutMs: 500 });
		await expect(own.world.complete(lost.propose(numbered(1)))).rejects.toThrow();
		await own.world.complete(lost.close());
		expect(own.lines.join('\n')).toMatch(/group 9 is not here/);
		await own.close();
	});
});

describe('the directory of a host', () => {
	test('is opened by nobody else, and its groups by no replica alone', async () => {
		const own = await HostWorld.open('whose', 1, 1);
		const { doors } = own.lives.get(1)!;
		const second = Host.open({ id: 1, dir: '/data', peers: own.peers }, doors);
		await expect(own.world.complete(second)).rejects.toThrow(/in use/);
		await own.close();
		const stateMachine = new NumberMachine();
		const alone = { id: 1, peers: own.peers, stateMachine };
		const replica = open({ ...alone, dir: '/data/groups/1' }, doors);
		await expect(own.world.complete(replica)).rejects.toBeInstanceOf(WrongDirectory);
		// Nor has a host use for one that is.
		const { host } = await own.start(1);
		await own.world.complete(
			(
				await own.world.complete(
					open({ ...alone, group: 5, dir: '/data/groups/5', peers: { 1: 'h1:7009' } }, doors),
				)
			).close(),
		);
		const hosted = host.openGroup(5, { stateMachine });
		await expect(own.world.complete(hosted)).rejects.toBeInstanceOf(WrongDirectory);
		await own.close();
	});

	test('is refused without a place in peers, or with a journal of no size', async () => {
		const own = new HostWorld('refused', 1, 1);
		const doors = own.machine(1).start();
		for (const wrong of [{ id: 2 }, { journalBytes: 5000 }]) {
			const opening = Host.open({ id: 1, dir: '/data', peers: own.peers, ...wrong }, doors);
			await expect(opening).rejects.toBeInstanceOf(BadOption);
		}
	});
});
