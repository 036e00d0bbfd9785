import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { clusterNumber, PROTOCOL_VERSION, Purpose } from '../../src/transport/hello.js';
import { VERSIONS } from '../../src/transport/versions.js';
import { batchFrame, messageFrame, reseal, text } from '../format/frames.js';
import { Cluster, pause, until } from './cluster.js';
import { numbered } from './machines.js';

/** Strangers at the door of a cluster that works: each is shown out with a reason, and nobody else notices. */

let cluster: Cluster;
/** The replica whose door they knock at. */
let host: number;
let isOver = false;
let load: Promise<void>;
/** How many entries were acknowledged. */
let done = 0;

beforeAll(async () => {
	cluster = await Cluster.open(3);
	const leader = await cluster.leader();
	host = leader.id;
	load = (async () => {
		while (!isOver) {
			const proposals = Array.from({ length: 16 }, () => leader.propose(numbered(done++, 200)));
			await Promise.all(proposals);
			await pause(1);
		}
	})();
});

afterAll(async () => {
	isOver = true;
	await load;
	await cluster.settled();
	// Nobody was hurt: one leader all the time, every entry applied once, in order.
	const expected = Array.from({ length: done }, (_, i) => i);
	for (const id of cluster.ids) {
		const { numbers } = cluster.machine(id);
		expect(numbers.filter((number, i) => number !== 0 || i === 0)).toEqual(expected);
	}
	expect(cluster.replica(host).status().role).toBe('leader');
	await cluster.close();
});

interface Visit {
	readonly socket: Socket;
	/** Resolves when the replica has closed the connection. */
	readonly closed: Promise<Uint8Array>;
}

function visit(...parts: (Uint8Array | string)[]): Promise<Visit> {
	return new Promise((resolve, reject) => {
		const port = Number(cluster.peers[host]!.split(':')[1]);
		const received: Buffer[] = [];
		const socket = connect(port, '127.0.0.1', () => {
			socket.off('error', reject);
			// What was sent after the door was closed is answered with a reset.
			socket.on('error', () => {});
			for (const part of parts) socket.write(part);
			resolve({ socket, closed });
		});
		socket.once('error', reject);
		socket.on('data', (bytes) => received.push(bytes));
		const closed = new Promise<Uint8Array>((settle) => {
			socket.once('close', () => settle(Buffer.concat(received)));
		});
	});
}

const hello = (change: object = {}, version = PROTOCOL_VERSION) =>
	messageFrame(
		{
			kind: MessageFrameKind.hello,
			group: 1,
			from: 0,
			to: host,
			context: clusterNumber('millrace'),
			hintIndex: Purpose.client,
			...change,
		},
		null,
		0,
		version,
	);

const randomBytes = (length: number) => {
	let state = 12345;
	return Uint8Array.from({ length }, () => {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		return state >>> 24;
	});
};

const claim = (bytes: number) => {
	const frame = messageFrame({ kind: MessageFrameKind.statusRequest });
	new DataView(frame.buffer).setUint32(0, bytes, true);
	return frame;
};

const sample = (group = 1) =>
	batchFrame([numbered(1), numbered(2)], {
		group,
		session: 0,
		sequence: 1,
		kind: BatchKind.entries,
		term: 0,
		index: 0,
		parent: 0,
		time: 0,
	});

/** A batch whose two ends are these, summed as its producer would. */
const forged = (first: number, second: number) => {
	const frame = sample();
	const words = new Uint32Array(frame.buffer, 0, frame.length / 4);
	// The ends of `sample`: their count, then where each entry ends.
	const at = words.findIndex((word, i) => word === 2 && words[i + 1] === 8 && words[i + 2] === 16);
	words[at + 1] = first;
	words[at + 2] = second;
	return reseal(frame);
};

/** What the host has said of connections since it had said `before` lines. */
const saidSince = (before: number) =>
	cluster.lines
		.get(host)!
		.slice(before)
		.filter((line) => line.startsWith('connection from'));
const linesNow = () => cluster.lines.get(host)!.length;

/** What comes in, and the reason that must be logged. */
const visitors: Record<string, [() => Uint8Array[], RegExp]> = {
	'random bytes': [() => [randomBytes(100_000)], /closed: .+/],
	'an HTTP request': [() => [text('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')], /closed: .+/],
	'a frame that claims 2 GiB': [() => [claim(0x7fff_fff4)], /frame.*(long|length)/],
	'a frame that claims 2 GiB, after its hello': [
		() => [hello(), claim(0x8000_0004)],
		/frame.*(long|length)/,
	],
	'a peer of another cluster': [
		() => [hello({ purpose: Purpose.peer, context: clusterNumber('other') })],
		/another cluster/,
	],
	'another protocol version': [
		() => [hello({}, VERSIONS.protocol.highest + 1)],
		/no protocol version in common: it speaks version 3, and this end versions 1 to 2/,
	],
	'another group': [() => [hello({ group: 2 })], /group 2 is not here/],
	'a replica that is none of this cluster': [
		() => [hello({ from: 9, hintIndex: Purpose.peer })],
		/replica 9 is not one of this cluster/,
	],
	'one that takes this for another replica': [() => [hello({ to: 77 })], /wants replica 77/],
	'an unknown purpose': [() => [hello({ hintIndex: 7 })], /unknown purpose 7/],
	'no hello at all': [
		() => [messageFrame({ kind: MessageFrameKind.statusRequest })],
		/first frame is not a hello/,
	],
	'a batch instead of a hello': [() => [sample()], /first frame is not a hello/],
	'a hello and then garbage': [() => [hello(), randomBytes(5000)], /closed: .+/],
	"a message of Raft's on a client's connection": [
		() => [hello(), messageFrame({ kind: MessageFrameKind.append, term: 99, from: 2, to: host })],
		/not for a client/,
	],
	'forged ends that go back, rightly summed': [() => [hello(), forged(17, 16)], /ends go back/],
	'forged ends that leave the payload, rightly summed': [
		() => [hello(), forged(8, 0xffff_fff0)],
		/ends do not cover/,
	],
	'a batch of another group': [() => [hello(), sample(2)], /a batch that is not for this group/],
};

