/** Rule 19 in whole replicas: sessions that are registered, end, and are unknown. */
import { expect, it } from 'vitest';
import { connect } from '../../src/client/index.js';
import { NotLeader, SessionExpired, Unavailable } from '../../src/errors.js';
import { BatchKind } from '../../src/format/batch.js';
import type { BatchView } from '../../src/format/batch-view.js';
import { registrationEntry } from '../../src/format/registration.js';
import { encodeResults } from '../../src/format/results.js';
import type { Replica } from '../../src/replica/replica.js';
import type { Versions } from '../../src/transport/versions.js';
import { batchFrame, memoryOf } from '../format/frames.js';
import { NumberMachine, numbered, SnapshotMachine } from './machines.js';
import { KIB, LIMITS, SmallWorld } from './small-world.js';

const NUMBERS = { group: 1, term: 0, index: 0, parent: 0, time: 0 };

/** What became of one frame. */
interface Told {
	index: number;
	error: Error | null;
	/** Of one that was applied before. */
	results: Uint8Array | null | 'lost';
}

function propose(replica: Replica, frame: Uint8Array): Told & { taken: string } {
	const told = { index: 0, error: null, results: null, taken: '' } as Told & { taken: string };
	told.taken = replica.proposeFrame(memoryOf(frame), 0, frame.length, {
		count: 1,
		applied: (index) => {
			told.index = index;
		},
		failed: (error) => {
			told.error = error;
		},
		repeated: (index, results) => Object.assign(told, { index, results }),
	});
	return told;
}

const registration = (durationMs: number) =>
	batchFrame([registrationEntry({ durationMs, sessionsMax: 0 })], {
		...{ ...NUMBERS, session: 0, sequence: 0, kind: BatchKind.session },
	});

const batch = (session: number, sequence: number, number: number, waits = 0) =>
	batchFrame([numbered(number)], {
		...{ ...NUMBERS, session, sequence, kind: BatchKind.entries, waits },
	});

/** Registers a session. @returns its number */
async function session(small: SmallWorld, replica: Replica, durationMs: number): Promise<number> {
	const told = propose(replica, registration(durationMs));
	await small.until('it is registered', () => told.index > 0);
	return told.index;
}

it('rule 19: the first batch of a session that has ended is not applied again, whoever leads', async () => {
	const small = await SmallWorld.open('ended', 3);
	const { replica, parts } = await small.leader();
	const number = await session(small, replica, 1000);
	const first = propose(replica, batch(number, 1, 7));
	await small.until('it is applied', () => first.index > 0);
	expect(first.index).toBeGreaterThan(number);
	expect(propose(replica, batch(number, 1, 7)).index).toBe(first.index);

	await small.world.run(1100);
	await small.world.complete(replica.propose(numbered(8)));
	expect(() => propose(replica, batch(number, 1, 7))).toThrow(SessionExpired);
	parts.loop.transfer(0);
	await small.until('another leads', () => !parts.loop.isLeader);
	const next = await small.leader();
	expect(() => propose(next.replica, batch(number, 1, 7))).toThrow(SessionExpired);
	await small.until('all have all', () =>
		small.nodes.every(({ state }) => state.numbers.length > 1),
	);
	for (const { state } of small.nodes) expect(state.numbers).toEqual([7, 8]);
});

it('rule 19: what its leader has taken is passed over by all when its session is pushed out before', async () => {
	const small = await SmallWorld.open('pushed out', 3, () => ({ limits: { sessionsMax: 2 } }));
	const { replica } = await small.leader();
	const number = await session(small, replica, 60_000);
	propose(replica, registration(60_000));
	propose(replica, registration(60_000));
	const late = propose(replica, batch(number, 1, 7));
	expect(late.taken).toBe('taken');
	await small.until('it is answered', () => late.error !== null);
	expect(late.error).toBeInstanceOf(SessionExpired);
	await small.world.complete(replica.propose(numbered(8)));
	await small.until('all have it', () =>
		small.nodes.every(({ state }) => state.numbers.length > 0),
	);
	for (const { state, parts } of small.nodes) {
		expect(state.numbers).toEqual([8]);
		expect(parts.sessions.count).toBe(2);
	}
});

