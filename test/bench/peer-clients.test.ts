import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { GrpcConnection } from '../../bench/peers/grpc.js';
import { NatsConnection } from '../../bench/peers/nats-connection.js';

const closing: (() => void)[] = [];
afterEach(() => {
	for (const close of closing.splice(0)) close();
});

/** gRPC as Node's own HTTP/2 speaks it: answers with what came, or with the status that it asks for. */
async function startGrpc(settings: http2.Settings): Promise<number> {
	const server = http2.createServer({ settings });
	server.on('stream', (stream, headers) => {
		const chunks: Buffer[] = [];
		stream.on('data', (chunk: Buffer) => chunks.push(chunk));
		stream.on('error', () => {});
		stream.on('end', () => {
			const status = /^\/status\/(.+)$/.exec(headers[':path']!)?.[1] ?? '0';
			if (status === 'reset') {
				stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
				return;
			}
			stream.respond(
				{ ':status': 200, 'content-type': 'application/grpc' },
				{ waitForTrailers: true },
			);
			stream.on('wantTrailers', () => {
				stream.sendTrailers({ 'grpc-status': status, 'grpc-message': '' });
			});
			stream.end(Buffer.concat(chunks));
		});
	});
	closing.push(() => server.close());
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return (server.address() as net.AddressInfo).port;
}

async function connectGrpc(settings: http2.Settings = {}): Promise<GrpcConnection> {
	const connection = await GrpcConnection.connect(await startGrpc(settings));
	closing.push(() => connection.close());
	return connection;
}

it('many gRPC calls at once are answered, each with its own', async () => {
	const connection = await connectGrpc();
	const sizes = Array.from({ length: 500 }, (_, i) => i * 7);
	const answers = await Promise.all(
		sizes.map((size, i) => connection.call('/echo', Buffer.alloc(size, i))),
	);
	expect(answers.map((answer) => answer.length)).toEqual(sizes);
	expect(answers.every((answer, i) => answer.every((byte) => byte === i % 256))).toBe(true);
});

it('a gRPC message larger than every window goes through', async () => {
	const connection = await connectGrpc({ initialWindowSize: 20_000, maxFrameSize: 16_384 });
	const message = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i * 31));
	const [first, second] = await Promise.all([
		connection.call('/echo', message),
		connection.call('/echo', Buffer.from('next')),
	]);
	expect(first.equals(message)).toBe(true);
	expect(second.toString()).toBe('next');
});

it('a gRPC status that is not 0 fails its call, before and after one that went well', async () => {
	const connection = await connectGrpc();
	const fails = () => connection.call('/status/8', Buffer.alloc(3));
	await expect(fails()).rejects.toThrow(
		'/status/8 was answered with status 8 (resource exhausted)',
	);
	await connection.call('/echo', Buffer.alloc(3));
	await expect(fails()).rejects.toThrow('status 8');
	await expect(connection.call('/status/14', Buffer.alloc(3))).rejects.toThrow('14 (unavailable)');
	await expect(connection.call('/status/reset', Buffer.alloc(3))).rejects.toThrow(
		'was reset, code 2',
	);
});

/** Three bytes a turn, so that they come apart. */
async function inPieces(socket: net.Socket, data: string): Promise<void> {
	for (let at = 0; at < data.length; at += 3) {
		socket.write(data.slice(at, at + 3));
		await new Promise((resolve) => setImmediate(resolve));
	}
}

/** A server of NATS: `answer` makes of a publish what is sent back, given its inbox; sent in pieces of three bytes. */
async function startNats(answer: (inbox: string, payload: string) => string): Promise<number> {
	const server = net.createServer((socket) => {
		closing.push(() => socket.destroy());
		let text = '';
		let sent = Promise.resolve();
		const send = (data: string) => {
			sent = sent.then(() => inPieces(socket, data));
		};
		socket.setNoDelay(true).on('error', () => {});
		socket.write('INFO {"server_name":"n7"}\r\n');
		socket.on('data', (chunk) => {
			text += chunk;
			for (;;) {
				const line = /^([^\r]*)\r\n/.exec(text)?.[1];
				const publish = /^PUB (\S+) (\S+) (\d+)/.exec(line ?? '');
				const length = line === undefined ? 0 : line.length + 2 + Number(publish?.[3] ?? -2) + 2;
				if (line === undefined || text.length < length) return;
				const payload = text.slice(line.length + 2, length - 2);
				text = text.slice(length);
				if (line === 'PING') send('PONG\r\n');
				if (publish !== null) send(answer(publish[2]!, payload));
			}
		});
	});
	closing.push(() => server.close());
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return (server.address() as net.AddressInfo).port;
}

async function connectNats(
	answer: (inbox: string, payload: string) => string,
): Promise<NatsConnection> {
	const connection = await NatsConnection.connect(await startNats(answer));
	closing.push(() => connection.close());
	return connection;
}

it('NATS requests are answered, each with its own, however the stream is cut', async () => {
	const connection = await connectNats(
		(inbox, payload) => `PING\r\nMSG ${inbox} 1 ${payload.length + 2}\r\n<${payload}>\r\n`,
	);
	expect(connection.info.server_name).toBe('n7');
	const texts = ['', 'a', 'MSG x 1 2\r\n', 'long'.repeat(100)];
	const answers = await Promise.all(
		texts.map((text) => connection.request('s', Buffer.from(text))),
	);
	expect(answers.map(String)).toEqual(texts.map((text) => `<${text}>`));
});

it('a NATS request that nobody answers, or that the server dislikes, fails', async () => {
	const head = 'NATS/1.0 503\r\n\r\n';
	const connection = await connectNats((inbox, payload) =>
		payload === 'bad'
			? "-ERR 'Unknown Protocol Operation'\r\n"
			: `HMSG ${inbox} 1 ${head.length} ${head.length}\r\n${head}\r\n`,
	);
	await expect(connection.request('s', Buffer.from('x'))).rejects.toThrow(
		'nobody answers: NATS/1.0 503',
	);
	await expect(connection.request('s', Buffer.from('bad'))).rejects.toThrow('Unknown Protocol');
	await expect(connection.request('s', Buffer.from('x'))).rejects.toThrow('Unknown Protocol');
});
