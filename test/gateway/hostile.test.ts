import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/index.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, until } from '../replica/cluster.js';
import { EchoMachine } from './echo-machine.js';
import { openOn, post, unavailable } from './gateways.js';

const HOST = 'Host: 127.0.0.1\r\n';
const HEALTH = `GET /healthz HTTP/1.1\r\n${HOST}\r\n`;

describe.skipIf(unavailable !== null)('strangers at a gateway', () => {
	let cluster: Cluster;
	let replica: Replica;
	let gateway: Gateway;
	const sockets = new Set<Socket>();

	beforeAll(async () => {
		cluster = await Cluster.open(1, () => ({ stateMachine: new EchoMachine() }));
		replica = await cluster.leader();
		gateway = await openOn(replica, { limits: { connectionsMax: 2000 } });
	});

	afterAll(async () => {
		for (const socket of sockets) socket.destroy();
		await gateway?.close();
		await cluster?.close();
	});

	function dial(): Socket {
		const socket = connect(gateway.port, '127.0.0.1');
		sockets.add(socket);
		return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
	}

	/** What is heard before the gateway closes the connection. */
	function say(text: string): Promise<string> {
		return new Promise((resolve) => {
			let heard = '';
			dial()
				.on('data', (chunk) => {
					heard += chunk;
				})
				.on('close', () => resolve(heard))
				.write(text);
		});
	}

	it.each([
		['what is no HTTP', '\x16\x03\x01\x00\xff\r\n\r\n', /^HTTP\/1.1 505 /],
		['headers without end', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(20_000)}`, /^HTTP\/1.1 431 /],
		[
			'two lengths of one body',
			`POST /v1/propose HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
			/^HTTP\/1.1 400 /,
		],
		[
			'a length below nothing',
			`POST /v1/propose HTTP/1.1\r\n${HOST}Content-Length: -5\r\n\r\nabc`,
			/^HTTP\/1.1 400 /,
		],
		[
			'a length beyond all limits',
			`POST /v1/propose HTTP/1.1\r\n${HOST}Content-Length: 999999999999\r\n\r\nabc`,
			/^HTTP\/1.1 413 .*"TOO_LARGE"/s,
		],
	])('%s ends its own connection', async (_name, text, answer) => {
		const { last } = replica.status();
		expect(await say(text)).toMatch(answer);
		expect(replica.status().last).toBe(last);
	});

	it('a request before the answer to the one before ends its connection', async () => {
		const { last } = replica.status();
		const proposal = `POST /v1/propose HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\na`;
		expect(await say(proposal + proposal)).toBe('');
		// The first may have been appended, the second may not.
		expect(replica.status().last).toBeLessThanOrEqual(last + 1);
	});

	it('a body that is refused unread doesn’t spoil the next request', async () => {
		const refused = `POST /v1/nothing HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n1234567890`;
		let heard = '';
		const socket = dial().on('data', (chunk) => {
			heard += chunk;
		});
		socket.write(refused);
		await until('the first is refused', () => heard.includes('"NOT_FOUND"'));
		socket.write(HEALTH);
		await until('the second is answered', () => heard.includes('{"ok":true}'));
		socket.destroy();
	});

	it('clients that go in mid-body or before the answer leave nothing behind', async () => {
		for (let i = 0; i < 50; i++) {
			const body = i % 2 === 0 ? 'abc' : 'a'.repeat(1000);
			const text = `POST /v1/propose HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n${body}`;
			// One or the other may be quick enough to be answered: who doesn’t read that never sees the end.
			dial().resume().end(text);
		}
		await until('all have gone', () => sockets.size === 0 && gateway.counters().connections === 0);
		expect(gateway.counters()).toMatchObject({ tails: 0, waitingBytes: 0 });
	});

	it('serves 100 that propose while 1,000 say nothing', async () => {
		const idle = Array.from({ length: 1000 }, dial);
		await until('they are there', () => gateway.counters().connections === 1000);
		const { last } = replica.status();
		const answers = await Promise.all(
			Array.from({ length: 100 }, (_, i) => post(gateway, '/v1/propose', `busy ${i}`)),
		);
		expect(answers.every(({ status }) => status === 200)).toBe(true);
		expect(replica.status().last).toBe(last + 100);
		for (const socket of idle) socket.destroy();
	});
});
