import net from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { AcceptedDirectConnection } from '../../native-free-io/direct-accepted.js';
import { NativeNetwork, nativeDoors } from '../../native-free-io/index.js';
import { Unavailable } from '../../src/errors.js';
import { pattern } from '../contract/bytes.js';
import { Recorder } from '../contract/network-recorder.js';

describe('the native network', () => {
	test('reads into the handler’s memory on dialled connections: no bytes are copied', async () => {
		const { network } = nativeDoors();
		const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
			const recorder = new Recorder(connection);
			recorder.onOpened = () => void recorder.send(pattern(100_000, 1));
			return recorder;
		});
		const slab = new Uint8Array(200_000);
		let filled = 0;
		await new Promise<void>((resolve) => {
			const connection = network.dial(listener.address, () => ({
				opened() {},
				space: () => slab.subarray(filled),
				received(bytes) {
					filled += bytes;
					if (filled === 100_000) connection.close();
				},
				closed: () => resolve(),
			}));
		});
		expect(Buffer.compare(slab.subarray(0, filled), pattern(100_000, 1))).toBe(0);
		await listener.close();
	});

	test('does the same on accepted ones, but for the first byte', async () => {
		const network = new NativeNetwork();
		let accepted: Recorder | null = null;
		let reads = 0;
		const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
			const recorder = new Recorder(connection, 50_000);
			// Who copies asks for a place when there is something to be put there.
			recorder.onReceived = () => {
				reads += 1;
				setImmediate(() => expect(recorder.isPlaceReserved).toBe(true));
			};
			accepted = recorder;
			return recorder;
		});
		const dialled = network.dial(listener.address, (own) => new Recorder(own));
		dialled.writev([pattern(1_000_000, 1)], () => {});
		await vi.waitFor(() => expect(accepted?.bytes).toBe(1_000_000));
		expect(Buffer.compare(accepted!.content, pattern(1_000_000, 1))).toBe(0);
		expect(accepted!.chunks[0]!.length).toBe(1);
		expect(reads).toBeGreaterThan(2);
		expect(accepted!.connection.remote).toMatch(/^127\.0\.0\.1:\d+$/);
		await listener.close();
		await accepted!.is('closed');
		expect(accepted!.reason).toBe(null);
	});

	test('reads as Node does where an accepted socket can’t be moved', async () => {
		const server = net.createServer();
		const done = new Promise<void>((resolve) => {
			server.once('connection', (socket: net.Socket & { _handle?: object | null }) => {
				const handle = socket._handle!;
				socket._handle = null;
				expect(AcceptedDirectConnection.take(socket, server, refuse)).toBe(null);
				socket._handle = handle;
				expect(AcceptedDirectConnection.take(socket, new net.Server(), refuse)).toBe(null);
				socket.pipe(socket).on('finish', resolve);
			});
		});
		const refuse = () => expect.unreachable('nothing was accepted');
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const client = net.connect((server.address() as net.AddressInfo).port);
		let echo = '';
		client.on('data', (chunk) => {
			echo += chunk;
		});
		client.end('still here');
		await done;
		await vi.waitFor(() => expect(echo).toBe('still here'));
		await new Promise((resolve) => server.close(resolve));
	});

	test('and a listener serves by that: bytes, a pause, the end', async () => {
		const take = vi.spyOn(AcceptedDirectConnection, 'take').mockReturnValue(null);
		const network = new NativeNetwork();
		let accepted: Recorder | null = null;
		const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
			accepted = new Recorder(connection, 50_000);
			return accepted;
		});
		const dialled = network.dial(listener.address, (own) => new Recorder(own));
		dialled.writev([pattern(1_000_000, 1)], () => {});
		await vi.waitFor(() => expect(accepted?.bytes).toBeGreaterThan(0));
		expect(take).toHaveBeenCalledTimes(1);
		take.mockRestore();
		accepted!.connection.pause();
		setImmediate(() => accepted!.connection.resume());
		await accepted!.has(1_000_000);
		expect(Buffer.compare(accepted!.content, pattern(1_000_000, 1))).toBe(0);
		expect(accepted!.connection.remote).toMatch(/^127\.0\.0\.1:\d+$/);
		dialled.close();
		await accepted!.is('closed');
		await listener.close();
	});

	test('lets no small write wait for company, and notices a machine that is gone', async () => {
		const network = new NativeNetwork();
		const listener = await network.listen(
			{ host: '127.0.0.1', port: 0 },
			(own) => new Recorder(own),
		);
		const noDelay = vi.spyOn(net.Socket.prototype, 'setNoDelay');
		const keepAlive = vi.spyOn(net.Socket.prototype, 'setKeepAlive');
		const connection = network.dial(listener.address, (own) => new Recorder(own));
		expect(noDelay).toHaveBeenCalledWith(true);
		expect(keepAlive).toHaveBeenCalledWith(true, 10_000);
		vi.restoreAllMocks();
		connection.close();
		await listener.close();
	});

	test('holds the sender back while it is paused', async () => {
		const network = new NativeNetwork();
		let accepted: Recorder | null = null;
		const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
			connection.pause();
			accepted = new Recorder(connection, 65_536);
			return accepted;
		});
		let dialled: Recorder | null = null;
		network.dial(listener.address, (connection) => {
			dialled = new Recorder(connection);
			return dialled;
		});
		// More than the kernel keeps for both ends.
		const block = new Uint8Array(1_048_576);
		let done = 0;
		for (let i = 0; i < 64; i++) void dialled!.send(block).then(() => done++);
		await dialled!.is('opened');
		// Turns in which all of it would have gone, were it not held back.
		for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve));
		expect(done).toBeLessThan(64);
		expect(accepted!.bytes).toBe(0);
		accepted!.connection.resume();
		await accepted!.has(64 * 1_048_576);
		await listener.close();
	});

	test('gives up on an address that doesn’t answer', async () => {
		const network = new NativeNetwork({ connectTimeoutMs: 20 });
		// No address is sure to stay silent, so the attempt itself is left out.
		const connect = vi.spyOn(net.Socket.prototype, 'connect').mockReturnThis();
		let dialled: Recorder | null = null;
		network.dial({ host: '127.0.0.1', port: 9 }, (connection) => {
			dialled = new Recorder(connection);
			return dialled;
		});
		connect.mockRestore();
		await dialled!.is('closed');
		expect(dialled!.events).toEqual(['closed']);
		expect(dialled!.reason).toBeInstanceOf(Unavailable);
		expect(dialled!.reason!.message).toContain('127.0.0.1:9 did not answer within 20 ms');
	});

	test.each([
		{ host: '127.0.0.1', port: 70_000 },
		{ host: 'no such name.invalid', port: 80 },
	])('reports an address that can’t be: $host:$port', async (address) => {
		const network = new NativeNetwork();
		let recorder: Recorder | null = null;
		network.dial(address, (connection) => {
			recorder = new Recorder(connection);
			return recorder;
		});
		const sent = recorder!.send(pattern(1, 1));
		await recorder!.is('closed');
		await sent;
		expect(recorder!.reason).toBeInstanceOf(Error);
	});

	test('reports an address it can’t listen on', async () => {
		const network = new NativeNetwork();
		const listening = network.listen({ host: '192.0.2.1', port: 0 }, (own) => new Recorder(own));
		await expect(listening).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
	});

	test('reports a reset as one', async () => {
		const server = net.createServer((socket) => socket.resetAndDestroy());
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const { port } = server.address() as net.AddressInfo;
		let recorder: Recorder | null = null;
		new NativeNetwork().dial({ host: '127.0.0.1', port }, (connection) => {
			recorder = new Recorder(connection);
			return recorder;
		});
		await recorder!.is('closed');
		expect(recorder!.reason).toMatchObject({ code: 'ECONNRESET' });
		server.close();
	});

	test('knows a host by its name', async () => {
		const network = new NativeNetwork();
		let accepted: Recorder | null = null;
		const listener = await network.listen({ host: 'localhost', port: 0 }, (connection) => {
			accepted = new Recorder(connection);
			return accepted;
		});
		let dialled: Recorder | null = null;
		network.dial(listener.address, (connection) => {
			dialled = new Recorder(connection);
			return dialled;
		});
		await dialled!.send(pattern(10, 1));
		await dialled!.is('opened');
		await accepted!.has(10);
		await listener.close();
	});
});
