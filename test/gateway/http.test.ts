import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/index.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster, until } from '../replica/cluster.js';
import { EchoMachine } from './echo-machine.js';
import { ask, codeOf, jsonOf, linesOf, openOn, post, unavailable } from './gateways.js';

const utf8 = (text: unknown) => Buffer.from(String(text), 'base64').toString();

describe.skipIf(unavailable !== null)(
	`a gateway (skipped where: ${unavailable ?? 'never here'})`,
	() => {
		let cluster: Cluster;
		let leader: Replica;
		let gateway: Gateway;

		beforeAll(async () => {
			cluster = await Cluster.open(1, () => ({ stateMachine: new EchoMachine() }));
			leader = await cluster.leader();
			gateway = await openOn(leader);
		});

		afterAll(async () => {
			await gateway?.close();
			await cluster?.close();
		});

		it('proposes: the answer has index, term and result', async () => {
			const said = await post(gateway, '/v1/propose', 'an entry');
			expect(said.status).toBe(200);
			const { index, term, result } = jsonOf(said);
			expect([typeof index, term, utf8(result)]).toEqual([
				'number',
				leader.status().term,
				'an entry',
			]);
			expect(jsonOf(await post(gateway, '/v1/propose', 'nothing'))).toMatchObject({
				index: Number(index) + 1,
				result: null,
				value: null,
			});
			const value = expect.any(Number);
			expect(jsonOf(await post(gateway, '/v1/propose', 'number'))).toMatchObject({
				result: null,
				value,
			});
			expect(jsonOf(await post(gateway, '/v1/propose', ''))).toMatchObject({ result: '' });
		});

		it('proposes a body that comes in pieces, up to the largest entry, and keeps nothing of it', async () => {
			const body = new Uint8Array(leader.limits.entryBytesMax).map((_, i) => i % 251);
			const { result } = jsonOf(await post(gateway, '/v1/propose', body));
			expect(Buffer.from(String(result), 'base64').equals(body)).toBe(true);
			expect(gateway.counters().waitingBytes).toBe(0);
		});

		it('refuses a longer body, announced or not', async () => {
			const body = new Uint8Array(leader.limits.entryBytesMax + 1);
			const announced = await ask(gateway, '/v1/propose', {
				method: 'POST',
				headers: { 'content-length': '99999999999' },
			}).catch(() => null);
			if (announced !== null) expect(announced.status).toBe(413);
			const chunked = { 'transfer-encoding': 'chunked' };
			const said = await ask(gateway, '/v1/propose', { method: 'POST', headers: chunked, body });
			expect([said.status, codeOf(said), said.headers['connection']]).toEqual([
				413,
				'TOO_LARGE',
				'close',
			]);
		});

		it('reads with every consistency, by parameter and by body', async () => {
			for (const consistency of ['linearizable', 'lease', 'stale']) {
				const said = await ask(gateway, `/v1/read?query=a%20b&consistency=${consistency}`);
				expect(said.status).toBe(200);
				expect(said.body.toString()).toMatch(/^\d+:a b$/);
			}
			expect((await ask(gateway, '/v1/read?query64=YWI=&max-lag-ms=100')).body.toString()).toMatch(
				/:ab$/,
			);
			expect((await post(gateway, '/v1/read?consistency=stale', 'body')).body.toString()).toMatch(
				/:body$/,
			);
		});

		it('hands over an answer that is longer than what waits in sockets', async () => {
			const said = await ask(gateway, '/v1/read?query=long%2020000000');
			expect(said.body.length).toBe(20_000_000);
			expect(said.body.every((byte) => byte === 7)).toBe(true);
			expect(gateway.counters().waitingBytes).toBe(0);
		});

		it.each([
			['GET', '/v1/read?consistency=never', 400, 'BAD_OPTION'],
			['GET', '/v1/read?max-lag-ms=-1', 400, 'BAD_OPTION'],
			['GET', '/v1/read?max-lag-ms=1&consistency=stale', 400, 'BAD_OPTION'],
			['GET', '/v1/read?query=1&query=2', 400, 'BAD_OPTION'],
			['GET', '/v1/read?query64=!', 400, 'BAD_OPTION'],
			['GET', '/v1/read?colour=red', 400, 'BAD_OPTION'],
			['GET', '/v1/tail?from=0', 400, 'BAD_OPTION'],
			['GET', '/v1/tail?follow=perhaps', 400, 'BAD_OPTION'],
			['GET', '/v1/read?query=fail', 500, 'FAILED'],
			['GET', '/v1/read?query=number', 500, 'NOT_BYTES'],
			['GET', '/v1/nothing', 404, 'NOT_FOUND'],
			['GET', '/__proto__', 404, 'NOT_FOUND'],
			['GET', '/v1/propose', 405, 'METHOD_NOT_ALLOWED'],
			['POST', '/v1/status', 405, 'METHOD_NOT_ALLOWED'],
			['DELETE', '/v1/read', 405, 'METHOD_NOT_ALLOWED'],
		])('%s %s is answered %i %s', async (method, path, status, code) => {
			const said = await ask(gateway, path, { method });
			expect([said.status, codeOf(said)]).toEqual([status, code]);
		});

		it('tails as lines of JSON, to the end of what is committed', async () => {
			const first = Number(jsonOf(await post(gateway, '/v1/propose', 'one'))['index']);
			await post(gateway, '/v1/propose', 'two');
			const said = await ask(gateway, `/v1/tail?from=${first}&follow=false`);
			expect(said.headers['content-type']).toBe('application/x-ndjson');
			const lines = linesOf(said);
			expect(lines.map(({ data }) => utf8(data))).toEqual(['one', 'two']);
			expect(lines[0]).toMatchObject({ index: first, term: 1, time: expect.any(Number) });
		});

		it('tails what is committed later, and lets go of a tail whose client has gone', async () => {
			const from = leader.status().last + 1;
			const socket = connect(gateway.port, '127.0.0.1');
			let text = '';
			socket.on('data', (chunk) => {
				text += chunk;
			});
			socket.write(`GET /v1/tail?from=${from} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
			await until('the headers are there', () => text.includes('\r\n\r\n'));
			expect(gateway.counters().tails).toBe(1);
			await post(gateway, '/v1/propose', 'later');
			await until('the entry is there', () =>
				text.includes(Buffer.from('later').toString('base64')),
			);
			socket.destroy();
			await until('the tail is gone', () => gateway.counters().tails === 0);
		});

		it('says how it is', async () => {
			expect(jsonOf(await ask(gateway, '/v1/status'))).toMatchObject({
				id: 1,
				role: 'leader',
				gateway: { connections: expect.any(Number) },
			});
			for (const path of ['/healthz', '/readyz']) {
				expect(jsonOf(await ask(gateway, path))).toEqual({ ok: true });
				const head = await ask(gateway, path, { method: 'HEAD' });
				expect([head.status, head.body.length, head.headers['content-length']]).toEqual([
					200,
					0,
					'12',
				]);
			}
		});

		it('is not for pages that a name server sends here, nor for those of others', async () => {
			const host = `127.0.0.1:${gateway.port}`;
			const statusFor = async (headers: Record<string, string>) =>
				(await ask(gateway, '/v1/status', { headers })).status;
			expect(await statusFor({ host: 'evil.example' })).toBe(403);
			expect(await statusFor({ host: 'localhost:1' })).toBe(200);
			expect(await statusFor({ host, origin: 'http://evil.example' })).toBe(403);
			expect(await statusFor({ host, origin: `http://${host}` })).toBe(200);
		});

		it('lets in the pages it is told of, and answers what their browsers ask before', async () => {
			const origin = 'https://app.example';
			const open = await openOn(leader, { origins: [origin] });
			const headers = { origin };
			const asked = await ask(open, '/v1/propose', { method: 'OPTIONS', headers });
			expect([asked.status, asked.headers['access-control-allow-methods']]).toEqual([200, 'POST']);
			expect(asked.headers['access-control-allow-origin']).toBe(origin);
			expect((await ask(open, '/v1/status', { headers })).headers['vary']).toBe('origin');
			expect(
				(await ask(open, '/v1/status', { headers: { origin: 'https://b.example' } })).status,
			).toBe(403);
			await open.close();
		});
	},
);
