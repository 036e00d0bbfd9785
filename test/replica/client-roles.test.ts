import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nativeDoors, TlsNetwork } from '../../native-free-io/index.js';
import { parseAddress } from '../../src/client/address.js';
import {
	backupFromAddress,
	type ConnectOptions,
	connect,
	type RemoteClient,
} from '../../src/client/index.js';
import { BadOption, Forbidden } from '../../src/errors.js';
import { BatchKind } from '../../src/format/batch.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	readMessage,
} from '../../src/format/message.js';
import { registrationEntry } from '../../src/format/registration.js';
import { openHost, openReplica, type TlsFiles } from '../../src/index.js';
import { clusterNumber, PROTOCOL_VERSION, Purpose } from '../../src/transport/hello.js';
import { Rejection } from '../../src/transport/rejection.js';
import { Recorder } from '../contract/network-recorder.js';
import { BATCH, batchFrame, memoryOf, messageFrame, readStream, text } from '../format/frames.js';
import { EchoMachine } from '../gateway/echo-machine.js';
import { TestCertificates } from '../native-free-io/certificates.js';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';
import { freePeers } from './ports.js';

const ROLES = {
	'client-reader': 'read',
	'client-writer': 'write',
	'client-admin': 'admin',
	constructor: 'read',
} as const;
const QUERY = new Uint8Array(0);

function messagesIn(bytes: Uint8Array): MessageNumbers[] {
	const { accepted } = readStream(memoryOf(bytes), 0, bytes.length);
	return accepted.map((frame) => {
		const message = emptyMessage(0);
		readMessage(memoryOf(frame.bytes), 0, message);
		return message;
	});
}