it('rule 19: the limit of the leader that registers counts for all', async () => {
	const small = await SmallWorld.open('limits', 3, (id) => ({ limits: { sessionsMax: id } }));
	const { id, replica } = await small.leader();
	for (let i = 0; i < 5; i++) await session(small, replica, 60_000);
	await small.until('all have them', () =>
		small.nodes.every(({ parts }) => parts.sessions.isBegun),
	);
	await small.world.run(200);
	expect(small.nodes.map(({ parts }) => parts.sessions.count)).toEqual([id, id, id]);
});

it('a leader of the past does not say that a session has ended of which it has not heard', async () => {
	const small = await SmallWorld.open('past', 3);
	const { replica } = await small.leader();
	const number = await session(small, replica, 60_000);
	expect(() => propose(replica, batch(number + 1000, 1, 7))).toThrow(NotLeader);
});

it('a client whose session has ended while it was idle takes another one, unnoticed', async () => {
	const small = await SmallWorld.open('idle', 3);
	await small.leader();
	const doors = small.world.machine('client').start();
	const peers = { 1: 'r1:7000', 2: 'r2:7000', 3: 'r3:7000' };
	const client = connect({ peers, doors, sessionMs: 1000 });
	for (const number of [1, 2, 3]) {
		await small.world.complete(client.propose(numbered(number)));
		await small.world.run(5000);
	}
	expect((await small.leader()).state.numbers).toEqual([1, 2, 3]);
	await small.world.complete(client.close());
});

it('the first session waits until no replica of a program before sessions is there, which is refused from then on', async () => {
	const lines: string[] = [];
	const log = (line: string) => lines.push(line);
	const OLD: Versions = { protocol: { lowest: 1, highest: 1 }, format: { lowest: 1, highest: 1 } };
	const small = SmallWorld.closed('gate', 3);
	for (const id of [1, 2]) small.nodes.push(await small.start(id, { log }));
	small.nodes.push(await small.start(3, { log }, OLD));
	await small.until('an elected one', () =>
		small.nodes.some(({ parts }) => parts.loop.isReadyLeader),
	);
	const leader = await small.leader();
	if (leader.id === 3) {
		leader.parts.loop.transfer(1);
		await small.until('one of now leads', () => small.nodes[0]!.parts.loop.isReadyLeader);
	}
	const { replica } = await small.leader();
	await small.world.run(500);
	expect(() => propose(replica, registration(60_000))).toThrow(Unavailable);

	const restart = async (versions?: Versions) => {
		await small.world.complete(small.nodes[2]!.replica.close());
		small.nodes[2]!.machine.kill();
		small.nodes[2] = await small.start(3, { log }, versions);
		await small.world.run(1000);
	};
	await restart();
	const number = await session(small, replica, 60_000);
	const told = propose(replica, batch(number, 1, 7));
	await small.until('it is applied', () => told.index > 0);
	await restart(OLD);
	expect(lines.some((line) => /it speaks 1, and the log has some/.test(line))).toBe(true);
	expect(small.nodes[2]!.parts.applier.applied).toBeLessThan(told.index + 1);
	await restart();
	await small.until('it has it', () => small.nodes[2]!.parts.applier.applied >= told.index);
});

/** Returns the bytes of each entry, and how often it has applied any. */
class Echo extends SnapshotMachine {
	override apply(view: BatchView): never {
		const first = this.numbers.length;
		super.apply(view);
		return Array.from({ length: view.count }, (_, i) => Uint8Array.of(7, first + i)) as never;
	}
}

