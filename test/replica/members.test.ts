import { afterEach, describe, expect, it } from 'vitest';
import { BadOption, ChangeRefused } from '../../src/errors.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, until } from './cluster.js';
import { freePeers } from './ports.js';

let cluster: Cluster;
afterEach(() => cluster.close());

const entry = (number: number) => new TextEncoder().encode(String(number));
const votersOf = (replica: Replica) => replica.status().members.voters.map(({ id }) => id);

/** A cluster of three, and the address of a fourth. */
async function three(): Promise<string> {
	const peers = await freePeers(4);
	cluster = await Cluster.open(3);
	await cluster.leader();
	return peers[4]!;
}

/** The leader knows that it has everything. */
function caughtUp(leader: Replica, id: number): Promise<void> {
	return until('it has caught up', () => {
		const { peers, last } = leader.status();
		return peers.find((peer) => peer.id === id)?.match === last;
	});
}

/** Opens a replica that joins those of the cluster. */
function join4(address: string, join = true): Promise<Replica> {
	return cluster.start(4, { peers: { ...cluster.peers, 4: address }, join });
}

describe('adding a replica', () => {
	it('it catches up as a learner, and becomes a voter', async () => {
		const address = await three();
		const leader = await cluster.leader();
		for (let i = 0; i < 20; i++) await leader.propose(entry(i));
		const fourth = await join4(address);
		const members = await leader.addMember({ id: 4, address });
		expect(members.voters.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
		await until('it knows', () => fourth.status().standing === 'voter');
		await leader.propose(entry(99));
		await cluster.settled();
		for (const id of [1, 2, 3]) expect(votersOf(cluster.replica(id))).toEqual([1, 2, 3, 4]);
	});

	it('a learner that is not to be promoted gets everything and counts nowhere', async () => {
		const address = await three();
		const leader = await cluster.leader();
		await join4(address);
		await leader.addMember({ id: 4, address }, { promote: false });
		await leader.propose(entry(1));
		await cluster.settled();
		await until('it is a learner', () => cluster.replica(4).status().standing === 'learner');
		expect(cluster.replica(4).status().role).toBe('follower');
		await caughtUp(leader, 4);
		await leader.promote(4);
		expect(votersOf(leader)).toEqual([1, 2, 3, 4]);
	});

	it('who joins is not one of those it was told of, even if it is started again without saying so', async () => {
		const address = await three();
		const leader = await cluster.leader();
		const fourth = await join4(address);
		await until('it is not on probation', () => fourth.status().standing === 'no-member');
		await cluster.stop(4);
		const again = await join4(address, false);
		expect(again.status().standing).toBe('no-member');
		expect(votersOf(again)).toEqual([1, 2, 3]);
		await leader.addMember({ id: 4, address });
		expect(votersOf(leader)).toEqual([1, 2, 3, 4]);
	});

	it('after a restart all find each other by the log', async () => {
		const address = await three();
		const leader = await cluster.leader();
		await join4(address);
		await leader.addMember({ id: 4, address });
		await leader.propose(entry(1));
		await cluster.settled();
		for (const id of [1, 2, 3, 4]) await cluster.stop(id);
		for (const id of [1, 2, 3]) await cluster.start(id);
		const own = { 4: address, 1: cluster.peers[1]! };
		await cluster.start(4, { peers: own, join: true });
		const next = await cluster.leader();
		await next.propose(entry(2));
		await cluster.settled();
		for (const replica of cluster.replicas.values())
			expect(votersOf(replica)).toEqual([1, 2, 3, 4]);
	});
});

describe('removing a replica', () => {
	it('a follower that is removed learns of it, and disturbs nobody', async () => {
		await three();
		const leader = await cluster.leader();
		const [gone] = (await cluster.followers()).map(({ id }) => id);
		await leader.removeMember(gone!);
		await until('it knows', () => cluster.replica(gone!).status().standing === 'no-member');
		const { term } = leader.status();
		for (let i = 0; i < 10; i++) await leader.propose(entry(i));
		expect(leader.status()).toMatchObject({ term, role: 'leader' });
		expect(votersOf(leader)).not.toContain(gone);
	});

	it('a leader that is removed steps down when that is committed, and the others go on', async () => {
		await three();
		const leader = await cluster.leader();
		const members = await leader.removeMember(leader.id);
		expect(members.voters.map(({ id }) => id)).not.toContain(leader.id);
		expect(leader.status().role).toBe('follower');
		cluster.replicas.delete(leader.id);
		try {
			const next = await cluster.leader();
			await next.propose(entry(1));
			expect(votersOf(next)).toHaveLength(2);
		} finally {
			await leader.close();
		}
	});

	it('the last voter stays', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		await expect(leader.removeMember(1)).rejects.toThrow(BadOption);
	});
});

