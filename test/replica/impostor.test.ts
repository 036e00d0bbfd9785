import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { clusterNumber, PROTOCOL_VERSION, Purpose } from '../../src/transport/hello.js';
import { batchFrame, messageFrame, reseal } from '../format/frames.js';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';

/** Somebody else answers at a peer's address: whatever it says, the replicas that dial it go on without it. */

const STRANGER = 3;

const hello = (change: object = {}, version = PROTOCOL_VERSION) =>
	messageFrame(
		{
			kind: MessageFrameKind.hello,
			group: 1,
			from: STRANGER,
			to: 0,
			context: clusterNumber('millrace'),
			hintIndex: Purpose.peer,
			...change,
		},
		null,
		0,
		version,
	);

const append = (change: object = {}, batches = 1) =>
	messageFrame(
		{ kind: MessageFrameKind.append, group: 1, from: STRANGER, to: 1, term: 1, ...change },
		null,
		batches,
	);

const batch = (change: object = {}) =>
	batchFrame([numbered(1)], {
		group: 1,
		session: 0,
		sequence: 0,
		kind: BatchKind.entries,
		term: 1,
		index: 1,
		parent: 0,
		time: 0,
		...change,
	});

function claim(): Uint8Array {
	const frame = messageFrame({ kind: MessageFrameKind.append });
	new DataView(frame.buffer).setUint32(0, 0x7fff_fff4, true);
	return frame;
}

/** The end of its one entry lies elsewhere, and the sums are right. */
function forged(): Uint8Array {
	const frame = batch();
	const words = new Uint32Array(frame.buffer, 0, frame.length / 4);
	const at = words.findIndex((word, i) => i > 24 && word === 1 && words[i + 1] === 8);
	words[at + 1] = 0x7fff_fff0;
	return reseal(frame);
}

const impostors: [string, Uint8Array[], RegExp][] = [
	['noise', [new Uint8Array(4096).fill(0x5a)], /no frame here is/],
	['another cluster', [hello({ context: clusterNumber('other') })], /another cluster/],
	['another protocol', [hello({}, 9)], /it speaks version 9, and this end versions 1 to 2/],
	['another replica', [hello({ from: 7 })], /replica 7 answers there/],
	['an append before a hello', [append()], /not a hello/],
	['a frame of 2 GiB', [hello(), claim()], /no frame here is/],
	[
		'a request of a client',
		[hello(), messageFrame({ kind: MessageFrameKind.statusRequest })],
		/kind/,
	],
	['a message in the name of another', [hello(), append({ from: 2 }, 0)], /message of replica 2/],
	['a batch outside of an append', [hello(), batch()], /outside of an append/],
	['a batch of a later term', [hello(), append(), batch({ term: 9 })], /does not continue/],
	['a batch that leaves a gap', [hello(), append(), batch({ index: 2 })], /does not continue/],
	['forged ends', [hello(), append(), forged()], /ends do not cover/],
];

it.each(impostors)('rule 31: %s', async (_, frames, reason) => {
	const server = createServer((socket) => {
		socket.on('error', () => {});
		socket.resume();
		for (const frame of frames) socket.write(frame);
	});
	const cluster = await Cluster.openWithout(STRANGER, async (address) => {
		const port = Number(address.split(':')[1]);
		await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
	});
	try {
		const leader = await cluster.leader();
		await until('each has said so', () =>
			[1, 2].every((id) =>
				cluster.lines
					.get(id)!
					.some((line) => line.includes(`to replica ${STRANGER}`) && reason.test(line)),
			),
		);
		await leader.propose(numbered(1));
		await cluster.settled();
		for (const id of [1, 2]) expect(cluster.machine(id).numbers).toEqual([1]);
	} finally {
		await cluster.close();
		server.close();
	}
});
