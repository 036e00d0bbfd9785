import { expect, it } from 'vitest';
import { Busy, DiskError, NoSpace, StateMachineFailed } from '../../src/errors.js';
import { BatchKind } from '../../src/format/batch.js';
import { batchFrame, memoryOf } from '../format/frames.js';
import { NumberMachine, numbered } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';

/** Proposes `count` entries of a KiB, four at a time. */
async function grow({ world }: SmallWorld, { replica }: Node, count: number): Promise<void> {
	for (let i = 0; i < count; i += 4) {
		const four = [0, 1, 2, 3].map((n) => replica.propose(numbered(i + n, KIB)));
		await world.complete(Promise.all(four));
	}
}

it('rule 14: a leader that fails to read its log for a follower stops, and says which file', async () => {
	const small = await SmallWorld.open('unreadable', 3);
	const leader = await small.leader();
	const follower = small.nodes.find((node) => node !== leader)!;
	follower.machine.crash();
	await grow(small, leader, 200);
	leader.machine.disk.failNext('read', 'EIO', { path: '.segment' });
	await small.start(follower.id);
	await small.until('it stops', () => leader.replica.stopped !== null);
	const { cause } = leader.replica.stopped!;
	expect(cause).toBeInstanceOf(DiskError);
	expect(cause).toMatchObject({ operation: 'read', errno: 'EIO' });
	expect((cause as DiskError).path).toMatch(/\.segment$/);
	// The others go on without it.
	await small.until('another leads', () =>
		small.nodes.some((node) => node !== leader && node.parts.loop.isReadyLeader),
	);
});

it('rule 22: a failed write stops its replica for good: it acknowledges, answers and leads no more', async () => {
	const small = await SmallWorld.open('failed write', 3);
	const leader = await small.leader();
	await grow(small, leader, 4);
	leader.machine.disk.failNext('write', 'EIO', { path: '.segment' });
	const outcome = leader.replica.propose(numbered(99)).catch((e) => e);
	await small.until('it stops', () => leader.replica.stopped !== null, 5000);
	expect(leader.replica.stopped!.cause).toMatchObject({ operation: 'write', errno: 'EIO' });
	expect(await small.world.complete(outcome)).toMatchObject({ code: 'UNKNOWN_OUTCOME' });
	const { term, persisted } = leader.parts.raft;
	const { applied } = leader.parts.applier;
	await small.until('another leads', () =>
		small.nodes.some((node) => node !== leader && node.parts.loop.isReadyLeader),
	);
	await small.world.run(2000);
	// The others may well be heard still: they change nothing here.
	expect(leader.parts.raft).toMatchObject({ term, persisted });
	expect(leader.parts.applier.applied).toBe(applied);
	for (const call of [leader.replica.propose(numbered(1)), leader.replica.read('count')]) {
		const outcome = call.then(
			() => 'done',
			(e) => e,
		);
		expect(await small.world.complete(outcome, 1000)).toMatchObject({ code: 'STOPPED' });
	}
});

it('rule 25: a state machine that is older than the first entry kept is noticed', async () => {
	class Kept extends NumberMachine {
		held = 0;
		open(): number {
			return this.held;
		}
		override apply(batch: Parameters<NumberMachine['apply']>[0]): number[] {
			this.held = batch.lastIndex;
			return super.apply(batch);
		}
	}
	const kept = new Kept();
	const options = { stateMachine: kept, retainBytes: 64 * KIB };
	const small = await SmallWorld.open('older', 1, () => options);
	const leader = await small.leader();
	await grow(small, leader, 400);
	const { base } = leader.parts.log;
	expect(base.index).toBeGreaterThan(1);
	await small.world.complete(leader.replica.close());
	leader.machine.kill();
	// Restored from a backup that is too old.
	kept.held = base.index - 1;
	const error = await small.start(1, options).catch((e) => e);
	expect(error).toBeInstanceOf(StateMachineFailed);
	expect(error).toMatchObject({ index: base.index });
	expect(kept.isClosed).toBe(true);
	leader.machine.kill();
	kept.held = base.index;
	kept.isClosed = false;
	small.nodes[0] = await small.start(1, options);
	await grow(small, await small.leader(), 4);
});