describe('roles of clients by their certificates', () => {
	const certificates = new TestCertificates();
	const clients: RemoteClient[] = [];
	let cluster: Cluster;

	const named = (name: string) => certificates.files('ours', name);

	beforeAll(async () => {
		const names = ['reader', 'writer', 'admin', 'stranger'].map((name) => `client-${name}`);
		await certificates.make('ours', ['replica-1', 'replica-2', 'replica-3', ...names]);
		cluster = await Cluster.open(3, (id) => ({
			stateMachine: new EchoMachine(),
			tls: named(`replica-${id}`),
			// One of them is open to readers.
			clientRoles: id === 3 ? { '*': 'read' } : ROLES,
		}));
		await cluster.voting();
		// Who may do what is each replica's own.
		if ((await cluster.leader()).id === 3) await cluster.replica(3).transferLeadership(1);
		await until('another one leads', () => cluster.replica(1).status().leader !== 3);
	});

	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.close()));
	});

	afterAll(async () => {
		await cluster?.close();
		certificates.remove();
	});

	function client(tls: TlsFiles, options: Partial<ConnectOptions> = {}): RemoteClient {
		const { 1: first, 2: second } = cluster.peers;
		const made = connect({ peers: { 1: first!, 2: second! }, tls, ...options });
		clients.push(made);
		return made;
	}

	const leader = () => cluster.leader();

	it('read: asks and tails, and nothing that it proposes is in the log', async () => {
		const { last } = (await leader()).status();
		const reader = client(named('client-reader'));
		await expect(reader.propose(numbered(1))).rejects.toBeInstanceOf(Forbidden);
		await expect(reader.propose(numbered(1))).rejects.toThrow(/role for 'write'/);
		const plain = client(named('client-reader'), { session: false });
		await expect(plain.proposeBatch([numbered(1)])).rejects.toBeInstanceOf(Forbidden);
		await reader.read(QUERY);
		const indexes: number[] = [];
		for await (const { index } of reader.tail({ follow: false })) indexes.push(index);
		expect((await reader.status()).some(({ status }) => status !== null)).toBe(true);
		for (const call of [reader.members(), reader.transferLeadership(), reader.changeMembers({})]) {
			await expect(call).rejects.toMatchObject({ code: 'FORBIDDEN' });
		}
		await expect(reader.backup(() => {})).rejects.toThrow(/'admin'/);
		expect((await leader()).status().last).toBe(last);
	});

	it('write: also proposes; admin: does everything', async () => {
		const writer = client(named('client-writer'));
		await writer.propose(numbered(1));
		await expect(writer.members()).rejects.toMatchObject({ code: 'FORBIDDEN' });
		const admin = client(named('client-admin'));
		await admin.propose(numbered(2));
		expect((await admin.members()).voters).toHaveLength(3);
	});

	it('a replica’s certificate is no client’s: its holder does everything', async () => {
		const own = client(named('replica-2'));
		await own.propose(numbered(3));
		expect((await own.members()).voters).toHaveLength(3);
	});

	it.each([
		['no role', () => named('client-stranger'), '"client-stranger" has no role here'],
		['no name', () => certificates.sign('ours', 'none', '/OU=client'), 'it has shown no name'],
		[
			'two names, of which one has a role',
			() => certificates.sign('ours', 'two', '/OU=client/CN=client-admin/CN=x'),
			'it has shown no name',
		],
		[
			'a name with more lines than one',
			() => certificates.sign('ours', 'lines', '/OU=client/CN=client-admin\nlies'),
			'"client-admin\\nlies" has no role here',
		],
		[
			'a name of its own in other letters',
			() => certificates.sign('ours', 'large', '/OU=client/CN=Client-Admin'),
			'"Client-Admin" has no role here',
		],
		['a star for a name', () => certificates.sign('ours', 'star', '/OU=client/CN=*'), '"*" has no'],
		[
			'a name that every object knows',
			() => certificates.sign('ours', 'proto', '/OU=client/CN=__proto__'),
			'"__proto__" has no role here',
		],
	])('is turned away with %s, and told why', async (_what, make, why) => {
		// Whoever waits for the time to run out fails the test by that.
		const stranger = client(make(), { timeoutMs: 120_000 });
		const read = stranger.read(QUERY, { from: 1, consistency: 'stale' });
		await expect(read).rejects.toBeInstanceOf(Forbidden);
		await expect(read).rejects.toThrow(why);
		// All that it knows turn it away.
		await expect(stranger.propose(numbered(1))).rejects.toBeInstanceOf(Forbidden);
		await expect(stranger.members()).rejects.toBeInstanceOf(Forbidden);
		await expect(stranger.tail().next()).rejects.toBeInstanceOf(Forbidden);
		const line = cluster.lines.get(1)!.find((words) => words.includes(why));
		expect(line).toMatch(/^connection from .+ closed: [^\n]+$/);
	});

	it('whom some replicas turn away works with those that don’t, and is told when nobody is left', async () => {
		const { id: leading } = await leader();
		const tls = named('client-stranger');
		const mixed = client(tls, { peers: cluster.peers, timeoutMs: 1500 });
		await client(named('client-writer')).propose(numbered(0));
		for (let i = 0; i < 6; i++) {
			const one = client(tls, { peers: cluster.peers });
			await one.read(QUERY, { from: 'any', consistency: 'stale' });
			await one.tail().next();
		}
		expect((await mixed.status()).map(({ error }) => error instanceof Forbidden)).toEqual([
			true,
			true,
			false,
		]);
		// One of those that let nobody in leads, and that may change.
		expect(leading).not.toBe(3);
		await expect(mixed.read(QUERY)).rejects.toThrow(/no answer for 1500 ms/);
		const { 1: gone } = await freePeers(1);
		const alone = client(tls, { peers: { 1: cluster.peers[1]!, 9: gone! }, timeoutMs: 900 });
		const calls: Promise<unknown>[] = [
			alone.propose(numbered(1)),
			alone.read(QUERY),
			alone.members(),
		];
		calls.push(
			alone.tail().next(),
			alone.backup(() => {}),
		);
		for (const told of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
			expect(told.reason).toBeInstanceOf(Forbidden);
			expect(told.reason.message).toMatch(/no role here, and nobody else has answered/);
		}
	});

	it('a name is a name, also that of a constructor; and a replica may let all others read', async () => {
		const odd = client(certificates.sign('ours', 'odd', '/OU=client/CN=constructor'));
		await odd.read(QUERY);
		await expect(odd.propose(numbered(1))).rejects.toBeInstanceOf(Forbidden);
		const peers = { 3: cluster.peers[3]! };
		const anybody = client(named('client-stranger'), { peers });
		await anybody.read(QUERY, { from: 3, consistency: 'stale' });
		// There it is one of the others.
		const tls = named('client-admin');
		const copied = backupFromAddress(peers[3], { tls }, () => {});
		await expect(copied).rejects.toThrow(/'admin'/);
	});

	it('hostile frames of a reader are refused one by one, or end his connection', async () => {
		const { last } = (await leader()).status();
		const group = 1;
		const hello = messageFrame(
			{
				...{ kind: MessageFrameKind.hello, group, from: 0, to: 0 },
				...{ context: clusterNumber('millrace'), hintIndex: Purpose.client },
			},
			null,
			0,
			PROTOCOL_VERSION,
		);
		const numbers = { ...BATCH, group };
		const entries = (session: number, sequence: number) =>
			batchFrame([text('no')], { ...numbers, kind: BatchKind.entries, session, sequence });
		const registration = batchFrame([registrationEntry({ durationMs: 1000, sessionsMax: 0 })], {
			...{ ...numbers, kind: BatchKind.session, session: 0, sequence: 0 },
		});
		const said = async (...frames: Uint8Array[]) => {
			const network = new TlsNetwork(named('client-reader'));
			let recorder!: Recorder;
			network.dial(parseAddress(cluster.peers[1]!), (own) => {
				recorder = new Recorder(own);
				return recorder;
			});
			await recorder.is('opened');
			await recorder.send(hello, ...frames);
			return recorder;
		};
		const proposing = await said(entries(7, 1), registration, entries(0, 0), entries(7, 9));
		const answers = () => messagesIn(proposing.content).slice(1);
		await proposing.until(() => answers().length === 4);
		for (const answer of answers()) {
			expect(answer).toMatchObject({
				kind: MessageFrameKind.proposeReply,
				rejected: true,
				hintIndex: Rejection.forbidden,
			});
		}
		proposing.connection.close();
		for (const kind of [MessageFrameKind.append, MessageFrameKind.snapshotChunk]) {
			const other = await said(messageFrame({ kind, group, from: 2, to: 1 }, null, 0, 0));
			await other.is('closed');
			expect(new TextDecoder().decode(other.content)).toContain(`message kind ${kind}`);
		}
		expect((await leader()).status().last).toBe(last);
	});

	it('a group of a host has roles of its own', async () => {
		const { 1: address } = await freePeers(1);
		const dir = join(cluster.directory, 'host');
		const peers = { 1: address! };
		const host = await openHost({ id: 1, dir, peers, tls: named('replica-1') });
		const stateMachine = () => new EchoMachine();
		await host.openGroup(1, { stateMachine: stateMachine(), clientRoles: ROLES });
		await host.openGroup(2, { stateMachine: stateMachine(), clientRoles: { '*': 'write' } });
		const of = (group: number) => client(named('client-reader'), { peers, group });
		await of(1).read(QUERY);
		await expect(of(1).propose(numbered(1))).rejects.toBeInstanceOf(Forbidden);
		await of(2).propose(numbered(1));
		await host.close();
	});

	it('a renewed certificate has the role of its name', async () => {
		const renewed = certificates.sign('ours', 'renewed', '/OU=client/CN=client-reader');
		const own = client(renewed, { timeoutMs: 5000 });
		await expect(own.propose(numbered(1))).rejects.toBeInstanceOf(Forbidden);
		certificates.replace(renewed, named('client-writer'), ['certificateFile', 'keyFile']);
		// Who dials looks each time; what stands keeps what it began with.
		await own.close();
		await client(renewed).propose(numbered(4));
	});
});

describe('without proof of a name there are no roles', () => {
	const peers = { 1: '127.0.0.1:1' };
	const stateMachine = { apply: () => undefined };
	const options = { id: 1, dir: '/nowhere', peers, stateMachine };

	it('no TLS, no roles; and roles are what there is', async () => {
		const clientRoles = { a: 'read' } as const;
		await expect(openReplica({ ...options, clientRoles })).rejects.toThrow(/need tls/);
		const tls = { certificateFile: '', keyFile: '', authorityFile: '' };
		const doors = nativeDoors();
		for (const wrong of [{ a: 'all' }, { '': 'read' }, { a: ['read'] }, { a: 'constructor' }]) {
			const opening = openReplica({ ...options, doors, tls, clientRoles: wrong as never });
			await expect(opening).rejects.toBeInstanceOf(BadOption);
		}
	});

	it('a network that asks nobody for a certificate lets no client in', async () => {
		const cluster = await Cluster.open(1, () => ({
			doors: nativeDoors(),
			clientRoles: { '*': 'admin' },
		}));
		const client = connect({ peers: cluster.peers, timeoutMs: 900 });
		await expect(client.read(QUERY)).rejects.toThrow(/has no role here/);
		await client.close();
		await cluster.close();
	});
});
