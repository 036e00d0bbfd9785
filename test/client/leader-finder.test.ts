import { beforeEach, describe, expect, test } from 'vitest';
import { makeEnvironment } from '../../src/client/environment.js';
import { LeaderFinder, type LeaderUser } from '../../src/client/leader-finder.js';
import { Unavailable } from '../../src/errors.js';
import { until } from '../replica/cluster.js';
import type { FakeReplica, Guest } from './fake-replica.js';
import { clientDoors } from './networks.js';
import { closeAfterEach, open, replica } from './opened.js';

closeAfterEach();

/** Somebody who waits for the leader all the time. */
class Waiting implements LeaderUser {
	readonly isWaiting = true;
	connections = 0;
	losses = 0;

	connected(): void {
		this.connections += 1;
	}

	written(): void {}

	message(): void {}

	lost(): void {
		this.losses += 1;
	}

	expire(): void {}
}

describe('dialling one replica while all are asked who leads', () => {
	let first: FakeReplica;
	let second: FakeReplica;
	let user: Waiting;
	/** Of the second replica's connections, those that it hasn't greeted. */
	let silent: Guest[];

	beforeEach(async () => {
		silent = [];
		user = new Waiting();
		first = await replica(1, { role: 'follower' });
	});

	/** The second replica is dialled again, and both are asked meanwhile. */
	async function begin(): Promise<LeaderFinder> {
		const doors = clientDoors();
		const random = { next: () => 0, identifier: () => 1 };
		const peers = { 1: first.peer, 2: second.peer };
		const finder = new LeaderFinder(makeEnvironment({ peers }, { ...doors, random }));
		open.push({ close: async () => finder.close() });
		finder.serve([user]);
		finder.need();
		finder.redirect(0, 'it leads no more');
		await until('both are asked', () => first.guests.length >= 1 && second.guests.length >= 1);
		finder.reconnect(new Unavailable('somebody has waited for too long'));
		await until('the second is dialled', () => second.guests.length >= 2);
		return finder;
	}

	/** What the first replica said was heard, or isn't wanted any more. */
	async function asked(): Promise<void> {
		await until('nobody asks any more', () => second.guests.some(({ isOpen }) => !isOpen));
	}

	test('the leader is found elsewhere: who answers the dialling later isn’t taken for it', async () => {
		second = await replica(2, { role: 'follower', hello: (guest) => silent.push(guest) });
		const finder = await begin();
		first.script = { role: 'leader' };
		await until('the leader is reached', () => user.connections > 0);
		for (const guest of silent) guest.hello(2);
		const isOver = () => silent.every(({ isOpen }) => !isOpen) || user.connections > 1;
		await until('the others are let go', isOver);
		expect(user).toMatchObject({ connections: 1, losses: 0 });
		expect(finder.link!.replica).toBe(1);
	});

	test('who was dialled is there: nobody goes elsewhere without a word', async () => {
		second = await replica(2, { role: 'follower' });
		const finder = await begin();
		await until('the second is reached', () => user.connections > 0);
		first.script = { role: 'leader' };
		await asked();
		expect(finder.link?.replica).toBe(2);
		expect(user).toMatchObject({ connections: 1, losses: 0 });
	});
});
