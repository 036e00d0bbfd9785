import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchView } from '../../src/format/batch-view.js';
import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	messageLength,
	writeMessage,
} from '../../src/format/message.js';
import type { Replica } from '../../src/replica/replica.js';
import { clusterNumber, HELLO_BYTES, Purpose, writeHello } from '../../src/transport/hello.js';
import { Cluster, until } from '../replica/cluster.js';
import { batchFrame } from '../transport/streams.js';
import { EchoMachine } from './echo-machine.js';
import { openOn, unavailable } from './gateways.js';
import { BareSocket, connectTo } from './sockets.js';

const MIB = 1024 * 1024;

/** Applies nothing while the gate is shut. */
class GatedMachine extends EchoMachine {
	gate: Promise<void> = Promise.resolve();

	override apply(batch: BatchView): never {
		return this.gate.then(() => super.apply(batch)) as never;
	}
}

function hello(): Uint8Array {
	const memory = new Memory(HELLO_BYTES);
	const purpose = Purpose.client;
	writeHello(memory, 0, {
		purpose,
		cluster: clusterNumber('millrace'),
		group: 1,
		from: 0,
		to: 1,
		life: 0,
	});
	return memory.bytes;
}

function tailRequest(): Uint8Array {
	const memory = new Memory(messageLength(0));
	const request = {
		...emptyMessage(MessageFrameKind.tailRequest),
		group: 1,
		index: 1,
		hintIndex: 1,
	};
	writeMessage(memory, 0, request, 0, null);
	return memory.bytes;
}

describe.skipIf(unavailable !== null)('the limits of WebSockets', () => {
	let cluster: Cluster;
	let replica: Replica;
	const machine = new GatedMachine();
	const strangers: Socket[] = [];

	beforeAll(async () => {
		const limits = { uncommittedBytesMax: 2 * MIB, connectionsMax: 1200 };
		cluster = await Cluster.open(1, () => ({ stateMachine: machine, limits }));
		replica = await cluster.leader();
	});

	afterAll(async () => {
		for (const socket of strangers) socket.destroy();
		await cluster?.close();
	});

	/** One that has said hello. */
	async function greeted(gateway: { readonly port: number }): Promise<BareSocket> {
		const bare = new BareSocket(gateway);
		await until('it is open', () => bare.isOpen);
		bare.socket.send(hello());
		await until('it is greeted', () => bare.heard.length > 0);
		return bare;
	}

	function shut(): () => void {
		let open = () => {};
		machine.gate = new Promise((resolve) => {
			open = resolve;
		});
		return open;
	}

	it('keep what waits of each within its bound, and close who sends more', async () => {
		const gateway = await openOn(replica, { limits: { connectionBytesMax: 2 * MIB } });
		const open = shut();
		const greedy = await greeted(gateway);
		let most = 0;
		for (let i = 1; i <= 100 && greedy.code === null; i++) {
			greedy.socket.send(batchFrame(i, 100_000));
			await new Promise((resolve) => setImmediate(resolve));
			most = Math.max(most, gateway.counters().waitingBytes);
		}
		await until('it is closed', () => greedy.code !== null);
		expect([greedy.code, greedy.reason]).toEqual([1013, 'more has come than may wait']);
		expect(most).toBeGreaterThan(MIB);
		expect(most).toBeLessThanOrEqual(2 * MIB);
		await until('all of it is given back', () => gateway.counters().waitingBytes === 0);
		open();
		await gateway.close();
	});

	it('keep what waits of all within its bound, and lose nothing of who stays within', async () => {
		const limits = { connectionBytesMax: 4 * MIB, waitingBytesMax: 5 * MIB };
		const gateway = await openOn(replica, { limits });
		const open = shut();
		const [first, second] = [await greeted(gateway), await greeted(gateway)];
		const { last } = replica.status();
		for (let i = 1; i <= 50; i++) first.socket.send(batchFrame(i, 100_000));
		await until('they wait', () => gateway.counters().waitingBytes > 2 * MIB);
		for (let i = 1; i <= 50; i++) second.socket.send(batchFrame(i, 100_000));
		await until('the second is closed', () => second.code !== null);
		expect(gateway.counters().waitingBytes).toBeLessThanOrEqual(5 * MIB);
		open();
		await until('all of the first is there', () => replica.status().applied >= last + 50);
		expect(first.code).toBeNull();
		await until('nothing waits', () => gateway.counters().waitingBytes === 0);
		await gateway.close();
	});

	it('disconnect who takes nothing, who says no hello, and who makes no handshake', async () => {
		const gateway = await openOn(replica, { limits: { requestMs: 1500 } });
		for (let i = 0; i < 24; i++) await replica.propose(new Uint8Array(900_000));
		const idle = await greeted(gateway);
		const stalled = await greeted(gateway);
		stalled.socket.pause();
		stalled.socket.send(tailRequest());
		const silent = new BareSocket(gateway);
		const half = connect(gateway.port, '127.0.0.1', () => {
			half.write('GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nX-Slow: ');
		});
		strangers.push(half.on('error', () => {}));
		let isHalfClosed = false;
		half.on('close', () => {
			isHalfClosed = true;
		});
		const drip = setInterval(() => half.write('a'), 500);
		await until('the silent one is told', () => silent.code !== null);
		expect(silent.text).toContain('no hello within');
		await until('one of them is left', () => gateway.counters().sockets === 1);
		await until('the half one is closed', () => isHalfClosed);
		clearInterval(drip);
		expect(idle.code).toBeNull();
		stalled.socket.terminate();
		await gateway.close();
	});

	it('serve 100 that propose while 1,000 are greeted and silent, in little memory', async () => {
		const gateway = await openOn(replica, { limits: { connectionsMax: 1200 } });
		const before = process.memoryUsage().arrayBuffers;
		const idle: BareSocket[] = [];
		for (let i = 0; i < 10; i++) {
			idle.push(...(await Promise.all(Array.from({ length: 100 }, () => greeted(gateway)))));
		}
		expect(gateway.counters().sockets).toBe(1000);
		expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
		const busy = Array.from({ length: 100 }, () =>
			connectTo({ 1: gateway }, { timeoutMs: 30_000 }),
		);
		const { last } = replica.status();
		const proposed = busy.flatMap((client) =>
			Array.from({ length: 10 }, (_, i) => client.propose(new Uint8Array(50 + i))),
		);
		await Promise.all(proposed);
		expect(replica.status().last).toBeGreaterThanOrEqual(last + 1000);
		expect(idle.every(({ code }) => code === null)).toBe(true);
		expect(gateway.counters().sockets).toBe(1100);
		await Promise.all(busy.map((client) => client.close()));
		for (const { socket } of idle) socket.terminate();
		await until('all are gone', () => gateway.counters().connections === 0);
		expect(gateway.counters()).toMatchObject({ sockets: 0, waitingBytes: 0 });
		await gateway.close();
	});
});