describe('rule 31: closed with a reason, while the others go on:', () => {
	it.each(Object.keys(visitors))('%s', async (name) => {
		const [bytes, reason] = visitors[name]!;
		const before = linesNow();
		const { closed } = await visit(...bytes());
		await closed;
		expect(saidSince(before)).toEqual([expect.stringMatching(reason)]);
	});
});

describe('rule 31', () => {
	it('half a frame and then silence is shown out after a while', async () => {
		const before = linesNow();
		const { closed } = await visit(hello().subarray(0, 60));
		await closed;
		expect(saidSince(before)).toEqual([expect.stringMatching(/no hello within 5000 ms/)]);
	});

	it('200 at once, who claim as much as is allowed, cost no more than they send', async () => {
		const claimed = sample();
		new DataView(claimed.buffer).setUint32(0, 1024 * 1024 - 4, true);
		const before = process.memoryUsage().arrayBuffers;
		const visits = await Promise.all(
			Array.from({ length: 200 }, () => visit(hello(), claimed.subarray(0, 100))),
		);
		const acknowledged = done;
		await until('the load goes on', () => done > acknowledged + 200);
		const grown = process.memoryUsage().arrayBuffers - before;
		expect(grown).toBeLessThan(200 * 256 * 1024);
		for (const { socket } of visits) socket.destroy();
		await Promise.all(visits.map(({ closed }) => closed));
	});

	it('too many who say nothing make room for those who do', async () => {
		const before = linesNow();
		const visits = await Promise.all(Array.from({ length: 300 }, () => visit()));
		const guest = await visit(hello(), messageFrame({ kind: MessageFrameKind.statusRequest }));
		await new Promise((resolve) => guest.socket.once('data', resolve));
		await until('the oldest are shown out', () => saidSince(before).length >= 44);
		expect(saidSince(before)[0]).toMatch(/too many connections/);
		for (const { socket } of [...visits, guest]) socket.destroy();
		await Promise.all(visits.map(({ closed }) => closed));
	});

	it('tails that nobody reads hold none of the memory that all share', async () => {
		const request = messageFrame({ kind: MessageFrameKind.tailRequest, index: 1, hintIndex: 1 });
		const filler = Array.from({ length: 16 }, () =>
			cluster.replica(host).proposeBatch([new Uint8Array(512 * 1024)]),
		);
		await Promise.all(filler);
		const visits = await Promise.all(Array.from({ length: 60 }, () => visit(hello(), request)));
		for (const { socket } of visits) socket.pause();
		const acknowledged = done;
		await until('the load goes on', () => done > acknowledged + 500);
		const { slabsFree } = cluster.replica(host).status().counters;
		expect(slabsFree).toBeGreaterThan(16);
		for (const { socket } of visits) socket.destroy();
		await Promise.all(visits.map(({ closed }) => closed));
	});

	it('reads in any number and size are taken no faster than they are answered', async () => {
		const request = messageFrame({ kind: MessageFrameKind.readRequest }, new Uint8Array(60_000));
		const before = process.memoryUsage().arrayBuffers;
		const reader = await visit(hello());
		reader.socket.pause();
		for (let i = 0; i < 500; i++) reader.socket.write(request);
		const acknowledged = done;
		await until('the load goes on', () => done > acknowledged + 200);
		expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 * 1024);
		reader.socket.destroy();
		await reader.closed;
	});

	it("a stranger with a follower's name takes its place for a moment only", async () => {
		const id = cluster.ids.find((other) => other !== host)!;
		const from = { from: id, hintIndex: Purpose.peer };
		const { closed } = await visit(hello(from));
		// The follower learns that it was replaced, dials again, and replaces the stranger.
		await closed;
		const { last } = cluster.replica(host).status();
		await until('it is up to date', () => cluster.replica(id).status().applied > last);
	});

	it('a stranger with a peer name and garbage', async () => {
		const before = linesNow();
		const id = cluster.ids.find((other) => other !== host)!;
		const { closed } = await visit(hello({ from: id, hintIndex: Purpose.peer }), randomBytes(3000));
		await closed;
		expect(saidSince(before)).toContainEqual(expect.stringMatching(/no frame here is/));
		const { last } = cluster.replica(host).status();
		await until('it is up to date', () => cluster.replica(id).status().applied > last);
	});
});
