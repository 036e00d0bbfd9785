import { beforeEach, describe, expect, test } from 'vitest';
import { Memory } from '../../src/format/memory.js';
import { MUX_HEAD_BYTES, MuxKind, writeMuxHead } from '../../src/host/mux-frames.js';
import { MuxNetwork } from '../../src/host/mux-network.js';
import { STREAM_WINDOW_BYTES } from '../../src/host/mux-stream.js';
import type { Address, Connection, Network } from '../../src/io.js';
import { HELLO_BYTES, type Hello, Purpose, writeHello } from '../../src/transport/hello.js';
import { pattern } from '../contract/bytes.js';
import { Recorder } from '../contract/network-recorder.js';
import { type ProcessDoors, World } from '../simulation/world.js';

const CLUSTER = 5;
const SILENCE_MS = 1000;

let world: World;
let lines: string[];
let a: ProcessDoors;
let b: ProcessDoors;
let listening: MuxNetwork;
let dialling: MuxNetwork;
let accepted: Recorder[];
let address: Address;

function mux(doors: ProcessDoors): MuxNetwork {
	const { network, clock } = doors;
	const log = (line: string) => void lines.push(line);
	return new MuxNetwork({
		...{ network, clock, log },
		cluster: CLUSTER,
		silenceMs: SILENCE_MS,
		strangersMax: 4,
	});
}

function dial(group: number): Recorder {
	let recorder!: Recorder;
	dialling.forGroup(group).dial(address, (own: Connection) => {
		recorder = new Recorder(own);
		return recorder;
	});
	return recorder;
}

/** A connection without a host behind it. */
function raw(...slices: Uint8Array[]): Recorder {
	let recorder!: Recorder;
	b.network.dial(address, (own) => {
		recorder = new Recorder(own);
		return recorder;
	});
	void recorder.send(...slices);
	return recorder;
}

function muxHead(kind: MuxKind, stream: number, value: number): Uint8Array {
	const head = new Uint8Array(MUX_HEAD_BYTES);
	writeMuxHead(head, 0, kind, stream, value);
	return head;
}

function hello(change: Partial<Hello> = {}): Uint8Array {
	const memory = new Memory(HELLO_BYTES);
	const purpose = Purpose.host;
	writeHello(memory, 0, {
		...{ purpose, cluster: CLUSTER, group: 0, from: 0, to: 0, life: 0 },
		...change,
	});
	return memory.bytes;
}

/** All who come have proven to be clients. */
function withCertificate(network: Network): Network {
	const clientOnly = (connection: Connection) => Object.assign(connection, { isClientOnly: true });
	return {
		dial: (to, open) => network.dial(to, open),
		listen: (at, accept) => network.listen(at, (connection) => accept(clientOnly(connection))),
	};
}

beforeEach(async () => {
	world = new World('mux');
	lines = [];
	accepted = [];
	[a, b] = [world.machine('a').start(), world.machine('b').start()];
	listening = mux(a);
	dialling = mux(b);
	const accept = (connection: Connection) => {
		accepted.push(new Recorder(connection));
		return accepted.at(-1)!;
	};
	const first = listening.forGroup(1).listen({ host: 'a', port: 0 }, accept);
	({ address } = await world.complete(first));
	await world.complete(listening.forGroup(2).listen(address, accept));
});

