import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadOption, GatewayUnavailable } from '../../src/errors.js';
import { type Gateway, parseTokens } from '../../src/gateway/index.js';
import { Tokens } from '../../src/gateway/tokens.js';
import { loadUws } from '../../src/gateway/uws.js';
import { Cluster } from '../replica/cluster.js';
import { EchoMachine } from './echo-machine.js';
import { ask, codeOf, openOn, unavailable } from './gateways.js';

const READ = 'reader-0123456789';
const WRITE = 'writer-0123456789';
const ADMIN = 'admin-0123456789==';

describe('tokens', () => {
	it('are read from a file, with comments', () => {
		const text = `# ours\nread ${READ}\n\n  write\t${WRITE}  # the app\nadmin ${ADMIN}\n`;
		expect(parseTokens(text)).toEqual([
			{ permission: 'read', secret: READ },
			{ permission: 'write', secret: WRITE },
			{ permission: 'admin', secret: ADMIN },
		]);
	});

	it.each([
		'',
		'# none',
		'read',
		`all ${READ}`,
		'read short',
		`read ${READ} more`,
		`read ${READ}ä`,
	])('a file is refused, and nothing of it is quoted: %j', (text) => {
		const fault = (() => {
			try {
				return parseTokens(text);
			} catch (error) {
				return error;
			}
		})();
		expect(fault).toBeInstanceOf(BadOption);
		expect((fault as Error).message).not.toContain(READ);
	});

	it('are known as a whole or not at all', () => {
		const tokens = new Tokens(parseTokens(`read ${READ}\nwrite ${WRITE}`));
		expect(tokens.permissionOf(READ)).toBe('read');
		expect(tokens.permissionOf(WRITE)).toBe('write');
		for (const wrong of ['', READ.slice(1), READ.slice(0, -1), `${READ}a`, READ.toUpperCase()]) {
			expect(tokens.permissionOf(wrong)).toBeNull();
		}
		expect(tokens.permissionOfHeader(`bearer ${READ}`)).toBe('read');
		for (const wrong of ['', READ, `Basic ${READ}`, `Bearer${READ}`, `Bearer ${READ} x`]) {
			expect(tokens.permissionOfHeader(wrong)).toBeNull();
		}
	});
});

describe('uWebSockets.js', () => {
	it('that can’t be loaded is an error which says how to install it', async () => {
		const cause = new Error('not here');
		const loaded = loadUws(() => Promise.reject(cause));
		await expect(loaded).rejects.toThrow(GatewayUnavailable);
		await expect(loaded).rejects.toThrow(
			/npm install .*uws-pack@20\.0\.8.*npm install uNetworking/,
		);
		await expect(loaded).rejects.toMatchObject({ code: 'GATEWAY_UNAVAILABLE', cause });
	});
});

describe.skipIf(unavailable !== null)('a gateway with tokens', () => {
	let cluster: Cluster;
	let gateway: Gateway;

	beforeAll(async () => {
		cluster = await Cluster.open(1, () => ({ stateMachine: new EchoMachine() }));
		const tokens = parseTokens(`read ${READ}\nwrite ${WRITE}\nadmin ${ADMIN}`);
		// Elsewhere it may listen on any address; here it is this machine's all the same.
		gateway = await openOn(await cluster.leader(), { tokens });
	});

	afterAll(async () => {
		await gateway?.close();
		await cluster?.close();
	});

	it.each([
		['GET', '/v1/read', '', 401],
		['GET', '/v1/read', `Bearer ${READ}x`, 401],
		['GET', '/v1/read', `Bearer ${READ}`, 200],
		['GET', '/v1/read', `Bearer ${WRITE}`, 200],
		['GET', '/v1/tail?follow=false', '', 401],
		['GET', '/v1/tail?follow=false', `Bearer ${READ}`, 200],
		['GET', '/v1/status', '', 401],
		['GET', '/metrics', '', 401],
		['GET', '/metrics', `Bearer ${READ}`, 200],
		['POST', '/v1/propose', '', 401],
		['POST', '/v1/propose', `Bearer ${READ}`, 403],
		['POST', '/v1/propose', `Bearer ${WRITE}`, 200],
		['POST', '/v1/propose', `Bearer ${ADMIN}`, 200],
		['GET', '/healthz', '', 200],
		['GET', '/readyz', '', 200],
	])('%s %s with %j is answered %i', async (method, path, authorization, status) => {
		const headers = { authorization, host: 'any.example' };
		const said = await ask(gateway, path, { method, headers });
		expect(said.status).toBe(status);
		if (status === 401) {
			expect([codeOf(said), said.headers['www-authenticate']]).toEqual(['UNAUTHORIZED', 'Bearer']);
		}
	});
});
