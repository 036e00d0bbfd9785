import { statSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Certificates } from '../../native-free-io/certificates.js';
import { NativeNetwork, TlsNetwork } from '../../native-free-io/index.js';
import { BadOption } from '../../src/errors.js';
import type { Listener, Network, TlsFiles } from '../../src/io.js';
import { pattern } from '../contract/bytes.js';
import { Recorder } from '../contract/network-recorder.js';
import { TestCertificates } from './certificates.js';

const certificates = new TestCertificates();
let replica: TlsFiles;

beforeAll(async () => {
	await certificates.make('ours', ['replica-1', 'replica-2', 'client-app']);
	await certificates.make('theirs', ['replica-1']);
	replica = certificates.files('ours', 'replica-1');
});
afterAll(() => certificates.remove());

/** Who got in. */
let accepted: Recorder[] = [];

async function listen(files = replica): Promise<Listener> {
	const own: Recorder[] = [];
	accepted = own;
	return await new TlsNetwork(files).listen({ host: '127.0.0.1', port: 0 }, (connection) => {
		own.push(new Recorder(connection));
		return own.at(-1)!;
	});
}

/** The dialler is done before the other end has seen its certificate. */
async function arrived(count: number): Promise<Recorder> {
	while (accepted.length < count) await new Promise((resolve) => setImmediate(resolve));
	return accepted[count - 1]!;
}

const dial = (network: Network, listener: Listener, host = '127.0.0.1') => {
	const address = { host, port: listener.address.port };
	let recorder!: Recorder;
	network.dial(address, (own) => {
		recorder = new Recorder(own);
		return recorder;
	});
	return recorder;
};

describe('TLS', () => {
	test('nothing that is sent can be read on the way', async () => {
		const listener = await listen();
		const secret = new TextEncoder().encode('a secret of forty-two characters, perhaps.');
		let seen = Buffer.alloc(0);
		const tap = net.createServer((socket) => {
			const on = net.connect(listener.address.port, '127.0.0.1');
			const both = [socket, on] as const;
			for (const end of both)
				end
					.on('error', () => {})
					.on('data', (bytes) => {
						seen = Buffer.concat([seen, bytes]);
					});
			socket.pipe(on).pipe(socket);
		});
		await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
		const { port } = tap.address() as net.AddressInfo;
		const dialled = dial(new TlsNetwork(replica), { address: { host: '', port } } as Listener);
		await dialled.is('opened');
		await dialled.send(secret);
		const other = await arrived(1);
		await other.has(secret.length);
		expect(other.content).toEqual(secret);
		expect(seen.length).toBeGreaterThan(secret.length);
		expect(seen.includes(Buffer.from(secret))).toBe(false);
		dialled.connection.close();
		await listener.close();
		await new Promise((resolve) => tap.close(resolve));
	});

	test('who has no certificate, or one of another authority, or doesn’t speak TLS, gets nowhere', async () => {
		const listener = await listen();
		const stranger = dial(new TlsNetwork(certificates.files('theirs', 'replica-1')), listener);
		await stranger.is('closed');
		expect(stranger.reason).toMatchObject({ message: expect.stringMatching(/certificate/) });
		const plain = dial(new NativeNetwork(), listener);
		await plain.is('opened');
		plain.send(pattern(1_000, 1));
		await plain.is('closed');
		const nobody = tls.connect({ port: listener.address.port, rejectUnauthorized: false });
		nobody.on('error', () => {});
		nobody.write('hello');
		await new Promise((resolve) => nobody.once('close', resolve));
		expect(accepted).toEqual([]);
		await listener.close();
	});

	test('who was dialled must be who was meant', async () => {
		const listener = await listen();
		const dialled = dial(new TlsNetwork(replica), listener, 'localhost');
		await dialled.is('closed');
		expect(dialled.events).not.toContain('opened');
		expect(dialled.reason).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
		await listener.close();
	});

	test('a client’s certificate says that its holder is no replica', async () => {
		const listener = await listen();
		for (const [i, name] of ['client-app', 'replica-2'].entries()) {
			const dialled = dial(new TlsNetwork(certificates.files('ours', name)), listener);
			await dialled.send(pattern(10, 1));
			await (await arrived(i + 1)).has(10);
		}
		expect(accepted.map(({ connection }) => connection.isClientOnly)).toEqual([true, false]);
		await listener.close();
	});

	test('closing a listener ends those, too, that never show a certificate', async () => {
		const listener = await listen();
		const silent = net.connect(listener.address.port, '127.0.0.1');
		await new Promise((resolve) => silent.once('connect', resolve));
		silent.on('error', () => {});
		const gone = new Promise((resolve) => silent.once('close', resolve));
		await listener.close();
		await gone;
	});
});

describe('certificates', () => {
	test('are taken over when the files change, once they fit each other', async () => {
		await certificates.make('renewed', ['replica-1', 'replica-2']);
		const files = certificates.files('renewed', 'replica-1');
		const next = certificates.files('renewed', 'replica-2');
		const used = new Certificates(files);
		const before = used.options.cert;
		expect(used.refresh()).toBe(false);
		certificates.replace(files, next, ['certificateFile']);
		// The key is still that of the one before.
		expect(used.refresh()).toBe(false);
		expect(used.options.cert).toBe(before);
		certificates.replace(files, next, ['keyFile']);
		expect(used.refresh()).toBe(true);
		expect(used.options.cert).not.toEqual(before);
	});

	test('that can’t be used are a BadOption of one line', async () => {
		const missing = { ...replica, keyFile: `${replica.keyFile}.not` };
		expect(() => new TlsNetwork(missing)).toThrow(BadOption);
		const { keyFile } = certificates.files('ours', 'replica-2');
		expect(() => new TlsNetwork({ ...replica, keyFile })).toThrow(
			/^the certificate can't be used: /,
		);
	});

	test('have keys that nobody else can read', () => {
		expect(statSync(replica.keyFile).mode & 0o077).toBe(0);
		expect(statSync(certificates.prefix('ours', 'ca.key')).mode & 0o077).toBe(0);
	});
});