describe('streams of two hosts', () => {
	test('share one connection, and what is said in a turn leaves in one write', async () => {
		const streams = Array.from({ length: 50 }, (_, i) => dial(1 + (i % 2)));
		await world.complete(Promise.all(streams.map((stream) => stream.is('opened'))));
		expect([listening.linkCount, dialling.linkCount]).toEqual([1, 1]);
		const before = dialling.counters.writes;
		await world.complete(Promise.all(streams.map((stream, i) => stream.send(pattern(100, i)))));
		expect(dialling.counters.writes).toBe(before + 1);
		await world.complete(Promise.all(accepted.map((stream) => stream.has(100))));
	});

	test('hold back one that nobody reads, and no other', async () => {
		const [silent, other] = [dial(1), dial(2)];
		await world.complete(Promise.all([silent.is('opened'), other.is('opened')]));
		accepted[0]!.connection.pause();
		let done = 0;
		const count = () => {
			done += 1;
		};
		for (let i = 0; i < 100; i++) void silent.send(pattern(65_536, i)).then(count);
		await world.complete(other.send(pattern(3_000_000, 1)));
		await world.complete(accepted[1]!.has(3_000_000));
		expect(done * 65_536).toBeLessThanOrEqual(STREAM_WINDOW_BYTES);
		expect(accepted[0]!.bytes).toBe(0);
		accepted[0]!.connection.resume();
		await world.complete(accepted[0]!.has(6_553_600));
	});

	test('to a group that is not there are closed, with a reason, and no other is', async () => {
		const [there, nowhere] = [dial(1), dial(9)];
		await world.complete(Promise.all([there.is('opened'), nowhere.is('closed')]));
		expect(nowhere.reason?.message).toMatch(/the group is not at a:/);
		expect(there.events).toEqual(['opened']);
	});

	test('are closed when nothing comes any more, and not when nothing is to be said', async () => {
		const stream = dial(1);
		await world.complete(stream.is('opened'));
		await world.run(5 * SILENCE_MS);
		expect(stream.events).toEqual(['opened']);
		world.network.partition(['a'], ['b']);
		await world.run(3 * SILENCE_MS);
		expect(stream.events).toEqual(['opened', 'closed']);
		expect(stream.reason?.message).toMatch(/silent/);
	});

	test('begin with a group’s own hello for who is no host', async () => {
		const client = raw(hello({ purpose: Purpose.client, group: 2 }), pattern(50, 1));
		await world.complete(client.is('opened'));
		await world.run(50);
		expect(accepted.map(({ bytes }) => bytes)).toEqual([HELLO_BYTES + 50]);
	});
});

describe('rule 31: closed with a reason, while others go on', () => {
	const open = muxHead(MuxKind.open, 1, 1);

	test.each([
		['no hello', () => [pattern(100, 1)], /not a frame|no frame/],
		['a hello of another cluster', () => [hello({ cluster: 6 })], /another cluster/],
		['a client of no group', () => [hello({ purpose: Purpose.client, group: 9 })], /group 9/],
		['what is no frame', () => [hello(), pattern(16, 3)], /no frame of a host/],
		['an unknown kind', () => [hello(), muxHead(9 as never, 0, 0)], /no frame of a host/],
		['a stream twice', () => [hello(), open, open], /may not be opened/],
		['a stream out of turn', () => [hello(), muxHead(MuxKind.open, 7, 1)], /may not be/],
		['data of no stream', () => [hello(), muxHead(MuxKind.data, 3, 8)], /never opened/],
		[
			'data beyond all windows',
			() => [hello(), open, muxHead(MuxKind.data, 1, 2 ** 32 - 1)],
			/more than was granted/,
		],
		[
			'credit without end',
			() => [hello(), open, muxHead(MuxKind.credit, 1, 2 ** 32 - 1)],
			/more credit/,
		],
	] as const)('%s', async (_, slices, why) => {
		const bystander = dial(1);
		await world.complete(bystander.is('opened'));
		const stranger = raw(...slices());
		await world.complete(stranger.is('closed'));
		expect(lines).toEqual([expect.stringMatching(why)]);
		await world.complete(bystander.send(pattern(10, 1)));
		await world.complete(accepted[0]!.has(10));
	});

	test('a host with the certificate of a client', async () => {
		const doors = { ...a, network: withCertificate(a.network) };
		const own = mux({ ...doors, process: a.process, random: a.random }).forGroup(3);
		const at = await world.complete(own.listen({ host: 'a', port: 0 }, (one) => new Recorder(one)));
		address = at.address;
		const stranger = raw(hello());
		await world.complete(stranger.is('closed'));
		expect(lines).toEqual([expect.stringMatching(/certificate is a client’s/)]);
	});

	test('more data than was granted, in frames that each are small enough', async () => {
		const stranger = raw(hello(), open);
		await world.run(20);
		accepted[0]!.connection.pause();
		const part = STREAM_WINDOW_BYTES / 2;
		for (let i = 0; i < 3; i++) {
			void stranger.send(muxHead(MuxKind.data, 1, part), new Uint8Array(part));
		}
		await world.complete(stranger.is('closed'));
		expect(lines).toEqual([expect.stringMatching(/more than was granted/)]);
	});

	test('who says nothing, and too many who say nothing', async () => {
		const silent = Array.from({ length: 5 }, () => raw());
		await world.run(100);
		expect(silent.map(({ events }) => events.includes('closed'))).toContain(true);
		await world.run(6000);
		expect(silent.every(({ events }) => events.includes('closed'))).toBe(true);
	});
});
