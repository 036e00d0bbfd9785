import { once } from 'node:events';
import { expect, test } from 'vitest';
import Ws, { WebSocketServer } from 'ws';
import { WebClock } from '../../native-free-io/web/clock.js';
import type { WebSocketConstructor, WebSocketLike } from '../../src/browser/web-socket.js';
import { WebSocketNetwork } from '../../src/browser/web-socket-network.js';
import { pattern } from '../contract/bytes.js';
import { Recorder } from '../contract/network-recorder.js';

const MIB = 1024 * 1024;
const WRITES = 48;
/** More than the kernel keeps for both ends by far. */
const BYTES = WRITES * MIB;
/** src/browser/web-socket-network.ts: what may be in a WebSocket, the last message that went into it, and its own frames. */
const BUFFERED_BYTES_MAX = MIB + 256 * 1024 + 4096;

/** The same, telling the most that was ever in one of them. */
function watched(WebSocket: WebSocketConstructor) {
	const seen = { bufferedBytes: 0 };
	class Watched extends (WebSocket as new (url: string, protocols: string[]) => WebSocketLike) {
		override send(bytes: Uint8Array<ArrayBuffer>): void {
			super.send(bytes);
			seen.bufferedBytes = Math.max(seen.bufferedBytes, this.bufferedAmount);
		}
	}
	return { seen, WebSocket: Watched as WebSocketConstructor };
}

const own = (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
const constructors: [string, WebSocketConstructor | undefined][] = [
	['of ws', Ws as unknown as WebSocketConstructor],
	['of Node (from 22 on)', own],
];

for (const [name, Socket] of constructors) {
	test.skipIf(Socket === undefined)(
		`a gateway that doesn’t read costs a WebSocket ${name} a bound, and what waits beyond it lies where it lay`,
		async () => {
			const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
			await once(server, 'listening');
			const connected = once(server, 'connection');
			const { seen, WebSocket } = watched(Socket!);
			const network = new WebSocketNetwork({ clock: new WebClock(), WebSocket });
			let dialled: Recorder | null = null;
			const { port } = server.address();
			const connection = network.dial({ host: '127.0.0.1', port }, (its) => {
				dialled = new Recorder(its);
				return dialled;
			});
			const [accepted] = (await connected) as [Ws];
			accepted.pause();
			await dialled!.is('opened');
			const piece = pattern(MIB, 1);
			let done = 0;
			const sent = Array.from({ length: WRITES }, () => dialled!.send(piece).then(() => done++));
			// Turns, and looks at what has left, in which all would have been handed over.
			for (let look = 0; look < 40; look++) await new Promise((resolve) => setTimeout(resolve, 5));
			expect(done).toBeLessThan(WRITES);
			expect(seen.bufferedBytes).toBeGreaterThan(0);
			let bytes = 0;
			accepted.on('message', (message: Uint8Array) => {
				bytes += message.length;
			});
			accepted.resume();
			await Promise.all(sent);
			await expect.poll(() => bytes, { timeout: 20_000 }).toBe(BYTES);
			expect(seen.bufferedBytes).toBeLessThan(BUFFERED_BYTES_MAX);
			connection.close();
			await new Promise<void>((resolve) => server.close(resolve));
		},
	);
}