it('rule 19: who lost the answer is told what was returned, by another leader and behind a snapshot, until it says that it knows', async () => {
	const echo = () => ({ stateMachine: new Echo(), retainBytes: 0 });
	const small = await SmallWorld.open('results', 3, echo);
	const { replica } = await small.leader();
	const number = await session(small, replica, 600_000);
	const told = propose(replica, batch(number, 1, 7));
	await small.until('it is applied', () => told.index > 0);
	const waiting = propose(replica, batch(number, 2, 8, 1));
	await small.until('it is applied', () => waiting.index > 0);
	for (const node of small.nodes) await small.world.complete(node.replica.snapshot());
	for (const { id, machine } of [...small.nodes]) {
		machine.crash();
		small.nodes[id - 1] = await small.start(id, echo());
	}
	const again = (await small.leader()).replica;
	expect(propose(again, batch(number, 1, 7))).toMatchObject({
		index: told.index,
		results: encodeResults([Uint8Array.of(7, 0)], 0, 1),
	});
	const known = propose(again, batch(number, 3, 9, 0));
	await small.until('it is applied', () => known.index > 0);
	expect(propose(again, batch(number, 1, 7))).toMatchObject({ index: 0, results: null });
	expect(propose(again, batch(number, 3, 9))).toMatchObject({
		results: encodeResults([Uint8Array.of(7, 2)], 0, 1),
	});
});

/** Keeps its state itself, and gives none. */
class KeptMachine extends NumberMachine {
	readonly #kept: { index: number };

	constructor(kept: { index: number }) {
		super();
		this.#kept = kept;
	}

	open(): number {
		return this.#kept.index;
	}

	override apply(batch: BatchView): number[] {
		this.#kept.index = batch.lastIndex;
		return super.apply(batch);
	}
}

// Seed 1795313498755-3: one replica took it for a session without end, and applied what all others passed over.
it('rule 19: when a session ends is known after a restart without the front of the log, also where the state machine gives no snapshots', async () => {
	const kept = { index: 0 };
	const change = () => ({ stateMachine: new KeptMachine(kept), retainBytes: LIMITS.segmentBytes });
	const small = await SmallWorld.open('front', 1, change);
	const { replica, machine } = await small.leader();
	const number = await session(small, replica, 60_000);
	await small.until('its segment is written over', () => {
		if (replica.status().counters['proposedBytes'] === 0) {
			replica.propose(numbered(1, 4 * KIB)).catch(() => {});
		}
		return replica.status().first > number + 100;
	});
	const used = propose(replica, batch(number, 1, 7));
	await small.until('it is used once more', () => used.index > 0);
	machine.kill();
	small.nodes[0] = await small.start(1, change());
	const again = await small.leader();
	expect(propose(again.replica, batch(number, 1, 7))).toMatchObject({
		taken: 'taken',
		index: used.index,
	});
	await small.world.run(61_000);
	expect(() => propose(again.replica, batch(number, 2, 8))).toThrow(SessionExpired);
});

it('rule 19: a state that is older than the latest snapshot without it gets back the sessions that are older than the log', async () => {
	const kept = { index: 0 };
	const change = () => ({
		stateMachine: new KeptMachine(kept),
		retainBytes: 4 * LIMITS.segmentBytes,
	});
	const small = await SmallWorld.open('older', 1, change);
	const { replica, machine } = await small.leader();
	const number = await session(small, replica, 600_000);
	const used = propose(replica, batch(number, 1, 7));
	let noted = 0;
	replica.on('snapshot', ({ index }) => {
		if (replica.status().first > number) noted = index;
	});
	for (let i = 0; noted === 0; i++)
		await small.world.complete(replica.propose(numbered(i, 4 * KIB)));
	await small.world.run(100);
	machine.kill();
	// What the operator had put aside.
	kept.index = noted - 3;
	small.nodes[0] = await small.start(1, change());
	const again = await small.leader();
	expect(again.replica.status().first).toBeGreaterThan(number);
	await small.until('all is applied', () => kept.index >= noted);
	expect(propose(again.replica, batch(number, 1, 7))).toMatchObject({ index: used.index });
	const next = propose(again.replica, batch(number, 2, 8));
	await small.until('it is used once more', () => next.index > 0);
});
