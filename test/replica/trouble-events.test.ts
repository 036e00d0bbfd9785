/** What is told of snapshots that travel, of full disks, of damage, and of a replica that stops. */
import { expect, it } from 'vitest';
import { segmentNumber } from '../../src/log/segment-store.js';
import type { EventName } from '../../src/replica/events.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { numbered, SnapshotMachine } from './machines.js';
import { KIB, type Node, SmallWorld } from './small-world.js';
import { expectAsInTable, recorder, type Told } from './told.js';

/** Three replicas, and what each of them has told. */
class Telling {
	readonly told = new Map<number, Told[]>();
	readonly machines = new Map<number, SnapshotMachine>();
	readonly #change: Partial<ReplicaOptions>;
	small!: SmallWorld;
	#proposed = 0;

	private constructor(change: Partial<ReplicaOptions>) {
		this.#change = change;
	}

	static async open(seed: string, change: Partial<ReplicaOptions> = {}): Promise<Telling> {
		const telling = new Telling(change);
		telling.small = await SmallWorld.open(seed, 3, (id) => telling.options(id));
		return telling;
	}

	options(id: number): Partial<ReplicaOptions> {
		const { told, log } = recorder();
		this.told.set(id, told);
		const stateMachine = new SnapshotMachine();
		this.machines.set(id, stateMachine);
		return { stateMachine, log, ...this.#change };
	}

	async propose(count: number, to: Node): Promise<void> {
		for (let i = 0; i < count; i++) {
			this.#proposed += 1;
			await this.small.world.complete(to.replica.propose(numbered(this.#proposed, KIB)));
		}
	}

	/** A crash, what is done meanwhile, and another life. */
	async restart(node: Node, meanwhile: () => Promise<void> | void): Promise<void> {
		node.machine.crash();
		await meanwhile();
		this.small.nodes[node.id - 1] = await this.small.start(node.id, this.options(node.id));
	}

	/** The first of these events at a replica, once it is told. */
	async first(id: number, event: EventName): Promise<Told> {
		const find = () => this.told.get(id)!.find((told) => told.event === event);
		await this.small.until(`${event} is told`, () => find() !== undefined);
		return find()!;
	}

	/** In the order of their first times. */
	names(id: number, among: readonly EventName[]): EventName[] {
		const names = this.told.get(id)!.map(({ event }) => event);
		return [...new Set(names)].filter((name) => among.includes(name));
	}

	expectAsInTable(): void {
		for (const told of this.told.values()) expectAsInTable(told);
	}
}

it('a snapshot on its way: who sends it says to whom and how much, who gets it from whom', async () => {
	const telling = await Telling.open('on its way', {
		snapshotEveryBytes: 128 * KIB,
		retainBytes: 0,
	});
	const leader = await telling.small.leader();
	const away = telling.small.nodes.find((node) => node !== leader)!;
	await telling.restart(away, () => telling.propose(900, leader));
	const { fields: installed } = await telling.first(away.id, 'snapshot-installed');
	const { fields: sent } = await telling.first(leader.id, 'snapshot-sent');
	const SENDING = ['peer-behind', 'snapshot-sending', 'snapshot-sent'] as const;
	expect(telling.names(leader.id, SENDING)).toEqual(SENDING);
	const RECEIVING = ['snapshot-receiving', 'snapshot-installed'] as const;
	expect(telling.names(away.id, RECEIVING)).toEqual(RECEIVING);
	const { index, bytes } = sent as unknown as { index: number; bytes: number };
	expect(index).toBeGreaterThan(300);
	expect(bytes).toBeGreaterThan(0);
	expect(sent).toMatchObject({ replica: leader.id, peer: away.id });
	expect(installed).toMatchObject({ replica: away.id, index, bytes });
	// Others may have been begun before, that nobody took.
	const begun = (id: number, event: EventName) =>
		telling.told.get(id)!.filter((told) => told.event === event && told.fields['index'] === index);
	const [receiving] = begun(away.id, 'snapshot-receiving');
	expect(receiving!.fields).toMatchObject({ peer: leader.id, bytes, hasBytes: 0 });
	const [sending] = begun(leader.id, 'snapshot-sending');
	expect(sending!.fields).toMatchObject({ peer: away.id, bytes });
	telling.expectAsInTable();
});

it('a disk that is full, and has room again', async () => {
	const telling = await Telling.open('full');
	const leader = await telling.small.leader();
	const { fileSystem } = leader.machine.disk;
	const before = fileSystem.capacityBytes;
	fileSystem.capacityBytes += 200 * KIB - fileSystem.freeBytes;
	await expect(telling.propose(1000, leader)).rejects.toMatchObject({ code: 'NO_SPACE' });
	expect(await telling.first(leader.id, 'disk-full')).toMatchObject({ level: 'error' });
	const { fields } = await telling.first(leader.id, 'handing-over');
	expect(fields['text']).toContain(`${fields['why']}`);
	fileSystem.capacityBytes = before;
	await telling.first(leader.id, 'disk-has-room');
	const ABOUT_ROOM = ['disk-full', 'disk-has-room'] as const;
	expect(telling.names(leader.id, ABOUT_ROOM)).toEqual(ABOUT_ROOM);
	telling.expectAsInTable();
});

it('damage to a log: where it is, what it is, and what becomes of it', async () => {
	const telling = await Telling.open('damaged');
	const leader = await telling.small.leader();
	await telling.propose(200, leader);
	await telling.small.world.run(500);
	const hurt = telling.small.nodes.find((node) => node !== leader)!;
	let name = '';
	await telling.restart(hurt, () => {
		const { disk } = hurt.machine;
		[name = ''] = disk.fileSystem.list('/data/log').filter((each) => segmentNumber(each) !== null);
		disk.flipBit(`/data/log/${name}`, 5000, 2);
	});
	const { fields } = await telling.first(hurt.id, 'damage-found');
	expect(fields).toMatchObject({ replica: hurt.id, path: `/data/log/${name}` });
	expect(Number(fields['offset'])).toBeLessThanOrEqual(5000);
	expect(Number(fields['offset'])).toBeGreaterThan(0);
	expect(fields['text']).toBe(`${fields['what']}: ${fields['remedy']}`);
	expect(fields['remedy']).toContain('fetched from the peers');
	await telling.first(hurt.id, 'admitted');
	const HEALING = ['damage-found', 'recovered', 'started', 'admitted'] as const;
	expect(telling.names(hurt.id, HEALING)).toEqual(HEALING);
	telling.expectAsInTable();
});

it('a replica that stops for good: why, and with which error', async () => {
	const telling = await Telling.open('stops');
	const leader = await telling.small.leader();
	await telling.propose(3, leader);
	telling.machines.get(leader.id)!.pause = () => {
		throw new Error('no snapshot of this');
	};
	await expect(telling.small.world.complete(leader.replica.snapshot())).rejects.toThrow();
	const { level, fields } = await telling.first(leader.id, 'stopped');
	expect(level).toBe('error');
	expect(fields).toMatchObject({
		code: 'STATE_MACHINE',
		text: `stopped for good: ${fields['why']}`,
	});
	expect(fields['why']).toContain('no snapshot of this');
});
