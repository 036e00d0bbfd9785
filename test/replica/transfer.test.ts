import { afterEach, describe, expect, it } from 'vitest';
import { BadOption, NotLeader, TransferFailed } from '../../src/errors.js';
import type { Replica } from '../../src/index.js';
import { Cluster, pause, until } from './cluster.js';
import { numbered } from './machines.js';

let cluster: Cluster | undefined;
afterEach(async () => {
	await cluster?.close();
	cluster = undefined;
});

/** Proposes one entry after the other, a few at once, until told to stop. */
function load(replica: () => Replica) {
	let isOver = false;
	const seen = { done: 0, notLeader: new Set<number>(), others: [] as unknown[] };
	const run = async () => {
		for (let i = 0; !isOver; i += 1) {
			try {
				await replica().propose(numbered(i));
				seen.done += 1;
			} catch (error) {
				if (error instanceof NotLeader) seen.notLeader.add(error.leader);
				else seen.others.push(error);
				await pause(1);
			}
		}
	};
	const callers = Array.from({ length: 8 }, run);
	const stop = async () => {
		isOver = true;
		await Promise.all(callers);
		return seen;
	};
	return { seen, stop };
}

describe('leadership goes to another replica', () => {
	it('named by the leader’s caller; under load nothing that was appended is lost sight of', async () => {
		cluster = await Cluster.open(3);
		await cluster.voting();
		const leader = await cluster.leader();
		const [target] = await cluster.followers();
		const { seen, stop } = load(() => leader);
		await until('there is a load', () => seen.done > 100);
		const { term } = leader.status();
		expect(await leader.transferLeadership(target!.id)).toBe(target!.id);
		expect(leader.status().term).toBe(term + 1);
		await until('somebody is told', () => seen.notLeader.size > 0);
		await stop();
		expect(seen.others.map(String)).toEqual([]);
		// Whoever came in between was told who leads now, and not that nobody does.
		expect([...seen.notLeader]).toEqual([target!.id]);
		await target!.propose(numbered(1));
	});

	it('chosen by itself, for a caller of a follower; again and again under load', async () => {
		// Under any load: who isn't heard from for an election time-out, because its disk holds up the new term, is no target.
		cluster = await Cluster.open(3, () => ({ electionTimeoutMs: 3000 }));
		await cluster.voting();
		const replicas = [...cluster.replicas.values()];
		let leader = await cluster.leader();
		const { seen, stop } = load(() => leader);
		for (let round = 0; round < 10; round += 1) {
			const caller = replicas[round % 3]!;
			const before = leader.id;
			const after = await caller.transferLeadership();
			expect(after).not.toBe(before);
			leader = await cluster.leader();
			expect(leader.id).toBe(after);
		}
		await stop();
		expect(seen.others.map(String)).toEqual([]);
		expect(seen.notLeader.has(0)).toBe(false);
	});

	it('with a target that leads already there is nothing to do', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const { term } = leader.status();
		expect(await leader.transferLeadership(leader.id)).toBe(leader.id);
		expect(leader.status().term).toBe(term);
	});

	it('before it closes: nobody has to notice a silence, and what is under way is answered', async () => {
		cluster = await Cluster.open(3);
		await cluster.voting();
		const leader = await cluster.leader();
		const { seen, stop } = load(() => leader);
		await until('there is a load', () => seen.done > 100);
		const lines = [...cluster.lines.values()].map((each) => each.length);
		await cluster.stop(leader.id);
		const next = await cluster.leader();
		const later = [...cluster.lines.values()].flatMap((each, i) => each.slice(lines[i]));
		expect(later.filter((line) => line.startsWith('pre-candidate'))).toEqual([]);
		expect(next.status().role).toBe('leader');
		await stop();
		expect(seen.others.every((error) => `${error}`.includes('it was closed'))).toBe(true);
		expect([...seen.notLeader].filter((id) => id !== next.id)).toEqual([]);
	});
});

describe('a transfer that fails', () => {
	it('to a replica that is gone: the leader goes on', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		const [gone] = await cluster.followers();
		await cluster.stop(gone!.id);
		const failure = leader.transferLeadership(gone!.id);
		const proposal = leader.propose(numbered(1));
		await expect(failure).rejects.toThrow(TransferFailed);
		await proposal;
		expect(leader.status().role).toBe('leader');
	});

	it('without anybody to take over', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		await expect(leader.transferLeadership()).rejects.toThrow(TransferFailed);
		await expect(leader.transferLeadership(7)).rejects.toThrow(BadOption);
	});

	it('without a leader, or of a replica that is closed', async () => {
		cluster = await Cluster.openOnly([1], 3);
		const [replica] = [...cluster.replicas.values()];
		await expect(replica!.transferLeadership()).rejects.toThrow(NotLeader);
		await replica!.close();
		await expect(replica!.transferLeadership()).rejects.toThrow(/stopped/);
	});

	it('because the caller gives up: proposals go on', async () => {
		cluster = await Cluster.open(3);
		await cluster.voting();
		const leader = await cluster.leader();
		const [target] = await cluster.followers();
		const controller = new AbortController();
		const transfer = leader.transferLeadership(target!.id, { signal: controller.signal });
		controller.abort();
		await expect(transfer).rejects.toThrow(TransferFailed);
		// It may have been told already.
		for (;;) {
			const next = await cluster.leader();
			const outcome = await next.propose(numbered(1)).catch((error: Error) => error);
			if (!(outcome instanceof Error)) break;
			expect(outcome.name).toMatch(/^(NotLeader|UnknownOutcome)$/);
		}
	});
});
