import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AddressInUse, BadOption } from '../../src/errors.js';
import type { BatchView } from '../../src/format/batch-view.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, until } from '../replica/cluster.js';
import { EchoMachine } from './echo-machine.js';
import { ask, codeOf, linesOf, openOn, post, unavailable } from './gateways.js';

/** Applies nothing while the gate is shut. */
class GatedMachine extends EchoMachine {
	gate: Promise<void> = Promise.resolve();

	override apply(batch: BatchView): never {
		return this.gate.then(() => super.apply(batch)) as never;
	}
}

describe.skipIf(unavailable !== null)('the limits of a gateway', () => {
	let cluster: Cluster;
	let replica: Replica;
	const machine = new GatedMachine();
	const sockets: Socket[] = [];

	beforeAll(async () => {
		cluster = await Cluster.open(1, () => ({ stateMachine: machine }));
		replica = await cluster.leader();
	});

	afterAll(async () => {
		for (const socket of sockets) socket.destroy();
		await cluster?.close();
	});

	/** A connection that says this, and what it hears. */
	function dial(port: number, text: string) {
		const heard = { text: '', isClosed: false, socket: connect(port, '127.0.0.1') };
		sockets.push(heard.socket);
		heard.socket.on('data', (chunk) => {
			heard.text += chunk;
		});
		heard.socket.on('error', () => {});
		heard.socket.on('close', () => {
			heard.isClosed = true;
		});
		heard.socket.write(text);
		return heard;
	}

	/** A proposal without its last byte. */
	const unfinished = (length: number) =>
		`POST /v1/propose HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${length}\r\n\r\n${'a'.repeat(length - 1)}`;

	it('closes a connection too many, and takes the next when one has gone', async () => {
		const gateway = await openOn(replica, { limits: { connectionsMax: 2 } });
		const held = [dial(gateway.port, ''), dial(gateway.port, '')];
		await until('two are there', () => gateway.counters().connections === 2);
		const third = dial(gateway.port, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
		await until('the third is closed', () => third.isClosed);
		expect(third.text).toBe('');
		expect(gateway.counters().turnedAway).toBe(1);
		held[0]!.socket.destroy();
		await until('one has gone', () => gateway.counters().connections === 1);
		expect((await ask(gateway, '/healthz')).status).toBe(200);
		await gateway.close();
	});

	it('refuses a body for which there is no room, and has room again when its client has gone', async () => {
		const bytes = replica.limits.entryBytesMax;
		const gateway = await openOn(replica, { limits: { waitingBytesMax: bytes } });
		const first = dial(gateway.port, unfinished(bytes));
		await until('it waits', () => gateway.counters().waitingBytes === bytes);
		const second = dial(gateway.port, unfinished(bytes));
		await until('the second is refused', () => second.isClosed);
		expect(second.text).toMatch(/^HTTP\/1.1 503 .*retry-after: 1.*"BUSY"/s);
		expect(gateway.counters().waitingBytes).toBeLessThanOrEqual(bytes);
		first.socket.destroy();
		await until('all is given back', () => gateway.counters().waitingBytes === 0);
		expect((await post(gateway, '/v1/propose', 'a')).status).toBe(200);
		await gateway.close();
	});

	it('answers a proposal that has no outcome in time as what it is', async () => {
		const gateway = await openOn(replica, { limits: { requestMs: 1500 } });
		let open = () => {};
		machine.gate = new Promise((resolve) => {
			open = resolve;
		});
		const said = await post(gateway, '/v1/propose', 'late');
		expect([said.status, codeOf(said)]).toEqual([504, 'UNKNOWN_OUTCOME']);
		open();
		expect((await post(gateway, '/v1/propose', 'next')).status).toBe(200);
		const silent = dial(gateway.port, unfinished(1000));
		await until('an unfinished body is given up', () => silent.isClosed);
		expect(silent.text).toMatch(/^HTTP\/1.1 408 .*connection: close.*"TIMEOUT"/s);
		await gateway.close();
	});

	it('cuts off who doesn’t take an answer in time, and says nothing behind its beginning', async () => {
		const gateway = await openOn(replica, { limits: { requestMs: 1500 } });
		const long = dial(
			gateway.port,
			'GET /v1/read?query=long%2060000000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
		);
		// Slowly, but on and on: uWebSockets.js doesn't mind that.
		const sip = setInterval(
			() => long.socket.once('data', () => long.socket.pause()).resume(),
			100,
		);
		await until('it waits to be taken', () => gateway.counters().waitingBytes > 0);
		await until('it is given up', () => gateway.counters().waitingBytes === 0);
		clearInterval(sip);
		long.socket.resume();
		await until('it is closed', () => long.isClosed);
		expect(long.text.length).toBeLessThan(60_000_000);
		expect(long.text.split('HTTP/1.1').length).toBe(2);
		await gateway.close();
	});

	it('closes in order: what is under way is answered, tails are told, and nobody is taken', async () => {
		const gateway = await openOn(replica);
		let open = () => {};
		machine.gate = new Promise((resolve) => {
			open = resolve;
		});
		const before = replica.status().last;
		const said = post(gateway, '/v1/propose', 'last');
		const tail = ask(gateway, `/v1/tail?from=${before + 2}`);
		await until('both are under way', () => {
			return replica.status().committed > before && gateway.counters().tails === 1;
		});
		const closed = gateway.close();
		await until('the tail is told', () => gateway.counters().tails === 0);
		open();
		expect((await said).status).toBe(200);
		expect(linesOf(await tail)).toEqual([{ error: expect.objectContaining({ code: 'STOPPED' }) }]);
		await closed;
		await expect(ask(gateway, '/healthz')).rejects.toThrow('ECONNREFUSED');
		await gateway.close();
	});

	it('takes no port that somebody has, and no options that can’t work', async () => {
		const gateway = await openOn(replica);
		await expect(openOn(replica, { port: gateway.port })).rejects.toThrow(AddressInUse);
		await gateway.close();
		const bad = [
			{ port: -1 },
			{ host: '' },
			{ host: '0.0.0.0' },
			{ tokens: [] },
			{ tokens: [{ permission: 'write', secret: 'short' }] },
			{ gateways: { 1: 'http://a:1/path' } },
			{ origins: ['ftp://a'] },
			{ limits: { waitingBytesMax: 10 } },
			{ tls: { certificateFile: '/none.crt', keyFile: '/none.key' } },
		] as const;
		for (const change of bad) await expect(openOn(replica, change)).rejects.toThrow(BadOption);
	});

	it('gives up who is silent in mid-request or takes nothing, and not who listens to a quiet tail', async () => {
		const gateway = await openOn(replica);
		const entry = new Uint8Array(1_000_000);
		for (let i = 0; i < 24; i++) await replica.propose(entry);
		const tailOf = (from: number) =>
			dial(gateway.port, `GET /v1/tail?from=${from} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
		const quiet = tailOf(replica.status().last + 1);
		const stalled = tailOf(1);
		stalled.socket.pause();
		await until('it waits for the stalled one', () => gateway.counters().waitingBytes > 0);
		const silent = [
			dial(gateway.port, ''),
			dial(gateway.port, 'GET /healthz HTTP/1.1\r\nX-Slow: '),
			dial(gateway.port, unfinished(1000)),
		];
		const slow = setInterval(() => silent[1]!.socket.write('a'), 500);
		await until('all of them are closed', () => silent.every(({ isClosed }) => isClosed));
		clearInterval(slow);
		await until('the stalled one is given up', () => gateway.counters().tails === 1);
		// One run of the log, as text.
		expect(gateway.counters().waitingBytes).toBe(0);
		await until('the quiet one has heard', () => quiet.text.split('1\r\n\n\r\n').length > 2);
		expect(quiet.isClosed).toBe(false);
		await gateway.close();
	});
});
