declare module 'ws' {
	import type { EventEmitter } from 'node:events';

	/** As much of it as the tests use. */
	export default class WebSocket extends EventEmitter {
		binaryType: string;
		readonly bufferedAmount: number;
		readonly readyState: number;
		readonly protocol: string;
		onopen: ((event: never) => void) | null;
		onmessage: ((event: never) => void) | null;
		onerror: ((event: never) => void) | null;
		onclose: ((event: never) => void) | null;
		constructor(
			url: string,
			protocols?: string[],
			options?: { headers?: Record<string, string>; origin?: string; ca?: Uint8Array },
		);
		send(data: Uint8Array | string): void;
		close(code?: number, reason?: string): void;
		terminate(): void;
		pause(): void;
		resume(): void;
	}

	export class WebSocketServer extends EventEmitter {
		readonly clients: Set<WebSocket>;
		constructor(options: { host: string; port: number });
		address(): { port: number };
		close(callback?: () => void): void;
	}
}