it('a dead replica is replaced by a new one in one change', async () => {
	const address = await three();
	const leader = await cluster.leader();
	const [dead] = (await cluster.followers()).map(({ id }) => id);
	await cluster.stop(dead!);
	for (let i = 0; i < 20; i++) await leader.propose(entry(i));
	await join4(address);
	const members = await leader.replaceMember(dead!, { id: 4, address });
	expect(members.voters.map(({ id }) => id).sort()).toEqual(
		[1, 2, 3, 4].filter((id) => id !== dead),
	);
	await leader.propose(entry(99));
	await cluster.settled();
	await until('it votes', () => cluster.replica(4).status().standing === 'voter');
});

it('a learner that is promoted by hand replaces whom it was to replace', async () => {
	const address = await three();
	const leader = await cluster.leader();
	const [old] = (await cluster.followers()).map(({ id }) => id);
	await leader.changeMembers({ add: [{ id: 4, address, replaces: old! }] });
	await join4(address);
	await caughtUp(leader, 4);
	await leader.promote(4);
	const { voters, removed } = leader.status().members;
	expect(voters.map(({ id }) => id).sort()).toEqual([1, 2, 3, 4].filter((id) => id !== old));
	expect(removed).toEqual([old]);
});

it('who waits for a learner to become a voter is told when it is removed', async () => {
	const address = await three();
	const leader = await cluster.leader();
	const added = leader.addMember({ id: 4, address });
	const refused = expect(added).rejects.toThrow(/removed before it was a voter/);
	await until('it is a learner', () => leader.status().members.learners.length === 1);
	await leader.propose(entry(1));
	await leader.removeMember(4);
	await refused;
});

describe('a change that would never end is refused', () => {
	it('a learner that was never started is not promoted by hand', async () => {
		const address = await three();
		const leader = await cluster.leader();
		await leader.addMember({ id: 4, address }, { promote: false });
		await expect(leader.promote(4)).rejects.toThrow(/has not caught up: start it/);
		expect(leader.status().members).toMatchObject({ outgoing: [], isPending: false });
		await leader.propose(entry(1));
	});

	it('nobody goes whom the rest needs for a majority, while one of them is down', async () => {
		await three();
		const leader = await cluster.leader();
		const [dead, alive] = (await cluster.followers()).map(({ id }) => id);
		await cluster.stop(dead!);
		const isMissed = () => leader.status().peers.find(({ id }) => id === dead)?.match === 0;
		await until('it is missed', isMissed);
		const refused = leader.removeMember(alive!);
		await expect(refused).rejects.toThrow(ChangeRefused);
		await expect(refused).rejects.toThrow(`replica ${dead} is not heard from`);
		await leader.propose(entry(1));
		await leader.removeMember(dead!);
		expect(votersOf(leader)).not.toContain(dead);
	});
});

it('members change as often as one likes', async () => {
	const address = await three();
	const leader = await cluster.leader();
	for (let id = 4; id < 24; id++) {
		await leader.addMember({ id, address }, { promote: false });
		await leader.removeMember(id);
	}
	expect(votersOf(leader)).toEqual([1, 2, 3]);
	expect(leader.status().members.removed).toHaveLength(20);
});

it('a second change is refused while one is under way, and what makes no sense is refused at once', async () => {
	const address = await three();
	const leader = await cluster.leader();
	const first = leader.changeMembers({ add: [{ id: 4, address }] });
	await expect(leader.removeMember(2)).rejects.toThrow(ChangeRefused);
	await first;
	await expect(leader.addMember({ id: 4, address: 'a:1' })).rejects.toThrow(/a member already/);
	await expect(leader.addMember({ id: 5, address })).rejects.toThrow(/has the address/);
	await expect(leader.removeMember(9)).rejects.toThrow(/not a member/);
	await expect(leader.promote(1)).rejects.toThrow(/not a learner/);
	await expect(leader.replaceMember(9, { id: 5, address: 'a:1' })).rejects.toThrow(/not a voter/);
	await leader.removeMember(4);
	await expect(leader.addMember({ id: 4, address })).rejects.toThrow(/was removed/);
});
