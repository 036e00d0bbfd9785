import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RemoteClient } from '../../src/client/remote-client.js';
import { Forbidden } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import type { Gateway, Permission } from '../../src/gateway/index.js';
import type { Replica } from '../../src/replica/replica.js';
import { clusterNumber, HELLO_BYTES, Purpose, writeHello } from '../../src/transport/hello.js';
import { Cluster, until } from '../replica/cluster.js';
import { EchoMachine } from './echo-machine.js';
import { ask, codeOf, openOn, unavailable } from './gateways.js';
import { BareSocket, connectTo } from './sockets.js';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
/** With a letter that no subprotocol can have. */
const tokenOf = (permission: Permission) => `${permission}/secret+of-16..`;
const tokens = (['read', 'write', 'admin'] as const).map((permission) => ({
	permission,
	secret: tokenOf(permission),
}));

function hello(purpose: Purpose, from = 0): Uint8Array {
	const memory = new Memory(HELLO_BYTES);
	const cluster = clusterNumber('millrace');
	writeHello(memory, 0, { purpose, cluster, group: 1, from, to: 1, life: from });
	return memory.bytes;
}

describe.skipIf(unavailable !== null)('the WebSockets of a gateway', () => {
	let cluster: Cluster;
	let replica: Replica;
	let gateway: Gateway;
	let guarded: Gateway;
	const clients: RemoteClient[] = [];

	beforeAll(async () => {
		cluster = await Cluster.open(1, () => ({ stateMachine: new EchoMachine() }));
		replica = await cluster.leader();
		gateway = await openOn(replica);
		guarded = await openOn(replica, { tokens, origins: ['https://app.example'] });
	});

	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.close()));
	});

	afterAll(async () => {
		await gateway?.close();
		await guarded?.close();
		await cluster?.close();
	});

	function client(of: Gateway, token?: string): RemoteClient {
		const made = connectTo({ 1: of }, token === undefined ? {} : { token });
		clients.push(made);
		return made;
	}

	it('carry proposals, reads, tails and status as the port does, and leave nothing behind', async () => {
		const own = client(gateway);
		const { index } = await own.propose(encode('first'));
		await own.proposeBatch([encode('second'), new Uint8Array(700_000).fill(7)]);
		expect(decode(await own.read(encode('what')))).toContain('what');
		const entries: Uint8Array[] = [];
		for await (const { data } of own.tail({ from: index, follow: false })) entries.push(data);
		expect(entries.slice(0, 2).map(decode)).toEqual(['first', 'second']);
		expect(Buffer.from(entries[2]!).equals(Buffer.alloc(700_000, 7))).toBe(true);
		const [report] = await own.status();
		expect(report!.status!.role).toBe('leader');
		expect((await own.members()).voters).toHaveLength(1);
		await own.close();
		await until('all are gone', () => gateway.counters().connections === 0);
		expect(gateway.counters()).toMatchObject({ sockets: 0, waitingBytes: 0 });
	});

	it('allow what the token allows, by kind of frame, and tell what is missing', async () => {
		const { last } = replica.status();
		const reader = client(guarded, tokenOf('read'));
		expect(decode(await reader.read(encode('ask')))).toContain('ask');
		await expect(reader.propose(encode('no'))).rejects.toThrow(Forbidden);
		await expect(reader.members()).rejects.toMatchObject({ code: 'FORBIDDEN' });
		await expect(reader.transferLeadership()).rejects.toMatchObject({ code: 'FORBIDDEN' });
		await expect(reader.backup(() => {})).rejects.toThrow(/'admin'/);
		expect(replica.status().last).toBe(last);
		const writer = client(guarded, tokenOf('write'));
		await writer.propose(encode('yes'));
		await expect(writer.members()).rejects.toMatchObject({ code: 'FORBIDDEN' });
		const admin = client(guarded, tokenOf('admin'));
		await admin.propose(encode('yes'));
		expect((await admin.members()).voters).toHaveLength(1);
		// Two sessions, and an entry in each.
		expect(replica.status().last).toBe(last + 4);
	});

	it('want a token that is known, as a subprotocol or as a header', async () => {
		const token = 'token-of-16-chars';
		const plain = await openOn(replica, { tokens: [{ permission: 'read', secret: token }] });
		const good = [
			new BareSocket(plain, ['millrace.v1', `bearer.${token}`]),
			new BareSocket(plain, [
				`bearer64.${Buffer.from(token).toString('base64url')}`,
				'millrace.v1',
			]),
			new BareSocket(plain, ['millrace.v1'], { headers: { authorization: `Bearer ${token}` } }),
		];
		await until('they stand', () => good.every(({ isOpen }) => isOpen));
		expect(good.map(({ socket }) => socket.protocol)).toEqual(good.map(() => 'millrace.v1'));
		const bad = [
			new BareSocket(plain),
			new BareSocket(plain, ['millrace.v1', `bearer.${token}x`]),
			new BareSocket(plain, ['millrace.v1', 'bearer.']),
			new BareSocket(plain, ['millrace.v1', 'bearer64.abc']),
			new BareSocket(plain, ['millrace.v1'], { headers: { authorization: 'Bearer x' } }),
		];
		await until('they are refused', () => bad.every(({ code }) => code !== null));
		expect(bad.map(({ fault }) => fault)).toEqual(bad.map(() => ''));
		const [first, ...others] = bad.map(({ text }) => text);
		expect(first).toContain('no token that is known here was shown');
		expect(others).toEqual(others.map(() => first));
		await plain.close();
		await until('the others are told', () => good.every(({ code }) => code === 1001));
	});

	it('are not made for other subprotocols, other pages, nor as HTTP', async () => {
		const foreign = { origin: 'https://evil.example' };
		const refused = [
			[new BareSocket(gateway, ['other.v1']), '400'],
			[new BareSocket(gateway, []), '400'],
			[new BareSocket(gateway, ['millrace.v1'], foreign), '403'],
			[new BareSocket(gateway, ['millrace.v1'], { headers: { host: 'evil.example' } }), '403'],
			[new BareSocket(guarded, ['millrace.v1', 'bearer.x'], foreign), '403'],
		] as const;
		await until('they are refused', () => refused.every(([{ code }]) => code !== null));
		for (const [{ fault }, status] of refused) expect(fault).toContain(status);
		const own = new BareSocket(gateway, ['millrace.v1'], {
			origin: `http://127.0.0.1:${gateway.port}`,
		});
		await until('its own page’s is made', () => own.isOpen);
		own.socket.close();
		const said = await ask(gateway, '/v1/stream');
		expect([said.status, codeOf(said)]).toEqual([426, 'UPGRADE_REQUIRED']);
	});

	it.each([
		['no token', {}],
		['a wrong one', { token: 'a-wrong-token-of-16' }],
	])('a client with %s is told so, by every call', async (_what, shown) => {
		const { last } = replica.status();
		// Whoever waits for the time to run out fails the test by that.
		const stranger = connectTo({ 1: guarded }, { ...shown, timeoutMs: 120_000 });
		clients.push(stranger);
		const tail = async () => {
			for await (const _ of stranger.tail()) throw new Error('it has come');
		};
		const calls = [
			stranger.propose(encode('no')),
			stranger.read(encode('no')),
			stranger.read(encode('no'), { from: 'any', consistency: 'stale' }),
			stranger.members(),
			stranger.changeMembers({ remove: [1] }),
			stranger.transferLeadership(),
			stranger.backup(() => {}),
			tail(),
		];
		for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
			expect(status).toBe('rejected');
			expect(reason).toBeInstanceOf(Forbidden);
			expect(reason.message).toContain('no token that is known here was shown');
		}
		const [report] = await stranger.status();
		expect(report!.error).toBeInstanceOf(Forbidden);
		expect(replica.status().last).toBe(last);
	});

	it('what a stranger says is not looked at; he is cut off, and there are only so many', async () => {
		const { last } = replica.status();
		const before = guarded.counters();
		const bare = Array.from({ length: 40 }, () => new BareSocket(guarded));
		const told = bare.filter(({ fault }) => fault === '');
		await until('each has an answer', () =>
			bare.every(({ fault, heard }) => fault !== '' || heard.length > 0),
		);
		const refused = bare.filter(({ fault }) => fault !== '');
		expect(refused).toHaveLength(8);
		expect(refused.every(({ fault }) => fault.includes('401'))).toBe(true);
		expect(guarded.counters()).toMatchObject({
			sockets: 0,
			failures: before.failures + 40,
			waitingBytes: 0,
		});
		for (const { socket, isOpen } of told) if (isOpen) socket.send(hello(Purpose.client));
		for (const { socket, isOpen } of told) if (isOpen) socket.send('text');
		// They don't go by themselves.
		await until('they are cut off', () => bare.every(({ code }) => code !== null));
		expect(guarded.counters().connections).toBe(0);
		for (const { heard } of told) expect(heard.length).toBeLessThanOrEqual(1);
		expect(replica.status().last).toBe(last);
		await client(guarded, tokenOf('write')).propose(encode('others go on'));
	});

	it('closes who sends text, what is no frame, too long a message, or a replica’s hello', async () => {
		const { last } = replica.status();
		const say = (what: string | Uint8Array) => {
			const bare = new BareSocket(gateway);
			bare.socket.on('open', () => bare.socket.send(what));
			return bare;
		};
		const text = say('hello');
		const garbage = say(new Uint8Array(64).fill(0x5a));
		const long = say(new Uint8Array(1024 * 1024 + 1));
		const peer = say(hello(Purpose.peer, 2));
		await until('all are closed', () =>
			[text, garbage, long, peer].every(({ code }) => code !== null),
		);
		expect(text.code).toBe(1003);
		expect([garbage.code, peer.code]).toEqual([1008, 1008]);
		expect(peer.text).toContain('it comes as a client');
		expect(long.code).not.toBe(1000);
		expect(replica.status().last).toBe(last);
		await client(gateway).propose(encode('others go on'));
	});

	it('what docs/CLIENTS.md shows runs', async () => {
		const text = readFileSync(new URL('../../docs/CLIENTS.md', import.meta.url), 'utf8');
		const [, code] = /^```js\n(.*?)^```$/ms.exec(text)!;
		const shown = code!.replace(/^import .*$/m, '').replace(/connect\(\{.*\}\)/, 'make()');
		expect(shown).toContain('make()');
		const lines: string[] = [];
		const console = { log: (line: string) => lines.push(line) };
		const Statements = Object.getPrototypeOf(async () => {}).constructor as new (
			...names: string[]
		) => (...values: unknown[]) => Promise<void>;
		await new Statements('make', 'console', shown)(
			() => client(guarded, tokenOf('write')),
			console,
		);
		expect(lines).toEqual(['hello']);
	});
});