it('rule 28: a disk that gets full refuses proposals by type, and reads go on', async () => {
	const small = await SmallWorld.open('full', 1);
	const leader = await small.leader();
	const { fileSystem } = leader.machine.disk;
	const { capacityBytes } = fileSystem;
	fileSystem.capacityBytes = capacityBytes - fileSystem.freeBytes + 200 * KIB;
	let error: unknown = null;
	for (let i = 0; error === null && i < 400; i += 4) {
		error = await grow(small, leader, 4).then(
			() => null,
			(e) => e,
		);
	}
	expect(error).toBeInstanceOf(NoSpace);
	expect(leader.replica.stopped).toBe(null);
	// Refused while there is still room for what was taken: nothing that was acknowledged is in doubt.
	const count = leader.state.numbers.length;
	expect(await small.world.complete(leader.replica.read('count'))).toBe(count);
	fileSystem.capacityBytes = capacityBytes;
	await small.world.run(3000);
	await grow(small, leader, 4);
	expect(leader.state.numbers.length).toBe(count + 4);
});

it('rule 34: a process that is held up again and again reads what waits before it judges', async () => {
	const small = await SmallWorld.open('held up', 3, () => ({ heartbeatMs: 140 }));
	const leader = await small.leader();
	const follower = small.nodes.find((node) => node !== leader)!;
	await grow(small, leader, 4);
	const { term } = leader.parts.raft;
	const roles: string[] = [];
	follower.replica.on('role', ({ role }) => roles.push(role));
	for (let i = 0; i < 60; i++) {
		follower.machine.suspend();
		// Now its own timer is what comes first, now a heartbeat.
		await small.world.run(700 + 11 * (i % 13));
		follower.machine.resume();
		await small.world.run(1);
	}
	expect(roles).toEqual([]);
	expect(leader.parts.raft.term).toBe(term);
	expect(leader.parts.loop.isReadyLeader).toBe(true);
});

it('rule 30: reads that wait are as many as may be', async () => {
	const readsMax = 16;
	const small = await SmallWorld.open('reads', 3, () => ({ limits: { readsMax } }));
	const leader = await small.leader();
	const errors: Error[] = [];
	let answers = 0;
	const read = () =>
		leader.replica.read('count').then(
			() => {
				answers += 1;
			},
			(error) => errors.push(error),
		);
	for (let i = 0; i < readsMax + 5; i++) read();
	await small.world.run(100);
	expect(errors).toHaveLength(5);
	for (const error of errors) expect(error).toBeInstanceOf(Busy);
	expect(answers).toBe(readsMax);
});

it('rule 19: a new leader judges a batch that comes again only once it knows what was committed', async () => {
	const small = await SmallWorld.open('again', 3);
	const first = await small.leader();
	const frame = batchFrame([numbered(7)], {
		group: 1,
		session: 77,
		sequence: 1,
		kind: BatchKind.entries,
		term: 0,
		index: 0,
		parent: 0,
		time: 0,
	});
	const memory = memoryOf(frame);
	const indexes: number[] = [];
	const waiter = { count: 1, applied: (index: number) => indexes.push(index), failed: () => {} };
	const propose = ({ replica }: Node) => replica.proposeFrame(memory, 0, frame.length, waiter);
	expect(propose(first)).toBe('taken');
	await small.until('it is applied', () => indexes.length === 1);
	// Nobody else may know yet that it is committed.
	first.machine.crash();
	const others = small.nodes.filter((node) => node !== first);
	const elected = () => others.find(({ parts }) => parts.loop.isLeader);
	await small.until('another is elected', () => elected() !== undefined);
	const next = elected()!;
	expect(next.parts.loop.isReadyLeader).toBe(false);
	expect(propose(next)).toBe('later');
	await small.until('it is ready', () => next.parts.loop.isReadyLeader);
	expect(propose(next)).toBe('taken');
	await small.world.run(1000);
	expect(indexes).toEqual([indexes[0], indexes[0]]);
	expect(next.state.numbers).toEqual([7]);
});
