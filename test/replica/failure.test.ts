import { open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { BatchWriter } from '../../src/format/batch-writer.js';
import { Memory } from '../../src/format/memory.js';
import {
	AddressInUse,
	BadOption,
	Corruption,
	DirectoryLocked,
	DiskError,
	openReplica,
	type ReplicaOptions,
	StateMachineFailed,
	Stopped,
	WrongDirectory,
} from '../../src/index.js';
import { Cluster, pause, until } from './cluster.js';
import { HandledDisk } from './doors.js';
import { NumberMachine, numbered } from './machines.js';

let cluster: Cluster;
afterEach(() => cluster.close());

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Throws at the entry with this number. */
class BrittleMachine extends NumberMachine {
	readonly #weakness: number;
	readonly #isLate: boolean;

	constructor(weakness: number, isLate: boolean) {
		super();
		this.#weakness = weakness;
		this.#isLate = isLate;
	}

	override apply(batch: Parameters<NumberMachine['apply']>[0]): number[] {
		const results = super.apply(batch);
		if (this.numbers.includes(this.#weakness)) {
			if (this.#isLate) return Promise.reject(new Error('it broke')) as never;
			throw new Error('it broke');
		}
		return results;
	}
}

describe('rule 33: a state machine that throws', () => {
	it.each([false, true])('stops its replica, and no other (asynchronously: %s)', async (isLate) => {
		const brittle = new BrittleMachine(7, isLate);
		cluster = await Cluster.open(3, (id) => (id === 2 ? { stateMachine: brittle } : {}));
		await cluster.leader();
		const hurt = cluster.replica(2);
		const stopped: Error[] = [];
		hurt.on('stopped', (error) => stopped.push(error));
		let index = 0;
		for (const n of range(0, 20)) {
			const leader = await cluster.leader();
			const proposed = await leader.propose(numbered(n)).catch(() => null);
			if (n === 7) index = proposed?.index ?? hurt.status().applied + 1;
		}
		await until('it has stopped', () => stopped.length > 0);
		expect(stopped).toHaveLength(1);
		expect(stopped[0]).toBeInstanceOf(StateMachineFailed);
		expect(stopped[0]).toMatchObject({ index, cause: { message: 'it broke' } });
		// It skips nothing: nothing behind the entry was given to it.
		expect(brittle.numbers.at(-1)).toBe(7);
		expect(hurt.status().stopped).toContain(`index ${index}`);
		expect(hurt.status().applied).toBe(index - 1);
		await expect(hurt.propose(numbered(1))).rejects.toBeInstanceOf(Stopped);
		await expect(hurt.read('last')).rejects.toMatchObject({ cause: stopped[0] });
		const leader = await cluster.leader();
		await leader.propose(numbered(100));
		expect(await leader.read('last')).toBe(100);
	});
});

/** One entry of a session, as its producer sends it. */
function sessionFrame(session: number, sequence: number): { memory: Memory; length: number } {
	const memory = new Memory(4096);
	const writer = new BatchWriter(1);
	writer.begin(memory, 0, memory.size);
	writer.add(numbered(1));
	return {
		memory,
		length: writer.finish({ group: 1, session, sequence, kind: BatchKind.entries }),
	};
}

describe('an asynchronous state machine', () => {
	it('is never asked again before it is done', async () => {
		let running = 0;
		let isOverlapping = false;
		const seen: number[] = [];
		const slow: ReplicaOptions['stateMachine'] = {
			async apply(batch) {
				running += 1;
				isOverlapping ||= running > 1;
				await pause(5);
				const results = range(0, batch.count).map((i) => batch.index + i);
				seen.push(...results);
				running -= 1;
				return results;
			},
		};
		cluster = await Cluster.open(3, (id) => (id === 1 ? { stateMachine: slow } : {}));
		const leader = await cluster.leader();
		const proposals: Promise<unknown>[] = [];
		// Each in a turn of its own, and none waits for the one before: batches come faster than they are applied.
		for (const n of range(0, 50)) {
			proposals.push(leader.propose(numbered(n)));
			await pause(1);
		}
		await Promise.all(proposals);
		await cluster.settled();
		expect(isOverlapping).toBe(false);
		expect(seen).toHaveLength(50);
		expect(seen).toEqual([...seen].sort((a, b) => a - b));
	});

	it('is waited for by a batch that a session sends again while it is applied', async () => {
		let finish = () => {};
		let begun = 0;
		const slow: ReplicaOptions['stateMachine'] = {
			apply: () => {
				begun += 1;
				return new Promise<undefined>((resolve) => {
					finish = () => resolve(undefined);
				});
			},
		};
		cluster = await Cluster.open(1, () => ({ stateMachine: slow }));
		const leader = await cluster.leader();
		const frame = sessionFrame(77, 1);
		const told: string[] = [];
		const send = (name: string) => {
			const waiter = {
				count: 1,
				applied: () => told.push(name),
				failed: () => told.push('failed'),
			};
			return leader.proposeFrame(frame.memory, 0, frame.length, waiter);
		};
		await until('the leader is ready', () => send('first') === 'taken');
		await until('it is being applied', () => begun === 1);
		expect(send('again')).toBe('later');
		expect(told).toEqual([]);
		finish();
		await until('the first is told', () => told.length === 1);
		expect(send('again')).toBe('taken');
		expect(told).toEqual(['first', 'again']);
		expect(begun).toBe(1);
	});

	it('that takes its time stops neither the others nor a change of leader', async () => {
		let go = () => {};
		const gate = new Promise<void>((resolve) => {
			go = resolve;
		});
		const stuck = () => ({ apply: () => gate.then(() => undefined) });
		const limits = {
			slabBytes: 65_536,
			slabsMax: 8,
			batchBytes: 8192,
			batchEntriesMax: 512,
			entryBytesMax: 16_384,
			uncommittedBytesMax: 131_072,
			segmentBytes: 1024 * 1024,
			tailBytesMax: 65_536,
		};
		const change = () => ({ limits });
		cluster = await Cluster.open(3, change);
		const first = await cluster.leader();
		const others = cluster.ids.filter((id) => id !== first.id);
		for (const id of others) await cluster.stop(id);
		for (const id of others) await cluster.start(id, { limits, stateMachine: stuck() });
		await until('a leader', () =>
			[...cluster.replicas.values()].some((r) => r.status().leader > 0),
		);
		// Fill the followers with what they can't apply, until they have no memory left.
		for (let i = 0; i < 2000; i++) {
			const leader = [...cluster.replicas.values()].find((r) => r.status().role === 'leader');
			leader?.propose(numbered(i, 4096)).catch(() => {});
			if (i % 20 === 0) await pause(1);
		}
		await cluster.stop(first.id);
		await until('one of them leads', () =>
			others.some((id) => cluster.replica(id).status().role === 'leader'),
		);
		for (const id of others) expect(cluster.replica(id).status().stopped).toBe(null);
		go();
		await cluster.leader();
		for (const id of others) expect(cluster.replica(id).status().stopped).toBe(null);
	});
});

describe('the disk', () => {
	it('rule 29: nothing is acknowledged before it is on the disks of a majority', async () => {
		const disks = new Map([1, 2, 3].map((id) => [id, new HandledDisk()]));
		cluster = await Cluster.open(3, (id) => ({
			doors: disks.get(id)!.doors(),
			electionTimeoutMs: 3000,
		}));
		const leader = await cluster.leader();
		await leader.propose(numbered(1));
		const followers = cluster.ids.filter((id) => id !== leader.id);
		for (const id of followers) disks.get(id)!.hold();
		let isAcknowledged = false;
		const proposal = leader.propose(numbered(2)).then(() => {
			isAcknowledged = true;
		});
		await until('both have it in memory', () =>
			followers.every((id) => disks.get(id)!.heldWrites > 0),
		);
		await pause(50);
		expect(isAcknowledged).toBe(false);
		expect(leader.status()).toMatchObject({ committed: leader.status().last - 1 });
		disks.get(followers[0]!)!.release();
		await proposal;
		disks.get(followers[1]!)!.release();
		// The leader's own disk is no exception: a majority without it is enough, and it alone is none.
		disks.get(leader.id)!.hold();
		await leader.propose(numbered(3));
		expect(leader.status().persisted).toBeLessThan(leader.status().committed);
		disks.get(leader.id)!.release();
	});

	it('rule 22: a failed write is final: it names file and errno, and the others go on', async () => {
		const disk = new HandledDisk();
		cluster = await Cluster.open(3, (id) => (id === 1 ? { doors: disk.doors() } : {}));
		await (await cluster.leader()).propose(numbered(1));
		const hurt = cluster.replica(1);
		let failure: Error | undefined;
		hurt.on('stopped', (error) => {
			failure = error;
		});
		disk.failure = 'EIO';
		for (let n = 0; failure === undefined; n++) {
			const leader = [...cluster.replicas.values()].find((r) => r.status().role === 'leader');
			await leader?.propose(numbered(n)).catch(() => {});
			await pause(1);
		}
		expect(failure).toBeInstanceOf(DiskError);
		expect(failure).toMatchObject({ errno: 'EIO', path: expect.stringContaining('segment') });
		// The disk works again, but nobody knows what is on it: the replica stays stopped.
		disk.failure = null;
		const { term } = hurt.status();
		await (await cluster.leader()).propose(numbered(2));
		await pause(1500);
		expect(hurt.status()).toMatchObject({ term, stopped: expect.stringContaining('EIO') });
		await expect(hurt.propose(numbered(3))).rejects.toBeInstanceOf(Stopped);
	});

	async function segments(id: number): Promise<string[]> {
		const directory = join(cluster.directoryOf(id), 'log');
		const names = await readdir(directory);
		return names.filter((name) => name.endsWith('.segment')).map((name) => join(directory, name));
	}

	/** The segment that holds this text, and where. */
	async function find(id: number, content: Uint8Array): Promise<{ path: string; offset: number }> {
		for (const path of await segments(id)) {
			const offset = (await readFile(path)).indexOf(content);
			if (offset >= 0) return { path, offset };
		}
		throw new Error('it is in no segment');
	}

	it('rule 23: a flipped bit in the middle is Corruption, with file and offset', async () => {
		cluster = await Cluster.open(3);
		const leader = await cluster.leader();
		for (const n of range(0, 50)) await leader.propose(numbered(n, 100));
		await cluster.settled();
		await cluster.stop(1);
		const { path, offset } = await find(1, numbered(20, 100));
		const file = await open(path, 'r+');
		await file.write(Uint8Array.of(0x40), 0, 1, offset + 50);
		await file.close();
		const error = await cluster.start(1, { onDamage: 'refuse' }).catch((e) => e);
		expect(error).toBeInstanceOf(Corruption);
		expect(error.path).toBe(path);
		expect(error.offset).toBeGreaterThan(offset - 400);
		expect(error.offset).toBeLessThanOrEqual(offset + 50);
		expect(error.message).toContain(String(error.offset));
		await (await cluster.leader()).propose(numbered(1));
	});

	it('a cut tail is recovered up to the cut', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		for (const n of range(0, 50)) await leader.propose(numbered(n, 100));
		await cluster.stop(1);
		const { path, offset } = await find(1, numbered(49, 100));
		const { length } = await readFile(path);
		await truncate(path, offset + 50);
		await truncate(path, length);
		await cluster.start(1);
		const again = await cluster.leader();
		expect(again.status().counters['tornBytes']).toBeGreaterThan(0);
		await again.propose(numbered(50, 100));
		expect(cluster.machine(1).numbers).toEqual([...range(0, 49), 50]);
	});
});

describe('openReplica', () => {
	it('refuses a directory that is in use, and leaves the other alone', async () => {
		cluster = await Cluster.open(1);
		const leader = await cluster.leader();
		await expect(openReplica(cluster.options(1))).rejects.toBeInstanceOf(DirectoryLocked);
		await leader.propose(numbered(1));
	});

	it('refuses a port that is taken, closes the state machine and lets go of the directory', async () => {
		cluster = await Cluster.open(1);
		const machine = new NumberMachine();
		const dir = cluster.directoryOf(2);
		const options = { ...cluster.options(1), dir, stateMachine: machine };
		await expect(openReplica(options)).rejects.toBeInstanceOf(AddressInUse);
		expect(machine.isClosed).toBe(true);
		await cluster.stop(1);
		await (await openReplica({ ...options, stateMachine: new NumberMachine() })).close();
	});

	it('rule 24: refuses the directory of another replica, cluster or group', async () => {
		cluster = await Cluster.open(1);
		await (await cluster.leader()).propose(numbered(1));
		await cluster.stop(1);
		const options = cluster.options(1);
		const strangers: Partial<ReplicaOptions>[] = [
			{ cluster: 'other' },
			{ group: 2 },
			{ id: 2, peers: { 2: cluster.peers[1]! } },
		];
		for (const stranger of strangers) {
			await expect(openReplica({ ...options, ...stranger })).rejects.toBeInstanceOf(WrongDirectory);
		}
		await cluster.start(1);
	});

	it('turns away peers of another cluster, and says so', async () => {
		cluster = await Cluster.open(2, (id) => ({ cluster: id === 1 ? 'one' : 'two' }));
		await until('both have said so', () =>
			cluster.ids.every((id) => cluster.lines.get(id)!.some((l) => l.includes('another cluster'))),
		);
		for (const id of cluster.ids) expect(cluster.replica(id).status().leader).toBe(0);
	});

	it('says which option cannot work', async () => {
		cluster = await Cluster.open(1);
		const options = cluster.options(1);
		const address = cluster.peers[1]!;
		const wrong: [Record<string, unknown>, RegExp][] = [
			[{ id: 0 }, /^id must be a whole number/],
			[{ id: 1.5 }, /^id must/],
			[{ id: 2 }, /peers must name replica 2/],
			[{ dir: '' }, /^dir must/],
			[{ dir: undefined }, /^dir must/],
			[{ peers: undefined }, /^peers must/],
			[{ peers: { 1: 'nowhere' } }, /'nowhere' is not an address/],
			[{ peers: { 1: '127.0.0.1:0' } }, /is not an address/],
			[{ peers: { 1: '127.0.0.1:70000' } }, /is not an address/],
			[{ peers: { 1: address, x: '127.0.0.1:1' } }, /a peer id/],
			[{ peers: { 1: address, 2: address } }, /the same address/],
			[{ stateMachine: undefined }, /^stateMachine must/],
			[{ stateMachine: {} }, /^stateMachine must/],
			[{ durability: 'maybe' }, /^durability/],
			[{ heartbeatMs: 0 }, /^heartbeatMs/],
			[{ electionTimeoutMs: 10 }, /^electionTimeoutMs/],
			[{ retainBytes: -1 }, /^retainBytes/],
			[{ retainBytes: Number.NaN }, /^retainBytes/],
			[{ limits: { slabBytes: 100 } }, /slabBytes/],
			[{ limits: { slabsMax: -1 } }, /slabsMax/],
			[{ limits: { uncommittedBytesMax: 1000 } }, /uncommittedBytesMax/],
		];
		for (const [change, message] of wrong) {
			const attempt = openReplica({ ...options, ...change } as unknown as ReplicaOptions);
			const error = await attempt.then(
				(replica) => replica.close(),
				(reason) => reason,
			);
			expect(error, JSON.stringify(change)).toBeInstanceOf(BadOption);
			expect(error.message).toMatch(message);
		}
	});
});
